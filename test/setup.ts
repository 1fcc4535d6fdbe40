import { applyD1Migrations } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { recordStatements } from './support/query-plans.ts'

await applyD1Migrations(env.DB, env.D1_MIGRATIONS)

// All tests are one address, and a limiter that is simulated writes to the disk at each request: tests of limits bring theirs.
for (const limiter of ['IP_LIMIT', 'LOOKUP_SHIELD', 'SHIELD_STARTER', 'SHIELD_GROWTH', 'SHIELD_ENTERPRISE']) {
  if (!Reflect.set(env, limiter, undefined)) throw new Error(`${limiter} stayed bound`)
}

recordStatements()
