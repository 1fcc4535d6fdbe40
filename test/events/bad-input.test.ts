import { beforeAll, describe, expect, it } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import {
  expectInvalid,
  expectNothingMoved,
  expectRefused,
  GPT_4O,
  ingest,
  ingested,
  objects,
} from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'

let key: string
beforeAll(async () => {
  key = (await createCustomer()).api_key
})

/**
 * Sends an invalid event alone and in a batch. Expects that both requests refuse the event for the same reason, and
 * that no balance changes.
 */
async function expectEventRefused(event: unknown, path: string, message: RegExp = /./): Promise<void> {
  const text = typeof event === 'string' ? event : JSON.stringify(event)
  const [alone, batch] = await expectNothingMoved(key, async () => [
    await ingest(key, text),
    await ingested(key, `{"events":[${text}]}`),
  ])
  const problem = await expectInvalid(alone, path, message)
  expect(batch).toMatchObject({
    accepted: 0,
    duplicates: 0,
    rejected: 1,
    credits_burned: 0,
    balance_after: null,
  })
  expect(objects(batch.results)).toEqual([
    {
      index: 0,
      id: null,
      status: 'rejected',
      credits_burned: 0,
      balance_after: null,
      error: { code: 'invalid_request', detail: problem.detail },
    },
  ])
}

/** Returns a valid event as JSON, in which the text `raw` replaces the value of one field. */
function withRaw(field: string, raw: string): string {
  const { [field]: _, ...others }: Record<string, unknown> = GPT_4O
  return `${JSON.stringify(others).slice(0, -1)},${JSON.stringify(field)}:${raw}}`
}

describe('a count of tokens', () => {
  const bad: [what: string, raw: string, message: RegExp][] = [
    ['-1', '-1', /negative/],
    ['-1e300', '-1e300', /./],
    ['1.5', '1.5', /whole number/],
    ['1e-9', '1e-9', /whole number/],
    ['1e300', '1e300', /at most 10000000000000/],
    ['1e13 + 1', '10000000000001', /at most 10000000000000/],
    ['1e999', '1e999', /./],
    ['"1000"', '"1000"', /whole number/],
    ['"NaN"', '"NaN"', /whole number/],
    ['"Infinity"', '"Infinity"', /whole number/],
    ['true', 'true', /whole number/],
    ['[1000]', '[1000]', /whole number/],
    ['{}', '{}', /whole number/],
  ]
  it.each(bad)('is not %s', async (_, raw, message) => {
    await expectEventRefused(withRaw('input_tokens', raw), '/input_tokens', message)
    await expectEventRefused(withRaw('output_tokens', raw), '/output_tokens', message)
    await expectEventRefused(
      withRaw('usage', `{"cache_read_tokens":${raw}}`),
      '/usage/cache_read_tokens',
      message,
    )
    await expectEventRefused(withRaw('image_count', raw), '/image_count', message)
  })

  it.each(['NaN', 'Infinity', '-Infinity', '0x10', '1_000', '01', '+1', '.5', "'1'"])(
    'is not %s, which is not JSON',
    async (raw) => {
      const response = await expectNothingMoved(key, () => ingest(key, withRaw('input_tokens', raw)))
      await expectRefused(response, 400, 'invalid_json')
    },
  )
})

describe('a number of seconds or of units', () => {
  const bad: [what: string, raw: string, message: RegExp][] = [
    ['negative', '-0.1', /negative/],
    ['7 decimals', '0.1234567', /6 decimals/],
    ['1e300', '1e300', /at most/],
    ['text', '"5"', /number/],
  ]
  it.each(bad)('is not %s', async (_, raw, message) => {
    await expectEventRefused(withRaw('duration_seconds', raw), '/duration_seconds', message)
    await expectEventRefused(withRaw('quantity', raw), '/quantity', message)
    await expectEventRefused(withRaw('usage', `{"audio_seconds":${raw}}`), '/usage/audio_seconds', message)
    await expectEventRefused(withRaw('usage', `{"custom":{"pages":${raw}}}`), '/usage/custom/pages', message)
  })

  const units: [what: string, unit: string][] = [
    ['capitals', 'Pages'],
    ['a digit first', '2pages'],
    ['a dash', 'api-calls'],
    ['65 characters', 'x'.repeat(65)],
    ['nothing', ''],
    ['a unit that providers bill', 'input_tokens'],
    ['another one', 'web_searches'],
  ]
  it.each(units)('is not of a unit with %s', async (_, unit) => {
    await expectEventRefused({ ...GPT_4O, unit, quantity: 1 }, '/unit')
    await expectEventRefused({ ...GPT_4O, usage: { custom: { [unit]: 1 } } }, `/usage/custom/${unit}`)
  })

  it('is of at most 20 units', async () => {
    const custom = Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`unit_${i}`, 1]))
    await expectEventRefused({ ...GPT_4O, usage: { custom } }, '/usage/custom', /20 units/)
  })
})

describe('an id', () => {
  const bad: [what: string, id: unknown, message: RegExp][] = [
    ['300 characters', 'x'.repeat(300), /1 to 255 characters/],
    ['256 emoji', '🦊'.repeat(256), /1 to 255 characters/],
    ['nothing', '', /1 to 255 characters/],
    ['NUL', 'a\u0000b', /control characters/],
    ['a line break', 'a\nb', /control characters/],
    ['DEL', 'a\u007fb', /control characters/],
    ['a C1 control', 'a\u0085b', /control characters/],
    ['half an emoji', '\ud83e', /surrogates/],
    ['a number', 5, /string/],
    ['a list', ['a'], /string/],
    ['an object', { id: 'a' }, /string/],
  ]
  const fields = [
    'feature_id',
    'user_id',
    'team_id',
    'provider',
    'model',
    'service_tier',
    'region',
    'image_size',
    'quality',
    'provider_api',
  ]
  it.each(bad)('is not %s', async (_, id, message) => {
    for (const field of fields) await expectEventRefused({ ...GPT_4O, [field]: id }, `/${field}`, message)
  })

  it('is not null where it is required', async () => {
    await expectEventRefused({ ...GPT_4O, feature_id: null }, '/feature_id', /string/)
  })
})

describe('an event type', () => {
  it.each([
    ['missing', undefined],
    ['in lower case', 'token_usage'],
    ['of its own', 'MAGIC'],
    ['null', null],
    ['a number', 1],
    ['toString', 'toString'],
  ])('is not %s', async (_, event_type) => {
    await expectEventRefused({ ...GPT_4O, event_type }, '/event_type')
  })
})

describe('an unknown field', () => {
  it.each([
    'colour',
    'Feature_id',
    'featureId',
    'tokens',
    'hold',
    '',
    'a/b',
    'constructor',
    'toString',
    'hasOwnProperty',
    '__proto__',
  ])('is refused by its name: %j', async (name) => {
    const pointer = `/${name.replaceAll('/', '~1')}`
    await expectEventRefused(withRaw(name, '1'), pointer, /unknown field/)
    await expectEventRefused(
      withRaw('usage', `{${JSON.stringify(name)}:1}`),
      `/usage${pointer}`,
      /unknown field/,
    )
  })

  it('is listed with at most 50 others', async () => {
    const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`field_${i}`, i]))
    const problem = await expectInvalid(
      await ingest(key, { ...GPT_4O, ...many }),
      '/field_0',
      /unknown field/,
    )
    expect(objects(problem.errors)).toHaveLength(50)
  })

  it('of a long name is named by its beginning', async () => {
    const problem = await expectRefused(
      await ingest(key, { ...GPT_4O, ['🦊'.repeat(50_000)]: 1 }),
      400,
      'invalid_request',
    )
    expect(String(problem.detail).length).toBeLessThan(300)
  })
})

describe('metadata', () => {
  const bad: [what: string, metadata: unknown, message: RegExp][] = [
    ['51 keys', Object.fromEntries(Array.from({ length: 51 }, (_, i) => [i, 1])), /50 keys/],
    ['more than 16 KB', { text: 'x'.repeat(16 * 1024 - '{"text":""}'.length + 1) }, /16384 bytes/],
    ['more than 16 KB of emoji', { text: '🦊'.repeat(4100) }, /16384 bytes/],
    ['a list', [], /object/],
    ['text', 'a', /object/],
    ['a number', 1, /object/],
  ]
  it.each(bad)('is not %s', async (_, metadata, message) => {
    await expectEventRefused({ ...GPT_4O, metadata }, '/metadata', message)
  })
})

describe('a body', () => {
  const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

  it('may be 64 levels deep, all of it metadata', async () => {
    expect((await ingest(key, withRaw('metadata', nested(63)))).status).toBe(200)
  })

  const bad: [what: string, body: string, code: string][] = [
    ['65 levels deep', withRaw('metadata', nested(64)), 'invalid_json'],
    [
      'a million levels deep',
      withRaw('metadata', `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`),
      'invalid_json',
    ],
    ['cut off', JSON.stringify(GPT_4O).slice(0, -1), 'invalid_json'],
    ['two objects', `${JSON.stringify(GPT_4O)}${JSON.stringify(GPT_4O)}`, 'invalid_json'],
    ['XML', '<event/>', 'invalid_json'],
    ['a list', JSON.stringify([GPT_4O]), 'invalid_request'],
    ['text', '"event"', 'invalid_request'],
    ['null', 'null', 'invalid_request'],
    ['a number', '5', 'invalid_request'],
    ['an empty object', '{}', 'invalid_request'],
    ['nothing', '', 'invalid_request'],
  ]
  it.each(bad)('is not %s', async (_, body, code) => {
    const response = await expectNothingMoved(key, () => ingest(key, body))
    await expectRefused(response, 400, code)
  })

  it('of 5 MB gets a 413 with any content-length', async () => {
    const body = withRaw('metadata', `{"text":"${'x'.repeat(5_000_000)}"}`)
    await expectRefused(await expectNothingMoved(key, () => ingest(key, body)), 413, 'body_too_large')
  })

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    '',
  ])('of type %j is a 415', async (type) => {
    const response = await expectNothingMoved(key, () => ingest(key, GPT_4O, { 'Content-Type': type }))
    await expectRefused(response, 415, 'unsupported_media_type')
  })

  it('may name its charset', async () => {
    expect((await ingest(key, GPT_4O, { 'Content-Type': 'application/json; charset=utf-8' })).status).toBe(
      200,
    )
  })

  it('uses the last of two fields with one name, as usual in JSON', async () => {
    const text = `{"input_tokens":5,${JSON.stringify(GPT_4O).slice(1)}`
    expect(await ingested(key, text)).toMatchObject({ credits_burned: 15 })
  })
})

describe('a question about events', () => {
  const bad: [what: string, query: string, path: string][] = [
    ['a limit of 0', 'limit=0', '/limit'],
    ['a limit of 101', 'limit=101', '/limit'],
    ['half a limit', 'limit=1.5', '/limit'],
    ['a limit in words', 'limit=ten', '/limit'],
    ['two limits', 'limit=1&limit=2', '/limit'],
    ['an invented cursor', 'cursor=abc', '/cursor'],
    ['an empty cursor', 'cursor=', '/cursor'],
    ['a negative cursor', 'cursor=c-1', '/cursor'],
    ['an unknown filter', 'colour=red', '/colour'],
    ['an unknown event type', 'event_type=MAGIC', '/event_type'],
    ['a time without an offset', 'from=2026-01-01T00:00:00', '/from'],
    ['a date', 'to=2026-01-01', '/to'],
    ['unrated that is neither', 'unrated=yes', '/unrated'],
    ['an empty user', 'user_id=', '/user_id'],
    ['NUL in a user', 'user_id=a%00', '/user_id'],
    ['a user of 300 characters', `user_id=${'x'.repeat(300)}`, '/user_id'],
  ]
  it.each(bad)('is a 400 with %s', async (_, query, path) => {
    await expectInvalid(await api(`/v1/events?${query}`, { key }), path)
  })

  it.each([
    'evt_1',
    'evt_',
    'x',
    '__proto__',
    'evt_00000000000000000000000000',
    'EVT_01m82mjwpy00000002f33cw0vv',
    '..%2f..%2fetc',
  ])('is a 404 for the id %s', async (id) => {
    await expectRefused(await api(`/v1/events/${id}`, { key }), 404, 'not_found')
  })

  it('is a 400 for an id with a control character', async () => {
    await expectInvalid(await api('/v1/events/%00', { key }), '/id')
  })

  it('is a 404 for an invented id that contains a real one', async () => {
    const { id } = await ingested(key, GPT_4O)
    const real = String(id)
    expect((await api(`/v1/events/${real}`, { key })).status).toBe(200)
    for (const made_up of [
      real.replace('evt_', 'txn_'),
      `${real}0`,
      real.slice(0, -1),
      real.toUpperCase(),
      real.replace(/^evt_./, 'evt_1'),
    ]) {
      await expectRefused(await api(`/v1/events/${made_up}`, { key }), 404, 'not_found')
    }
  })

  it('of a method that the path does not have is a 404 or a 405 with a problem document', async () => {
    const response = await api('/v1/events/ingest', { key, method: 'DELETE' })
    expect([404, 405]).toContain(response.status)
    expect(await jsonOf(response)).toHaveProperty('code')
  })
})
