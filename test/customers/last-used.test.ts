import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { forgetNotedUses, noteKeyUse } from '../../src/api-keys/authentication/lookup.ts'
import type { Bindings } from '../../src/bindings.ts'
import { apiWith } from '../support/app.ts'
import { listed } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { brokenD1, d1Double } from '../support/d1.ts'
import { createKey } from '../support/keys.ts'

const HOUR = 3_600_000
const START = Date.UTC(2026, 10, 1)

beforeEach(() => forgetNotedUses())

/** Returns a D1 that counts its statements and the rows that they write. */
function counting() {
  const count = { statements: 0, rows: 0 }
  const prepare = (sql: string) => {
    const statement = env.DB.prepare(sql)
    return {
      bind: (...values: unknown[]) => ({
        run: async () => {
          const result = await statement.bind(...values).run()
          count.statements += 1
          count.rows += result.meta.rows_written
          return result
        },
      }),
    }
  }
  const DB = d1Double({ prepare })
  return { DB, count }
}

async function use(bindings: Pick<Bindings, 'DB'>, key_id: string, now_ms: number): Promise<void> {
  const ctx = createExecutionContext()
  noteKeyUse(bindings, key_id, now_ms, (work) => ctx.waitUntil(work))
  await waitOnExecutionContext(ctx)
}

const lastUsed = (key_id: string) =>
  env.DB.prepare('SELECT last_used_at_ms FROM api_keys WHERE key_id = ?')
    .bind(key_id)
    .first('last_used_at_ms')

describe('when a key was last used', () => {
  it('is in the list of keys after a request with it', async () => {
    const { customer_id, api_key } = await createCustomer()
    const used = await createKey(customer_id)
    await createKey(customer_id)
    const before = Date.now()
    expect((await apiWith({}, '/v1/customers/me', { key: used.api_key })).status).toBe(200)
    const keys = await listed(api_key, '/v1/api-keys')
    const at = keys.find((key) => key.key_id === used.key_id)?.last_used_at
    expect(Date.parse(String(at))).toBeGreaterThanOrEqual(before)
    expect(keys.filter((key) => key.last_used_at === null)).toHaveLength(1)
  })

  it('costs one row an hour and key, for any number of requests and isolates', async () => {
    const { customer_id } = await createCustomer()
    const { key_id } = await createKey(customer_id)
    const { DB, count } = counting()
    for (let i = 0; i < 100; i++) await use({ DB }, key_id, START + i)
    expect(count).toEqual({ statements: 1, rows: 1 })
    forgetNotedUses()
    await use({ DB }, key_id, START + HOUR - 1)
    expect(count).toEqual({ statements: 2, rows: 1 })
    expect(await lastUsed(key_id)).toBe(START)
    forgetNotedUses()
    await use({ DB }, key_id, START + HOUR)
    expect(count).toEqual({ statements: 3, rows: 2 })
    expect(await lastUsed(key_id)).toBe(START + HOUR)
  })

  it('does not fail a request when D1 is down, and is tried again a minute later', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const { customer_id } = await createCustomer()
    const { key_id } = await createKey(customer_id)
    for (let i = 0; i < 10; i++) await use({ DB: brokenD1() }, key_id, START + i)
    expect(log).toHaveBeenCalledOnce()
    await use(env, key_id, START + 59_999)
    expect(await lastUsed(key_id)).toBeNull()
    await use(env, key_id, START + 60_000)
    expect(await lastUsed(key_id)).toBe(START + 60_000)
    log.mockRestore()
  })
})
