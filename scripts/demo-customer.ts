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
 * The statement that adds the development key directly to the local D1 database, because the API accepts no key that
 * the caller chooses.
 */
const ATTACH_KEY = `
  INSERT OR IGNORE INTO api_keys (key_id, customer_id, mode, name, key_hash, scopes, created_at_ms)
  SELECT '${DEVELOPMENT_KEY_ID}', customer_id, 'live', 'Development key', '${DEVELOPMENT_KEY_HASH}',
    '${SCOPES.join(' ')}', ${Date.now()}
  FROM customers WHERE email_key = '${DEMO.email}'`

/**
 * Creates the demo customer with its sign-up credits and the development key on the local server at `url`. Does nothing
 * if the customer and its key already exist. The API key that the registration returns is not used.
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
  await attachKey()
  // The server can cache for a few seconds that the key does not exist, so the check is repeated.
  for (let attempt = 0; attempt < 30; attempt++) {
    if (await keyWorks(url)) {
      console.log('Seeded the demo customer (ENTERPRISE).')
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  throw new Error(`The demo customer exists, but ${url} does not accept its development key.`)
}

const ATTEMPTS = 20

/**
 * Adds the development key. The running server writes to the same database file, and SQLite refuses a second writer at
 * once, so the statement is repeated until the server has finished its write.
 */
async function attachKey(): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await wrangler('d1', 'execute', 'DB', '--yes', '--command', ATTACH_KEY)
      return
    } catch (error) {
      if (attempt === ATTEMPTS || !String(error).includes('SQLITE_BUSY')) throw error
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }
}

/** Throws if the URL is not on this machine, because the development key is public. */
export function refuseRemote(url: string): void {
  const { hostname } = new URL(url)
  if (!['localhost', '127.0.0.1', '[::1]'].includes(hostname)) {
    throw new Error(
      `Only a local server can be seeded, and ${hostname} is not this machine. Use localhost or 127.0.0.1.`,
    )
  }
}

async function keyWorks(url: string): Promise<boolean> {
  const response = await fetch(`${url}/v1/customers/me`, { headers: { 'X-API-Key': DEVELOPMENT_KEY } })
  await response.text()
  return response.ok
}
