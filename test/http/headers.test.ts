import { describe, expect, it, vi } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { probe } from '../support/probe.ts'

describe('X-Request-Id', () => {
  it("is the caller's when it is safe in a log line", async () => {
    for (const id of ['a', 'trace-1_2.3', 'x'.repeat(64)]) {
      const response = await api('/health', { headers: { 'X-Request-Id': id } })
      expect(response.headers.get('X-Request-Id')).toBe(id)
    }
  })

  it('is a new one otherwise', async () => {
    for (const headers of [
      {},
      { 'X-Request-Id': 'x'.repeat(65) },
      { 'X-Request-Id': 'a b' },
      { 'X-Request-Id': '{"a":1}' },
    ]) {
      const response = await api('/health', { headers })
      expect(response.headers.get('X-Request-Id')).toMatch(/^req_[0-9a-z]{26}$/)
    }
  })

  it('is on every response: found, refused, unknown and broken', async () => {
    for (const path of ['/health', '/nowhere', '/v1/customers/me']) {
      expect((await api(path)).headers.get('X-Request-Id')).toMatch(/^req_/)
    }
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    expect((await probe('/throws')).headers.get('X-Request-Id')).toMatch(/^req_/)
    log.mockRestore()
  })
})

describe('every response', () => {
  it('is stored by no cache and sniffed by no browser', async () => {
    for (const path of ['/health', '/nowhere', '/v1/customers/me']) {
      const { headers } = await api(path)
      expect(headers.get('Cache-Control')).toBe('no-store')
      expect(headers.get('X-Content-Type-Options')).toBe('nosniff')
    }
  })
})

describe('Idempotency-Key', () => {
  const post = (key: string, body = '{}') =>
    probe('/open', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
      body,
    })

  it('may have 1 to 255 printable ASCII characters', async () => {
    for (const key of ['a', 'order 17/"x"~', 'k'.repeat(255)]) {
      expect(await jsonOf(await post(key))).toMatchObject({ idempotency_key: key })
    }
    for (const key of ['', 'k'.repeat(256), 'a\tb', 'caf\u00e9']) {
      const response = await post(key)
      expect(response.status).toBe(400)
      const body = await jsonOf(response)
      expect(body).toMatchObject({ code: 'invalid_request', errors: [{ path: '/Idempotency-Key' }] })
      expect(body.detail).toContain('Idempotency-Key')
    }
  })

  it('has a fingerprint of the parsed body: the order of fields does not matter, their values do', async () => {
    const fingerprint = async (body: string) => (await jsonOf(await post('k', body))).fingerprint
    const one = await fingerprint('{"user_id":"u","metadata":{"a":[1,{"x":1,"y":2}],"b":"2"}}')
    expect(one).toMatch(/^[A-Za-z0-9_-]{22}$/)
    expect(await fingerprint('{ "metadata": {"b":"2","a":[1.0,{"y":2,"x":1}]}, "user_id":"u" }')).toBe(one)
    for (const other of [
      '{"user_id":"u","metadata":{"a":[{"x":1,"y":2},1],"b":"2"}}',
      '{"user_id":"u","metadata":{"a":[1,{"x":1,"y":2}],"b":2}}',
      '{"user_id":"u","metadata":{"a":[1,{"x":1,"y":2}],"b":null}}',
      '{"user_id":"v","metadata":{"a":[1,{"x":1,"y":2}],"b":"2"}}',
    ]) {
      expect(await fingerprint(other)).not.toBe(one)
    }
  })
})
