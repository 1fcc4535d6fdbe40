import { applyD1Migrations } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { recordStatements } from './support/query-plans.ts'
import { ScriptedStripe } from './support/stripe.ts'

// Applies all migrations as one migration, because one batch for each of them takes about 300 ms in each test file.
const queries = env.D1_MIGRATIONS.flatMap((migration) => migration.queries)
await applyD1Migrations(env.DB, [{ name: 'all', queries }])

// Removes the rate limiters of the local runtime. All tests share one IP address, and a local limiter writes to the
// disk on every request. Tests of limits use simulated limiters.
for (const limiter of ['IP_LIMIT', 'LOOKUP_SHIELD', 'SHIELD_STARTER', 'SHIELD_GROWTH', 'SHIELD_ENTERPRISE']) {
  if (!Reflect.set(env, limiter, undefined)) throw new Error(`${limiter} stayed bound`)
}

recordStatements()
ScriptedStripe.serve()
