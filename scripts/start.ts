/**
 * `npm start`: sets up and starts a local server, seeds the demo customer, and runs until Ctrl-C. Environment
 * variables: PORT is the port (default: 8787), STATE_DIR is the directory of the state (default: .wrangler/state), and
 * VARS overrides variables of wrangler.toml.
 */

import { DEVELOPMENT_KEY } from '../src/api-keys/authentication/format.ts'
import { seedDemoCustomer } from './demo-customer.ts'
import { chosenPort, localUrl, requireFreePort, startServer } from './local-server.ts'
import { setUp } from './local-setup.ts'
import { holdState, STATE } from './local-state.ts'
import { buildStalePages } from './static-pages.ts'

async function main(): Promise<number> {
  const port = chosenPort()
  await requireFreePort(port)
  holdState(localUrl(port))
  await Promise.all([setUp(), buildStalePages()])
  const server = await startServer(port)
  try {
    await seedDemoCustomer(server.url)
  } catch (error) {
    await server.stop()
    throw error
  }
  console.log(welcome(server.url))
  return server.ended
}

function welcome(url: string): string {
  const key = `-H 'Authorization: Bearer ${DEVELOPMENT_KEY}'`
  const json = `-H 'Content-Type: application/json'`
  const usage = `"provider":"OPENAI","model":"gpt-4o","input_tokens":1000,"output_tokens":500`
  return `
OpenMonetize Edge is on ${url}. Ctrl-C stops it; its state stays in ${STATE}.
The dashboard is on ${url}/dashboard/.

# The balance of the demo customer
curl ${url}/v1/credits/balance ${key}

# Send an event: 1,000 input tokens and 500 output tokens of gpt-4o cost 15 credits
curl ${url}/v1/events/ingest ${key} ${json} -d '{"event_type":"TOKEN_USAGE","feature_id":"chat",${usage}}'

# Calculate the price of an event, without a charge
curl ${url}/v1/rating/calculate ${key} ${json} -d '{${usage}}'
`
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  },
)
