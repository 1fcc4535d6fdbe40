import { applyD1Migrations } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { recordStatements } from './support/query-plans.ts'
import { ScriptedStripe } from './support/stripe.ts'

// Applies all migrations as one migration, because one batch for each of them takes about 300 ms in each test file.
const queries = env.D1_MIGRATIONS.flatMap((migration) => migration.queries)
await applyD1Migrations(env.DB, [{ name: 'all', queries }])

// Removes the simulated limiters. All tests share one address, and a simulated limiter writes to the disk at each
// request. Tests of limits use their own limiters.
for (const limiter of ['IP_LIMIT', 'LOOKUP_SHIELD', 'SHIELD_STARTER', 'SHIELD_GROWTH', 'SHIELD_ENTERPRISE']) {
  if (!Reflect.set(env, limiter, undefined)) throw new Error(`${limiter} stayed bound`)
}

recordStatements()
ScriptedStripe.serve()
