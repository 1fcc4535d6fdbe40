import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Bindings } from '../../src/bindings.ts'
import { forgetAllProviderKeys } from '../../src/provider-keys/upstream.ts'
import { open, seal } from '../../src/secrets/aes-gcm.ts'
import { mastersOf, requireDataKey, rewrapDataKeys } from '../../src/secrets/data-keys.ts'
import { rowsOf, storedKey, upstreamOf } from '../provider-keys/support.ts'
import { listenToConsole } from '../support/console.ts'
import { createCustomer } from '../support/customers.ts'

const [OLD, NEW, OTHER] = ['a'.repeat(64), 'b'.repeat(64), 'c'.repeat(64)]
const before = { ENCRYPTION_KEY: OLD }
const during = { ENCRYPTION_KEY: OLD, ENCRYPTION_KEY_NEXT: NEW }
const after = { ENCRYPTION_KEY: NEW }

beforeEach(async () => {
  await env.DB.batch([env.DB.prepare('DELETE FROM data_keys'), env.DB.prepare('DELETE FROM provider_keys')])
  forgetAllProviderKeys()
})

const withSecrets = (secrets: Partial<Bindings>): Bindings => ({ ...env, ...secrets })

/**
 * Runs the job that encrypts data keys again, once from the beginning. Returns its counts and the position that it has
 * reached.
 */
async function rewrap(secrets: Partial<Bindings>) {
  let reached = ''
  const done = await rewrapDataKeys(withSecrets(secrets), Date.now(), {
    after: '',
    reach: (place) => {
      reached = place
    },
  })
  return { ...done, reached }
}

async function keyOf(
  customer: { readonly customer_id: string },
  secrets: Partial<Bindings>,
): Promise<string> {
  forgetAllProviderKeys()
  const found = await upstreamOf(customer, { provider: 'openai' }, secrets)
  return found.ok ? found.key : found.problem.code
}

const store = (api_key: string, secrets: Partial<Bindings>) =>
  storedKey(api_key, { provider: 'OPENAI', name: 'Main', key: 'sk-main' }, secrets)

describe('replacing the encryption key', () => {
  it('keeps every provider key readable at each step, and ends with only the new key', async () => {
    const [first, second] = [await createCustomer(), await createCustomer()]
    await store(first.api_key, before)
    // Both master keys are set. Data that was encrypted with the old key can be read, and new data can be read with
    // either key.
    expect(await keyOf(first, during)).toBe('sk-main')
    await store(second.api_key, during)
    for (const secrets of [before, during, after]) expect(await keyOf(second, secrets)).toBe('sk-main')
    // The job encrypts the data key of the first customer with the new master key too.
    expect(await rewrap(during)).toEqual({ written: 1, deleted: 0, locked: 0, reached: '' })
    expect(await rewrap(during)).toMatchObject({ written: 0, deleted: 0 })
    for (const secrets of [before, during, after]) expect(await keyOf(first, secrets)).toBe('sk-main')
    // The old master key is no longer set, so the job deletes the data keys that are encrypted with it.
    expect(await rewrap(after)).toEqual({ written: 0, deleted: 2, locked: 0, reached: '' })
    for (const customer of [first, second]) {
      expect(await keyOf(customer, after)).toBe('sk-main')
      listenToConsole()
      expect(await keyOf(customer, before)).toBe('provider_keys_not_configured')
    }
  })

  it('deletes nothing that no current key opens, and creates no second data key', async () => {
    const customer = await createCustomer()
    await store(customer.api_key, before)
    const stored = await rowsOf('data_keys', customer.customer_id)
    const wrong = { ENCRYPTION_KEY: OTHER }
    listenToConsole()
    expect(await rewrap(wrong)).toEqual({ written: 0, deleted: 0, locked: 1, reached: '' })
    await expect(store(customer.api_key, wrong)).rejects.toThrow('provider_keys_not_configured')
    expect(await keyOf(customer, wrong)).toBe('provider_keys_not_configured')
    expect(await rowsOf('data_keys', customer.customer_id)).toEqual(stored)
    expect(await keyOf(customer, before)).toBe('sk-main')
  })
})

describe('the data key of a customer', () => {
  it('is created once, even by several concurrent requests', async () => {
    const { customer_id } = await createCustomer()
    const bindings = withSecrets(during)
    const made = await Promise.all([1, 2, 3].map(() => requireDataKey(bindings, customer_id, 1)))
    const keys = made.map((found) =>
      found.kind === 'key' ? Buffer.from(found.key).toString('hex') : found.kind,
    )
    expect(new Set(keys).size).toBe(1)
    expect(await rowsOf('data_keys', customer_id)).toHaveLength(2)
  })

  it('cannot be used for another customer, nor a provider key for another row', async () => {
    const [owner, thief] = [await createCustomer(), await createCustomer()]
    await store(owner.api_key, before)
    const set = (sql: string, ...values: string[]) =>
      env.DB.prepare(sql)
        .bind(...values)
        .run()
    const said = listenToConsole()
    // Changes the base URL of the provider key. The key must not be decrypted, because it would be sent to another
    // server.
    const moved = "UPDATE provider_keys SET base_url = 'http://localhost:1' WHERE ledger_id = ?"
    await set(moved, owner.customer_id)
    expect(await keyOf(owner, before)).toBe('invalid_request')
    await set('UPDATE provider_keys SET base_url = NULL WHERE ledger_id = ?', owner.customer_id)
    expect(await keyOf(owner, before)).toBe('sk-main')
    // Copies one customer's encrypted provider key into the row of another customer, first without and then with the
    // data key.
    await store(thief.api_key, before)
    const copy =
      'UPDATE provider_keys SET sealed = (SELECT sealed FROM provider_keys WHERE ledger_id = ?2) WHERE ledger_id = ?1'
    await set(copy, thief.customer_id, owner.customer_id)
    expect(await keyOf(thief, before)).toBe('invalid_request')
    const stolen =
      'UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE customer_id = ?2) WHERE customer_id = ?1'
    await set(stolen, thief.customer_id, owner.customer_id)
    expect(await keyOf(thief, before)).toBe('provider_keys_not_configured')
    expect(said.lines.join('\n')).toContain('provider_key_damaged')
    expect(said.lines.join('\n')).not.toContain('sk-main')
  })
})

describe('an encryption key', () => {
  it.each([
    ['the public one of development', 'dev-encryption-key'],
    ['a short one', 'x'.repeat(31)],
    ['none', ''],
  ])('outside development is not %s', (_, ENCRYPTION_KEY) => {
    listenToConsole()
    expect(mastersOf(withSecrets({ ENVIRONMENT: 'production', ENCRYPTION_KEY }))).toEqual([])
  })

  it('has an id that reveals nothing and that differs from key to key', () => {
    const masters = mastersOf(withSecrets({ ...during, ENVIRONMENT: 'production' }))
    expect(masters.map(({ id }) => id)).toEqual([expect.stringMatching(/^[0-9a-f]{16}$/), expect.any(String)])
    expect(new Set(masters.map(({ id }) => id)).size).toBe(2)
    expect(mastersOf(withSecrets({ ENCRYPTION_KEY: OLD, ENCRYPTION_KEY_NEXT: OLD }))).toHaveLength(1)
  })
})

describe('a sealed text', () => {
  const key = new Uint8Array(32).fill(7)

  it('can only be decrypted with its key and place, and has a different ciphertext each time', () => {
    const bytes = Buffer.from('a secret')
    const sealed = seal(bytes, key, 'place')
    expect(open(sealed, key, 'place')).toEqual(bytes)
    expect(seal(bytes, key, 'place')).not.toBe(sealed)
    expect(open(sealed, key, 'elsewhere')).toBeUndefined()
    expect(open(sealed, new Uint8Array(32), 'place')).toBeUndefined()
    for (const text of ['', 'AAAA', sealed.slice(0, -8)]) expect(open(text, key, 'place')).toBeUndefined()
  })
})
