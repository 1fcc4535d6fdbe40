import {
  DEVELOPMENT_KEY,
  DEVELOPMENT_KEY_HASH,
  DEVELOPMENT_KEY_ID,
} from '../src/api-keys/authentication/format.ts'
import { SCOPES } from '../src/api-keys/authentication/scopes.ts'
import { wrangler } from './local-server.ts'
import { operatorToken } from './local-setup.ts'

const DEMO = { name: 'Demo customer', email: 'demo@example.com', tier: 'ENTERPRISE' }

/**
 * The statement that adds the development key directly to the local D1. The API never accepts a key that the caller
 * chooses.
 */
const ATTACH_KEY = `
  INSERT OR IGNORE INTO api_keys (key_id, customer_id, mode, name, key_hash, scopes, created_at_ms)
  SELECT '${DEVELOPMENT_KEY_ID}', customer_id, 'live', 'Development key', '${DEVELOPMENT_KEY_HASH}',
    '${SCOPES.join(' ')}', ${Date.now()}
  FROM customers WHERE email_key = '${DEMO.email}'`

/**
 * Creates the demo customer with its sign-up credits and the development key on the server at `url`. Skips steps that
 * were done before. The key that the registration returns is not used, because it was never shown.
 */
export async function seedDemoCustomer(url: string): Promise<void> {
  refuseRemote(url)
  const registered = await fetch(`${url}/v1/customers/register`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${operatorToken()}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(DEMO),
  })
  if (registered.status === 409 && (await keyWorks(url))) return
  if (registered.status !== 201 && registered.status !== 409) {
    throw new Error(`The demo customer was not registered: ${registered.status} ${await registered.text()}`)
  }
  await wrangler('d1', 'execute', 'DB', '--yes', '--command', ATTACH_KEY)
  // The server may cache for a few seconds that the key does not exist.
  for (let attempt = 0; attempt < 30; attempt++) {
    if (await keyWorks(url)) {
      console.log('Seeded the demo customer (ENTERPRISE).')
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  throw new Error('The demo customer exists, but its key does not work.')
}

/** Throws for a server that is not on this machine, because the development key is public. */
export function refuseRemote(url: string): void {
  const { hostname } = new URL(url)
  if (!['localhost', '127.0.0.1', '[::1]'].includes(hostname)) {
    throw new Error(`Seeding is for a local server, and ${hostname} is not one.`)
  }
}

async function keyWorks(url: string): Promise<boolean> {
  const response = await fetch(`${url}/v1/customers/me`, { headers: { 'X-API-Key': DEVELOPMENT_KEY } })
  await response.text()
  return response.ok
}
