import { beforeAll, expect, it } from 'vitest'
import { api } from '../support/api.ts'
import { expectInvalid, expectRefused, type Json, listed } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { entitled, postEntitlement, put } from './support.ts'

let key: string
let id: string
beforeAll(async () => {
  key = (await createCustomer()).api_key
  id = await entitled(key)
})

const LIMIT = { limit_type: 'HARD', limit_value: 1, period: 'DAILY' }
const NOT_AN_AMOUNT = 'must be a number, or a string with a plain decimal'

/** The invalid rules of an entitlement, which both POST and PUT refuse. */
const rules: [what: string, fields: Json, path: string, message: string][] = [
  ['no limit_type', { limit_type: undefined }, '/limit_type', 'required'],
  ['an unknown limit_type', { limit_type: 'hard' }, '/limit_type', 'must be one of'],
  ['a limit without a period', { ...LIMIT, period: undefined }, '/period', 'required with limit_value'],
  [
    'a SOFT limit without a period',
    { ...LIMIT, limit_type: 'SOFT', period: undefined },
    '/period',
    'required',
  ],
  ['HARD without a limit', { ...LIMIT, limit_value: undefined }, '/limit_value', 'required with HARD'],
  ['SOFT without a limit', { limit_type: 'SOFT', period: 'DAILY' }, '/limit_value', 'required with SOFT'],
  ['a negative limit', { ...LIMIT, limit_value: -1 }, '/limit_value', 'must not be negative'],
  ['a negative limit in a string', { ...LIMIT, limit_value: '-1' }, '/limit_value', 'must not be negative'],
  ['7 decimals of credits', { ...LIMIT, limit_value: '0.0000001' }, '/limit_value', 'at most 6 decimals'],
  [
    '13 decimals of USD',
    { ...LIMIT, unit: 'usd', limit_value: '0.0000000000001' },
    '/limit_value',
    'at most 12 decimals',
  ],
  ['half a token', { ...LIMIT, unit: 'tokens', limit_value: 0.5 }, '/limit_value', 'must be a whole number'],
  [
    'half an event',
    { ...LIMIT, unit: 'events', limit_value: '1.5' },
    '/limit_value',
    'must be a whole number',
  ],
  ['more than 8e9 credits', { ...LIMIT, limit_value: 9e9 }, '/limit_value', 'must be at most 8000000000'],
  [
    'more than 8e9 USD',
    { ...LIMIT, unit: 'usd', limit_value: '8000000000.01' },
    '/limit_value',
    'must be at most 8000000000',
  ],
  [
    'more than 1e13 tokens',
    { ...LIMIT, unit: 'tokens', limit_value: 1e14 },
    '/limit_value',
    'must be at most 10000000000000',
  ],
  ['a limit in words', { ...LIMIT, limit_value: 'many' }, '/limit_value', NOT_AN_AMOUNT],
  ['a limit with an exponent in a string', { ...LIMIT, limit_value: '1e3' }, '/limit_value', NOT_AN_AMOUNT],
  ['a limit of null', { ...LIMIT, limit_value: null }, '/limit_value', 'required'],
  [
    'a wrong limit of a row that has none',
    { limit_type: 'NONE', limit_value: -1 },
    '/limit_value',
    'must not be negative',
  ],
  ['an unknown unit', { ...LIMIT, unit: 'euros' }, '/unit', 'must be one of'],
  ['an unknown period', { ...LIMIT, period: 'YEARLY' }, '/period', 'must be one of'],
  [
    'an anchor without a period',
    { limit_type: 'NONE', anchor: '2026-01-31T00:00:00Z' },
    '/period',
    'required with anchor',
  ],
  [
    'an anchor of TOTAL',
    { ...LIMIT, period: 'TOTAL', anchor: '2026-01-31T00:00:00Z' },
    '/anchor',
    'TOTAL has no windows',
  ],
  [
    'a time zone without a period',
    { limit_type: 'NONE', time_zone: 'Asia/Tokyo' },
    '/period',
    'required with',
  ],
  [
    'a time zone of TOTAL',
    { ...LIMIT, period: 'TOTAL', time_zone: 'Asia/Tokyo' },
    '/time_zone',
    'TOTAL has no windows',
  ],
  ['an unknown time zone', { ...LIMIT, time_zone: 'Europe/Nowhere' }, '/time_zone', 'IANA time zone'],
  ['an offset as a time zone', { ...LIMIT, time_zone: '+02:00' }, '/time_zone', 'IANA time zone'],
  ['ROLLING without a length', { ...LIMIT, period: 'ROLLING' }, '/rolling', 'required with ROLLING'],
  ['a length of DAILY', { ...LIMIT, rolling: { hours: 1 } }, '/rolling', 'requires the period ROLLING'],
  ['a length of nothing', { ...LIMIT, period: 'ROLLING', rolling: {} }, '/rolling', 'hours or days'],
  [
    'hours and days',
    { ...LIMIT, period: 'ROLLING', rolling: { hours: 1, days: 1 } },
    '/rolling',
    'hours or days',
  ],
  ['no hour', { ...LIMIT, period: 'ROLLING', rolling: { hours: 0 } }, '/rolling/hours', 'must be at least 1'],
  [
    'half an hour',
    { ...LIMIT, period: 'ROLLING', rolling: { hours: 0.5 } },
    '/rolling/hours',
    'must be a whole number',
  ],
  [
    'more than a month',
    { ...LIMIT, period: 'ROLLING', rolling: { days: 32 } },
    '/rolling/days',
    'must be at most 31',
  ],
  [
    '745 hours',
    { ...LIMIT, period: 'ROLLING', rolling: { hours: 745 } },
    '/rolling/hours',
    'must be at most 744',
  ],
  ['weeks', { ...LIMIT, period: 'ROLLING', rolling: { weeks: 1 } }, '/rolling/weeks', 'unknown field'],
  [
    'an anchor of ROLLING',
    { ...LIMIT, period: 'ROLLING', rolling: { hours: 1 }, anchor: '2026-01-31T00:00:00Z' },
    '/anchor',
    'fixed windows',
  ],
  [
    'a time zone of ROLLING',
    { ...LIMIT, period: 'ROLLING', rolling: { hours: 1 }, time_zone: 'Asia/Tokyo' },
    '/time_zone',
    'fixed windows',
  ],
  ['an anchor that is not a time', { ...LIMIT, anchor: 'monday' }, '/anchor', 'must be an RFC 3339 time'],
  [
    'an anchor that does not exist',
    { ...LIMIT, anchor: '2026-02-30T00:00:00Z' },
    '/anchor',
    'exists in the calendar',
  ],
  ['enabled in words', { limit_type: 'NONE', enabled: 'yes' }, '/enabled', 'must be true or false'],
  [
    'a value of 16 KB and more',
    { limit_type: 'NONE', value: 'x'.repeat(16 * 1024) },
    '/value',
    'at most 16384 bytes',
  ],
  ['metadata that is a list', { limit_type: 'NONE', metadata: [] }, '/metadata', 'must be an object'],
  ['an unknown field', { limit_type: 'NONE', limit: 5 }, '/limit', 'unknown field'],
  [
    'a user and a team',
    { limit_type: 'NONE', user_id: 'u', team_id: 't' },
    '/team_id',
    'cannot be combined with user_id',
  ],
  ['an empty user', { limit_type: 'NONE', user_id: '' }, '/user_id', '1 to 255'],
  ['a user of 256 characters', { limit_type: 'NONE', user_id: 'x'.repeat(256) }, '/user_id', '1 to 255'],
  ['a control character', { limit_type: 'NONE', team_id: 'a\nb' }, '/team_id', 'control characters'],
]

it.each(rules)('POST refuses %s', async (_, fields, path, message) => {
  await expectInvalid(await postEntitlement(key, { feature_id: 'bad', ...fields }), path, new RegExp(message))
})

it.each(rules)('PUT refuses %s', async (_, fields, path, message) => {
  await expectInvalid(await put(key, id, fields), path, new RegExp(message))
})

it('POST refuses a body without a feature', async () => {
  await expectInvalid(await postEntitlement(key, { limit_type: 'NONE' }), '/feature_id', 'required')
  await expectInvalid(
    await postEntitlement(key, { limit_type: 'NONE', feature_id: 'x'.repeat(256) }),
    '/feature_id',
  )
  await expectInvalid(await postEntitlement(key, { limit_type: 'NONE', feature_id: 7 }), '/feature_id')
})

it.each([
  ['?limit=0', '/limit'],
  ['?limit=101', '/limit'],
  ['?cursor=page2', '/cursor'],
  ['?user_id=u&team_id=t', '/team_id'],
  ['?feature_id=', '/feature_id'],
  ['?unit=credits', '/unit'],
])('the list refuses %s', async (query, path) => {
  await expectInvalid(await api(`/v1/entitlements${query}`, { key }), path)
})

it('no body, and one that is not JSON', async () => {
  await expectRefused(await api('/v1/entitlements', { key, method: 'POST' }), 400, 'invalid_json')
  await expectRefused(await api('/v1/entitlements', { key, body: '{' }), 400, 'invalid_json')
  await expectRefused(await api(`/v1/entitlements/${id}`, { key, method: 'PUT' }), 400, 'invalid_json')
})

it('after all refusals only the valid entitlement exists', async () => {
  expect((await listed(key, '/v1/entitlements')).map((row) => row.id)).toEqual([id])
})
