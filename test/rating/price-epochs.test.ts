import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { publishEpoch, readKvEpoch } from '../../src/rating/price-epochs.ts'
import { unique } from '../support/customers.ts'

const INSERT = `
  INSERT INTO price_overlays (scope, epoch, overlay_id, provider, model, prices, effective_from_ms, created_at_ms, created_by)
  VALUES (?1, ?2, 'po', 'openai', 'm', '{"multiplier":"1"}', 0, 0, 'x')`

async function change(scope: string, epoch: number): Promise<void> {
  await env.DB.prepare(INSERT).bind(scope, epoch).run()
}

/** Returns a KV namespace whose `put` method is the given function. */
function kvWith(put: (key: string, value: string) => Promise<void>): { readonly API_KEYS: KVNamespace } {
  return { API_KEYS: Object.create(env.API_KEYS, { put: { value: put } }) }
}

/** Publishes the epoch of a scope, and waits for the work that continues after the response. */
async function publish(bindings: { readonly API_KEYS?: KVNamespace }, scope: string): Promise<void> {
  let later: Promise<unknown> | undefined
  await publishEpoch({ ...env, ...bindings }, scope, (work) => (later = work), 1)
  await later
}

describe('publishing an epoch', () => {
  it("copies D1's to KV, with one write", async () => {
    const scope = unique('scope')
    expect(await readKvEpoch(env, scope)).toBe(0)
    await change(scope, 1)
    await change(scope, 2)
    const put = vi.fn((key: string, value: string) => env.API_KEYS.put(key, value))
    await publish(kvWith(put), scope)
    expect(await readKvEpoch(env, scope)).toBe(2)
    expect(put).toHaveBeenCalledOnce()
  })

  it('writes again after each concurrent change, so that an older value never stays', async () => {
    const scope = unique('scope')
    await change(scope, 1)
    const written: string[] = []
    const put = async (key: string, value: string) => {
      // Imitates another isolate that changes the prices and publishes their epoch before this write arrives.
      const next = Number(value) + 1
      if (next <= 3) {
        await change(scope, next)
        await env.API_KEYS.put(key, String(next))
      }
      written.push(value)
      await env.API_KEYS.put(key, value)
    }
    await publish(kvWith(put), scope)
    expect(written).toEqual(['1', '2', '3'])
    expect(await readKvEpoch(env, scope)).toBe(3)
  })

  it('continues after the response while KV refuses, as KV does for more than one write a second', async () => {
    const scope = unique('scope')
    await change(scope, 1)
    let refusals = 3
    await publish(
      kvWith(async (key, value) => {
        refusals -= 1
        if (refusals >= 0) throw new Error('KV PUT failed: 429 Too Many Requests')
        await env.API_KEYS.put(key, value)
      }),
      scope,
    )
    expect(await readKvEpoch(env, scope)).toBe(1)
  })

  it('logs an error when it gives up', async () => {
    const scope = unique('scope')
    await change(scope, 1)
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    await publish(
      kvWith(() => Promise.reject(new Error('down'))),
      scope,
    )
    expect(log.mock.calls.flat().join()).toContain('price_epoch_not_published')
    log.mockRestore()
  })
})
