import { env } from 'cloudflare:workers'
import type { Bindings } from '../../src/bindings.ts'
import { runJobs } from '../../src/cron/run-jobs.ts'
import { JOBS } from '../../src/cron.ts'

/** Runs the scheduled job `name` in the same way as the cron trigger. Throws if the job fails. */
export async function runJob(name: string, bindings: Bindings = env, now_ms = Date.now()): Promise<void> {
  const job = JOBS.find((one) => one.name === name)
  if (!job) throw new Error(`there is no job ${name}`)
  await runJobs(bindings, [job], now_ms)
}
