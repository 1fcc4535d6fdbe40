import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { createApp } from '../../src/app.ts'
import type { Bindings } from '../../src/bindings.ts'
import { api, apiRequest, jsonOf, send } from '../support/api.ts'
import { brokenD1, brokenKv } from '../support/d1.ts'
import { expectProblem } from '../support/problems.ts'

/** Requests `/ready` with the given bindings. The Worker caches the result of the check for each bindings object. */
function ready(bindings: Bindings): Promise<Response> {
  const request = apiRequest('/ready')
  return send(request, async () => {
    const ctx = createExecutionContext()
    const response = await createApp().fetch(request, bindings, ctx)
    await waitOnExecutionContext(ctx)
    return response
  })
}

describe('GET /health', () => {
  it('reports that the process responds, without a key and without checking dependencies', async () => {
    const response = await api('/health')
    expect(response.status).toBe(200)
    expect(await jsonOf(response)).toEqual({ status: 'ok' })
  })
})

describe('GET /ready', () => {
  it('checks D1, KV and an object, and reports the time of each', async () => {
    const response = await api('/ready')
    expect(response.status).toBe(200)
    const check = { ok: true, latency_ms: expect.any(Number) }
    expect(await jsonOf(response)).toEqual({
      status: 'ready',
      checks: { d1: check, kv: check, object: check },
    })
  })

  it('is a 503 that names the failed checks and hides their errors', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const response = await ready({ ...env, DB: brokenD1(), API_KEYS: brokenKv() })
    expect(response.headers.get('Retry-After')).toBe('5')
    const body = await expectProblem(response, 503, 'unavailable')
    expect(body).toMatchObject({
      detail: 'These dependencies do not respond: d1, kv.',
      checks: { d1: { ok: false }, object: { ok: true } },
    })
    expect(JSON.stringify(body)).not.toContain('platform')
    log.mockRestore()
  })

  it('checks once for a hundred requests that arrive during a check', async () => {
    let looks = 0
    const slow: KVNamespace = Object.create(env.API_KEYS, {
      get: {
        value: async () => {
          looks += 1
          await scheduler.wait(20)
          return null
        },
      },
    })
    const bindings = { ...env, API_KEYS: slow }
    const responses = await Promise.all(Array.from({ length: 100 }, () => ready(bindings)))
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]))
    expect(looks).toBe(1)
  })

  it('checks once in 5 seconds', async () => {
    let looks = 0
    const counted: KVNamespace = Object.create(env.API_KEYS, {
      get: {
        value: () => {
          looks += 1
          return Promise.resolve(null)
        },
      },
    })
    const bindings = { ...env, API_KEYS: counted }
    const clock = vi.spyOn(Date, 'now').mockReturnValue(1_000_000)
    await ready(bindings)
    clock.mockReturnValue(1_004_999)
    await ready(bindings)
    expect(looks).toBe(1)
    clock.mockReturnValue(1_005_000)
    await ready(bindings)
    expect(looks).toBe(2)
    clock.mockRestore()
  })
})
