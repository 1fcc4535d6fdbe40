/**
 * Runs the Worker in workerd, for the tests of the SDK: `node test/sdk/serve.ts BUNDLE STATE [VARIABLES]`. Prints the
 * address of the Worker as a line of JSON, and runs until it is killed. BUNDLE is the folder of the bundle, which is
 * built if the folder is missing. STATE is the folder of the data, which is kept between runs. VARIABLES has variables
 * of the Worker as JSON.
 */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { bundle, migrateD1, PROJECT, startWorkerd } from '../../bench/raw-workerd.ts'

const VARIABLES = {
  OPERATOR_TOKEN: 'dev-operator-token',
  ENCRYPTION_KEY: 'dev-encryption-key',
  PORTAL_TOKEN_SECRET: 'dev-portal-token-secret',
  LEDGER_SIGNING_KEY: 'dev-signing-key',
  STRIPE_SECRET_KEY: 'sk_test_development',
  STRIPE_WEBHOOK_SECRET: 'whsec_development',
  STRIPE_TEST_SECRET_KEY: 'sk_test_development',
  STRIPE_TEST_WEBHOOK_SECRET: 'whsec_test_development',
  // No server listens on this port, so calls to Stripe fail.
  STRIPE_API_URL: 'http://127.0.0.1:9',
  FLUSH_DELAY_MS: '200',
  RATE_LIMIT_STARTER: '1000000',
  RATE_LIMIT_ENTERPRISE: '100000000',
  CORS_ORIGINS: '*',
}

async function main(directory: string, state: string, variables: Record<string, string>): Promise<void> {
  const isNew = !existsSync(state)
  const server = await startWorkerd(
    PROJECT,
    scriptIn(directory),
    state,
    { ...VARIABLES, ...variables },
    { assets: true },
  )
  if (isNew) await migrateD1(await server.d1())
  console.log(JSON.stringify({ url: server.url }))
}

function scriptIn(directory: string): string {
  const map = existsSync(directory)
    ? readdirSync(directory).find((file) => file.endsWith('.js.map'))
    : undefined
  return map === undefined ? bundle(PROJECT, directory) : path.join(directory, map.slice(0, -'.map'.length))
}

const [, , directory, state, variables = '{}'] = process.argv
if (directory === undefined || state === undefined) throw new Error('node test/sdk/serve.ts BUNDLE STATE')
await main(directory, state, JSON.parse(variables))
