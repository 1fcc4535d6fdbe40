import { deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { probe, probeJson } from '../support/probe.ts'
import { expectProblem } from '../support/problems.ts'

const post = (
  body: BodyInit | null,
  headers: Record<string, string> = { 'Content-Type': 'application/json' },
) => probe('/open', { method: 'POST', headers, body })

describe('a body', () => {
  it.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"'])(
    'may be sent as %s',
    async (type) => {
      expect((await post('{}', { 'Content-Type': type })).status).toBe(200)
    },
  )

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/jsonp',
    'application/problem+json',
    'multipart/form-data',
  ])('is refused as %s: 415', async (type) => {
    await expectProblem(await post('{}', { 'Content-Type': type }), 415, 'unsupported_media_type')
  })

  it('is refused without a content type: 415', async () => {
    await expectProblem(await post(new TextEncoder().encode('{}'), {}), 415, 'unsupported_media_type')
  })

  it.each(['{"a":', '{a:1}', '[1,]', 'NaN', '{"amount": NaN}', '{"amount": Infinity}', "{'a':1}"])(
    'is refused when it is not JSON: %s',
    async (text) => {
      await expectProblem(await post(text), 400, 'invalid_json')
    },
  )

  it('is refused when it is not UTF-8, since replaced bytes would make different ids equal', async () => {
    const bytes = new Uint8Array([
      ...new TextEncoder().encode('{"user_id":"'),
      0xff,
      ...new TextEncoder().encode('"}'),
    ])
    await expectProblem(await post(bytes), 400, 'invalid_json')
  })

  it('may be missing only if the route does not require it', async () => {
    expect((await post(null)).status).toBe(200)
    expect((await post(null, {})).status).toBe(200)
    for (const headers of [{}, { 'Content-Type': 'application/json' }]) {
      const response = await probe('/needs-body', { method: 'POST', headers })
      const { detail } = await expectProblem(response, 400, 'invalid_json')
      expect(detail).toContain('no body')
    }
  })

  it('may have exactly 4 MB, and one byte more is a 413, with a length or without', async () => {
    const shell = JSON.stringify({ 'a/b~c': '' })
    const of = (bytes: number) => JSON.stringify({ 'a/b~c': 'x'.repeat(bytes - shell.length) })
    const streamed = (text: string) => new Blob([text]).stream()
    const limit = 4 * 1024 * 1024
    expect((await post(of(limit))).status).toBe(200)
    expect((await post(streamed(of(limit)))).status).toBe(200)
    await expectProblem(await post(of(limit + 1)), 413, 'body_too_large')
    await expectProblem(await post(streamed(of(limit + 1))), 413, 'body_too_large')
    await expectProblem(
      await post('{}', { 'Content-Type': 'application/json', 'Content-Length': '99999999' }),
      413,
      'body_too_large',
    )
  })

  it('may be 64 levels deep and no deeper', async () => {
    const nested = (levels: number) => `{"metadata":${'{"a":'.repeat(levels - 2)}{}${'}'.repeat(levels - 2)}}`
    expect((await post(nested(64))).status).toBe(200)
    const { detail } = await expectProblem(await post(nested(65)), 400, 'invalid_json')
    expect(detail).toContain('64')
    await expectProblem(await post('['.repeat(2_000_000)), 400, 'invalid_json')
    await expectProblem(await post('['.repeat(100_000) + ']'.repeat(100_000)), 400, 'invalid_json')
  })

  it('cannot reach a prototype with __proto__', async () => {
    const response = await probeJson(
      '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
    )
    const { errors } = await expectProblem(response, 400, 'invalid_request')
    expect(errors).toEqual([
      { path: '/__proto__', message: 'unknown field' },
      { path: '/constructor', message: 'unknown field' },
    ])
    expect((await probeJson('{"metadata":{"__proto__":{"polluted":true}}}')).status).toBe(200)
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  it('may have many fields, and one object at most 10,000, which is known before it is parsed', async () => {
    const wide = (fields: number) => `{${Array.from({ length: fields }, (_, i) => `"k${i}":1`).join()}}`
    await expectProblem(await post(wide(10_000)), 400, 'invalid_request')
    const { errors } = await expectProblem(await post(wide(300_000)), 400, 'invalid_request')
    expect(errors).toEqual([{ path: '', message: 'must have at most 10000 fields in each object' }])
    const strings = JSON.stringify({ 'a/b~c': '":{'.repeat(50_000) })
    expect((await post(strings)).status).toBe(200)
  })
})

describe('a compressed body', () => {
  const json = { 'Content-Type': 'application/json' }
  const text = JSON.stringify({ user_id: 'w', amount: 1 })

  it.each([
    ['gzip', gzipSync(text)],
    ['x-gzip', gzipSync(text)],
    ['GZIP', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['identity', new TextEncoder().encode(text)],
  ])('is read with Content-Encoding: %s', async (encoding, bytes) => {
    const response = await post(bytes, { ...json, 'Content-Encoding': encoding })
    expect(await response.json()).toMatchObject({ arrived: { user_id: 'w' } })
  })

  it.each(['br', 'zstd', 'compress', 'gzip, gzip'])(
    'is refused with Content-Encoding: %s',
    async (encoding) => {
      const response = await post(gzipSync(text), { ...json, 'Content-Encoding': encoding })
      await expectProblem(response, 415, 'unsupported_media_type')
    },
  )

  it('is limited by its decoded size', async () => {
    const bomb = gzipSync(JSON.stringify({ 'a/b~c': 'x'.repeat(4 * 1024 * 1024) }))
    expect(bomb.length).toBeLessThan(10_000)
    await expectProblem(await post(bomb, { ...json, 'Content-Encoding': 'gzip' }), 413, 'body_too_large')
  })

  it('is refused when it does not match its encoding, or is cut off', async () => {
    const cut = gzipSync(text).subarray(0, 20)
    for (const bytes of [new TextEncoder().encode(text), cut]) {
      const response = await post(bytes, { ...json, 'Content-Encoding': 'gzip' })
      const { detail } = await expectProblem(response, 400, 'invalid_json')
      expect(detail).toContain('the encoding that the header Content-Encoding names')
    }
  })
})
