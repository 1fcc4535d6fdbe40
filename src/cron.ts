import type { Bindings } from './config.ts'
import { logInfo } from './http/log.ts'
import { rerateAll } from './rating/rerate.ts'

/** What the deployment does by the clock (`crons` in wrangler.toml). */
export async function runCron(_controller: ScheduledController, env: Bindings): Promise<void> {
  const summary = await rerateAll(env)
  if (summary.examined > 0) logInfo('events_rerated', { ...summary })
}
