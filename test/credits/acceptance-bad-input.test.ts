import { beforeAll, describe, expect, it } from 'vitest'
import { api, jsonOf, textField } from '../support/api.ts'
import {
  expectInvalid,
  expectNothingMoved,
  expectRefused,
  GPT_4O,
  granted,
  ingested,
  type Json,
  purchased,
} from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'

/**
 * Invalid requests to every route that moves credits, except grants and purchases, which `grants.test.ts` tests. Each
 * request is refused with a pointer to the invalid field, and changes no balance. All requests use one customer. The
 * wallet of user `u` starts with 100 credits, of which 15 are burned and 40 are held. The customer's wallet has the
 * sign-up grant.
 */

interface Ids {
  readonly hold: string
  readonly event: string
  readonly burn: string
  readonly purchase: string
  readonly refund: string
  readonly grant: string
  readonly recurring: string
}

let key: string
let customer_id: string
let ids: Ids
let theirs: Ids

beforeAll(async () => {
  const [mine, other] = await Promise.all([createCustomer(), createCustomer()])
  key = mine.api_key
  customer_id = mine.customer_id
  ids = await prepare(key)
  theirs = await prepare(other.api_key)
})

async function prepare(key: string): Promise<Ids> {
  const grant = await granted(key, { user_id: 'u', amount: 100 })
  const event = textField(await ingested(key, { ...GPT_4O, user_id: 'u' }), 'id')
  const open = await api('/v1/holds', { key, body: { feature_id: 'f', user_id: 'u', credits: 40 } })
  const purchase = textField(await purchased(key, { amount: 10, price_usd: 1 }), 'transaction_id')
  const refund = await api('/v1/credits/refund', { key, body: { transaction_id: purchase, amount: 1 } })
  const recurring = await granted(key, { amount: 1, recurring: { every: 'month' } })
  return {
    hold: textField(await jsonOf(open), 'hold_id'),
    event,
    burn: event.replace('evt_', 'txn_'),
    purchase,
    refund: textField(await jsonOf(refund), 'transaction_id'),
    grant: textField(grant, 'transaction_id'),
    recurring: textField(recurring, 'recurring_grant_id'),
  }
}

const send = (path: string, body: unknown, method = 'POST') =>
  expectNothingMoved(key, () => api(path, { key, method, ...(body !== undefined && { body }) }))

const BAD_AMOUNTS: readonly (readonly [name: string, amount: unknown, message: RegExp])[] = [
  ['negative', -1, /above 0/],
  ['zero', 0, /above 0/],
  ['of seven decimals', 0.0000001, /6 decimals/],
  ['over 9e9', 9_000_000_001, /at most 8000000000/],
  ['over 8e9 in text', '8000000000.000001', /at most 8000000000/],
  ['not a number', 'NaN', /plain decimal/],
]

const amountsOf: readonly (readonly [
  name: string,
  path: () => string,
  pointer: string,
  body: (amount: unknown) => Json,
])[] = [
  ['a refund', () => '/v1/credits/refund', '/amount', (amount) => ({ transaction_id: ids.burn, amount })],
  [
    'a transfer',
    () => '/v1/credits/transfer',
    '/amount',
    (amount) => ({ from: {}, to: { user_id: 'u' }, amount }),
  ],
  ['a hold', () => '/v1/holds', '/credits', (credits) => ({ feature_id: 'f', credits })],
  ['a capture', () => `/v1/holds/${ids.hold}/capture`, '/credits', (credits) => ({ credits })],
]

describe.each(amountsOf)('the amount of %s', (_, path, pointer, body) => {
  it.each(BAD_AMOUNTS)('may not be %s', async (_, amount, message) => {
    await expectInvalid(await send(path(), body(amount)), pointer, message)
  })
})

it('the amount of a transfer may not be null, since it is required', async () => {
  const body = { from: {}, to: { user_id: 'u' }, amount: null }
  await expectInvalid(await send('/v1/credits/transfer', body), '/amount', /plain decimal/)
})

describe('an adjustment', () => {
  const bad: readonly (readonly [name: string, fields: Json, pointer: string, message: RegExp])[] = [
    ['of zero', { amount: 0 }, '/amount', /not be 0/],
    ['of minus zero in text', { amount: '-0.000000' }, '/amount', /not be 0/],
    ['of seven decimals', { amount: -0.0000001 }, '/amount', /6 decimals/],
    ['over 9e9', { amount: 9_000_000_001 }, '/amount', /8000000000/],
    ['under -9e9', { amount: -9_000_000_001 }, '/amount', /8000000000/],
    ['without a reason', { reason: undefined }, '/reason', /required/],
    ['with an empty reason', { reason: '' }, '/reason', /./],
    ['of a user and a team', { team_id: 't' }, '/team_id', /cannot be combined with user_id/],
    ['with an unknown field', { kind: 'paid' }, '/kind', /unknown field/],
  ]
  it.each(bad)('%s', async (_, fields, pointer, message) => {
    const body = { user_id: 'u', amount: 1, reason: 'r', ...fields }
    await expectInvalid(await send('/v1/credits/adjust', body), pointer, message)
  })

  it('of a wallet that does not exist', async () => {
    for (const amount of [1, -1]) {
      const response = await send('/v1/credits/adjust', { user_id: 'nobody', amount, reason: 'r' })
      await expectRefused(response, 404, 'not_found')
    }
  })

  it('of more than the credits that are not held', async () => {
    const response = await send('/v1/credits/adjust', { user_id: 'u', amount: -45.000001, reason: 'r' })
    expect(await expectRefused(response, 402, 'insufficient_credits')).toMatchObject({
      balance: 85,
      available_balance: 45,
      required: 45.000001,
    })
  })

  it('above what a wallet can hold', async () => {
    const response = await send('/v1/credits/adjust', { user_id: 'u', amount: 8e9, reason: 'r' })
    await expectRefused(response, 409, 'conflict')
  })
})

describe('an overdraft limit', () => {
  const bad: readonly (readonly [name: string, fields: Json, pointer: string, message: RegExp])[] = [
    ['below zero', { overdraft_limit: -1 }, '/overdraft_limit', /negative/],
    ['of seven decimals', { overdraft_limit: '0.0000001' }, '/overdraft_limit', /6 decimals/],
    ['over 9e9', { overdraft_limit: 9e9 }, '/overdraft_limit', /8000000000/],
    ['that is missing', { overdraft_limit: undefined }, '/overdraft_limit', /required/],
    ['of a user and a team', { team_id: 't' }, '/team_id', /cannot be combined with user_id/],
    ['with an unknown field', { balance: 5 }, '/balance', /unknown field/],
  ]
  it.each(bad)('%s', async (_, fields, pointer, message) => {
    const body = { user_id: 'u', overdraft_limit: 1, ...fields }
    await expectInvalid(await send('/v1/credits/wallets', body, 'PATCH'), pointer, message)
  })
})

describe('a transfer', () => {
  it.each([
    ['the customer’s', {}],
    ['a user’s', { user_id: 'u' }],
    ['one that does not exist', { team_id: 'nobody' }],
  ])('to the same wallet: %s', async (_, wallet) => {
    const response = await send('/v1/credits/transfer', { from: wallet, to: wallet, amount: 1 })
    await expectInvalid(response, '/to', /same wallet/)
  })

  const bad: readonly (readonly [name: string, fields: Json, pointer: string, message: RegExp])[] = [
    ['from nowhere', { from: undefined }, '/from', /required/],
    ['to nowhere', { to: undefined }, '/to', /required/],
    [
      'from a user and a team',
      { from: { user_id: 'a', team_id: 'b' } },
      '/from/team_id',
      /cannot be combined with user_id/,
    ],
    [
      'to a user and a team',
      { to: { user_id: 'a', team_id: 'b' } },
      '/to/team_id',
      /cannot be combined with user_id/,
    ],
    ['to a wallet’s id', { to: { wallet_id: 'wal_1' } }, '/to/wallet_id', /unknown field/],
    ['to a customer', { to: { customer_id: 'cust_1' } }, '/to/customer_id', /unknown field/],
    ['to a user with a control character', { to: { user_id: 'a\n' } }, '/to/user_id', /control/],
  ]
  it.each(bad)('%s', async (_, fields, pointer, message) => {
    const body = { from: {}, to: { user_id: 'u' }, amount: 1, ...fields }
    await expectInvalid(await send('/v1/credits/transfer', body), pointer, message)
  })

  it('from a wallet that does not exist', async () => {
    const response = await send('/v1/credits/transfer', { from: { user_id: 'nobody' }, to: {}, amount: 1 })
    await expectRefused(response, 404, 'not_found')
  })

  it('of more credits than the wallet has creates no wallet', async () => {
    const response = await send('/v1/credits/transfer', { from: {}, to: { user_id: 'new' }, amount: 1e9 })
    await expectRefused(response, 402, 'insufficient_credits')
    await expectRefused(await api('/v1/credits/balance?user_id=new', { key }), 404, 'not_found')
  })
})

describe('a refund', () => {
  const unknown: readonly (readonly [name: string, id: () => string])[] = [
    ['nonsense', () => 'nonsense'],
    ['an unknown one', () => `${ids.burn.slice(0, 14)}zzzzzzzz${ids.burn.slice(22)}`],
    ['another customer’s burn', () => theirs.burn],
    ['another customer’s purchase', () => theirs.purchase],
    ['an event', () => ids.event],
    ['a hold', () => ids.hold],
    ['a lot', () => ids.purchase.replace('txn_', 'lot_')],
  ]
  it.each(unknown)('of %s is a 404', async (_, id) => {
    await expectRefused(await send('/v1/credits/refund', { transaction_id: id() }), 404, 'not_found')
  })

  const conflicts: readonly (readonly [name: string, body: () => Json])[] = [
    ['a refund', () => ({ transaction_id: ids.refund })],
    ['a grant', () => ({ transaction_id: ids.grant })],
    ['more than was burned', () => ({ transaction_id: ids.burn, amount: 15.000001 })],
    ['more than is left of a purchase', () => ({ transaction_id: ids.purchase, amount: 9.000001 })],
  ]
  it.each(conflicts)('of %s is a conflict', async (_, body) => {
    await expectRefused(await send('/v1/credits/refund', body()), 409, 'conflict')
  })

  it('without a transaction, or with an unknown field', async () => {
    await expectInvalid(await send('/v1/credits/refund', {}), '/transaction_id', /required/)
    const body = { transaction_id: ids.burn, user_id: 'u' }
    await expectInvalid(await send('/v1/credits/refund', body), '/user_id', /unknown field/)
  })
})

describe('a void', () => {
  it.each([
    ['nonsense', () => 'nonsense'],
    ['another customer’s event', () => theirs.event],
    ['a transaction', () => ids.burn],
    ['the event that a grant would be', () => ids.grant.replace('txn_', 'evt_')],
  ])('of %s is a 404', async (_, id) => {
    await expectRefused(await send(`/v1/events/${id()}/void`, {}), 404, 'not_found')
  })
})

describe('a recurring grant', () => {
  it.each([
    ['nonsense', () => 'nonsense'],
    ['another customer’s', () => theirs.recurring],
    ['a hold', () => ids.hold],
    ['the grant’s transaction', () => ids.grant],
  ])('that is %s is not cancelled', async (_, id) => {
    await expectRefused(
      await send(`/v1/credits/recurring-grants/${id()}`, undefined, 'DELETE'),
      404,
      'not_found',
    )
  })

  const bad: readonly (readonly [name: string, recurring: unknown, pointer: string])[] = [
    ['every hour', { every: 'hour' }, '/recurring/every'],
    ['without a period', {}, '/recurring/every'],
    ['in text', 'month', '/recurring'],
    ['with a negative rollover', { every: 'day', rollover_max: -1 }, '/recurring/rollover_max'],
    [
      'with a rollover of seven decimals',
      { every: 'day', rollover_max: '0.0000001' },
      '/recurring/rollover_max',
    ],
    ['with a rollover over 9e9', { every: 'day', rollover_max: 9e9 }, '/recurring/rollover_max'],
    ['with an unknown field', { every: 'day', until: '2030-01-01' }, '/recurring/until'],
  ]
  it.each(bad)('%s', async (_, recurring, pointer) => {
    await expectInvalid(await send('/v1/credits/grant', { amount: 1, recurring }), pointer)
  })

  it('is no purchase', async () => {
    const body = { amount: 1, price_usd: 1, recurring: { every: 'day' } }
    await expectInvalid(await send('/v1/credits/purchase', body), '/recurring', /unknown field/)
  })
})

describe('a hold', () => {
  const MODEL = { provider: 'OPENAI', model: 'gpt-4o', usage: { input_tokens: 1 } }
  const bad: readonly (readonly [name: string, fields: Json, pointer: string])[] = [
    ['of nothing', {}, '/credits'],
    ['without a feature', { credits: 1, feature_id: undefined }, '/feature_id'],
    ['for a day and a second', { credits: 1, expires_in_seconds: 86_401 }, '/expires_in_seconds'],
    ['for no time', { credits: 1, expires_in_seconds: 0 }, '/expires_in_seconds'],
    ['for half a second', { credits: 1, expires_in_seconds: 0.5 }, '/expires_in_seconds'],
    ['for a time in text', { credits: 1, expires_in_seconds: '60' }, '/expires_in_seconds'],
    ['of credits and a model', { credits: 1, ...MODEL }, '/credits'],
    ['of a model without usage', { ...MODEL, usage: undefined }, '/usage'],
    ['of usage without a model', { usage: { input_tokens: 1 } }, '/model'],
    ['of an unknown unit', { ...MODEL, usage: { words: 5 } }, '/usage/words'],
    ['of negative usage', { ...MODEL, usage: { input_tokens: -1 } }, '/usage/input_tokens'],
    ['of half a token', { ...MODEL, max_output_tokens: 1.5 }, '/max_output_tokens'],
    [
      'of a part larger than its whole',
      { ...MODEL, usage: { input_tokens: 1, cache_read_tokens: 2 } },
      '/usage/input_tokens',
    ],
    ['of usage that costs nothing', { ...MODEL, usage: { input_tokens: 0 } }, '/usage'],
    ['with an unknown field', { credits: 1, wallet_id: 'wal_1' }, '/wallet_id'],
  ]
  it.each(bad)('%s', async (_, fields, pointer) => {
    await expectInvalid(await send('/v1/holds', { feature_id: 'f', ...fields }), pointer)
  })

  it('of more credits than there are', async () => {
    const body = { feature_id: 'f', user_id: 'u', credits: 45.000001 }
    expect(await expectRefused(await send('/v1/holds', body), 402, 'insufficient_credits')).toMatchObject({
      balance: 85,
      available_balance: 45,
      required: 45.000001,
    })
  })

  const requests: readonly (readonly [name: string, method: string, path: string, body: unknown])[] = [
    ['read', 'GET', '', undefined],
    ['captured', 'POST', '/capture', { credits: 1 }],
    ['captured by event', 'POST', '/capture', { event: GPT_4O }],
    ['released', 'POST', '/release', {}],
    ['extended', 'POST', '/extend', { expires_in_seconds: 60 }],
  ]
  it.each(requests)('of another customer, or an unknown one, is not %s', async (_, method, path, body) => {
    const wrong = [theirs.hold, 'hold_x', ids.recurring.replace('rg_', 'hold_'), ids.recurring, ids.burn]
    // Adds a hold id whose number the ledger has not assigned yet.
    wrong.push(`${ids.hold.slice(0, 15)}zzzzzzzz${ids.hold.slice(23)}`)
    for (const id of wrong) {
      const response = await send(`/v1/holds/${id}${path}`, body, method)
      if (id === wrong[2]) expect([404, 409]).toContain(response.status)
      else await expectRefused(response, 404, 'not_found')
    }
  })

  const captures: readonly (readonly [name: string, body: Json, pointer: string])[] = [
    ['of nothing', {}, '/credits'],
    ['of credits and an event', { credits: 1, event: GPT_4O }, '/credits'],
    ['that is perhaps final', { credits: 1, final: 'yes' }, '/final'],
    [
      'of an event with a key of its own',
      { event: { ...GPT_4O, idempotency_key: 'k' } },
      '/event/idempotency_key',
    ],
    ['of an event that settles a hold', { event: { ...GPT_4O, hold_id: 'hold_x' } }, '/event/hold_id'],
    ['of half an event', { event: { event_type: 'TOKEN_USAGE' } }, '/event/feature_id'],
    [
      'of an event of the past century',
      { event: { ...GPT_4O, timestamp: '1999-12-31T23:59:59Z' } },
      '/event/timestamp',
    ],
    ['with an unknown field', { credits: 1, amount: 1 }, '/amount'],
  ]
  it.each(captures)('and its capture: %s', async (_, body, pointer) => {
    await expectInvalid(await send(`/v1/holds/${ids.hold}/capture`, body), pointer)
  })

  it('and its capture by an event of another customer, or of an unknown provider', async () => {
    const path = `/v1/holds/${ids.hold}/capture`
    const other = { event: { ...GPT_4O, customer_id: 'cust_other' } }
    await expectRefused(await send(path, other), 403, 'customer_mismatch')
    const unknown = { event: { ...GPT_4O, provider: 'NOBODY' } }
    await expectRefused(await send(path, unknown), 422, 'unknown_provider')
  })

  it.each([
    ['beyond a day', 86_401],
    ['by nothing', 0],
    ['backwards', -1],
    ['by text', '60'],
    ['by no field', undefined],
  ])('is not extended %s', async (_, expires_in_seconds) => {
    const response = await send(`/v1/holds/${ids.hold}/extend`, { expires_in_seconds })
    await expectInvalid(response, '/expires_in_seconds')
  })

  it('is not released with a field', async () => {
    const response = await send(`/v1/holds/${ids.hold}/release`, { credits: 1 })
    await expectInvalid(response, '/credits', /unknown field/)
  })
})

describe('a list', () => {
  const bad: readonly (readonly [path: string, pointer: string])[] = [
    ['/v1/holds?limit=0', '/limit'],
    ['/v1/holds?limit=101', '/limit'],
    ['/v1/holds?cursor=nonsense', '/cursor'],
    ['/v1/holds?user_id=a&team_id=b', '/team_id'],
    ['/v1/holds?status=open', '/status'],
    ['/v1/credits/lots?user_id=a&team_id=b', '/team_id'],
    ['/v1/credits/lots?limit=101', '/limit'],
    ['/v1/credits/lots?cursor=c5', '/cursor'],
    [
      `/v1/credits/lots?cursor=${Buffer.from('[1,50,null,"promo",1.5,null]').toString('base64url')}`,
      '/cursor',
    ],
    ['/v1/credits/recurring-grants?limit=0', '/limit'],
    ['/v1/credits/recurring-grants?cursor=nonsense', '/cursor'],
    ['/v1/credits/balance?wallet_id=wal_1', '/wallet_id'],
    ['/v1/credits/recurring-grants?user_id=a&team_id=b', '/team_id'],
    ['/v1/credits/recurring-grants?every=day', '/every'],
  ]
  it.each(bad)('is refused with %s', async (path, pointer) => {
    await expectInvalid(await api(path, { key }), pointer)
  })
})

describe('a key', () => {
  const writes: readonly (readonly [name: string, method: string, path: () => string, body: unknown])[] = [
    ['grant', 'POST', () => '/v1/credits/grant', { amount: 1 }],
    ['purchase', 'POST', () => '/v1/credits/purchase', { amount: 1, price_usd: 1 }],
    ['refund', 'POST', () => '/v1/credits/refund', { transaction_id: 'txn_x' }],
    ['transfer', 'POST', () => '/v1/credits/transfer', { from: {}, to: { user_id: 'u' }, amount: 1 }],
    ['adjust', 'POST', () => '/v1/credits/adjust', { amount: 1, reason: 'r' }],
    ['set an overdraft', 'PATCH', () => '/v1/credits/wallets', { overdraft_limit: 1 }],
    ['stop a grant', 'DELETE', () => `/v1/credits/recurring-grants/${ids.recurring}`, undefined],
    ['hold', 'POST', () => '/v1/holds', { feature_id: 'f', credits: 1 }],
    ['capture', 'POST', () => `/v1/holds/${ids.hold}/capture`, { credits: 1 }],
    ['release', 'POST', () => `/v1/holds/${ids.hold}/release`, {}],
    ['extend', 'POST', () => `/v1/holds/${ids.hold}/extend`, { expires_in_seconds: 60 }],
    ['void', 'POST', () => `/v1/events/${ids.event}/void`, {}],
  ]
  it.each(writes)('that may only read must not %s', async (_, method, path, body) => {
    const { api_key: reads } = await createKey(customer_id, { scopes: ['credits:read'] })
    const response = await expectNothingMoved(key, () =>
      api(path(), { key: reads, method, ...(body !== undefined && { body }) }),
    )
    expect(await expectRefused(response, 403, 'insufficient_scope')).toMatchObject({
      detail: expect.stringContaining('credits:write'),
    })
  })
})
