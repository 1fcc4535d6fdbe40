import { beforeAll, describe, expect, it } from 'vitest'
import { api } from '../support/api.ts'
import {
  balanceOf,
  expectRefused,
  GPT_4O,
  granted,
  ingest,
  ingested,
  type Json,
  listed,
  read,
} from '../support/client.ts'
import { createCustomer, unique } from '../support/customers.ts'

/** The ids of users and teams with a wallet. The `rich` ones have credits, and the `empty` ones have none left. */
interface Wallets {
  readonly rich_user: string
  readonly empty_user: string
  readonly rich_team: string
  readonly empty_team: string
}

let key: string
let wallets: Wallets
beforeAll(async () => {
  key = (await createCustomer()).api_key
  wallets = {
    rich_user: unique('rich'),
    empty_user: unique('empty'),
    rich_team: unique('rich'),
    empty_team: unique('empty'),
  }
  const { rich_user, empty_user, rich_team, empty_team } = wallets
  await granted(key, { user_id: rich_user, amount: 1000 })
  await granted(key, { team_id: rich_team, amount: 1000 })
  await granted(key, { user_id: empty_user, amount: 15 })
  await granted(key, { team_id: empty_team, amount: 15 })
  await ingested(key, { ...GPT_4O, user_id: empty_user })
  await ingested(key, { ...GPT_4O, team_id: empty_team })
})

async function walletId(query: string): Promise<unknown> {
  return (await read(key, `/v1/credits/balance${query}`)).wallet_id
}

type Subject = (wallets: Wallets) => { readonly user_id?: string; readonly team_id?: string }

describe('an event burns', () => {
  const paying: [who: string, subject: Subject, wallet: (wallets: Wallets) => string][] = [
    ['the customer’s wallet, when it names no subject', () => ({}), () => ''],
    ['the user’s', (w) => ({ user_id: w.rich_user }), (w) => `?user_id=${w.rich_user}`],
    ['the team’s', (w) => ({ team_id: w.rich_team }), (w) => `?team_id=${w.rich_team}`],
    [
      'the team’s rather than the user’s',
      (w) => ({ user_id: w.rich_user, team_id: w.rich_team }),
      (w) => `?team_id=${w.rich_team}`,
    ],
    [
      'the team’s, though the user’s is empty',
      (w) => ({ user_id: w.empty_user, team_id: w.rich_team }),
      (w) => `?team_id=${w.rich_team}`,
    ],
    [
      'the user’s, when the team has none',
      (w) => ({ user_id: w.rich_user, team_id: 'no-such-team' }),
      (w) => `?user_id=${w.rich_user}`,
    ],
    ['the customer’s, when the user has none', () => ({ user_id: 'no-such-user' }), () => ''],
    [
      'the customer’s, when neither has one',
      () => ({ user_id: 'no-such-user', team_id: 'no-such-team' }),
      () => '',
    ],
    [
      'the customer’s, for a user who is named like a team with a wallet',
      (w) => ({ user_id: w.rich_team }),
      () => '',
    ],
  ]
  it.each(paying)('%s', async (_, subject, wallet) => {
    const query = wallet(wallets)
    const before = Number(await balanceOf(key, query))
    const answer = await ingested(key, { ...GPT_4O, ...subject(wallets) })
    expect(answer).toMatchObject({ wallet_id: await walletId(query), balance_after: before - 15 })
    expect(await balanceOf(key, query)).toBe(before - 15)
  })

  const refused: [who: string, subject: Subject, wallet: (wallets: Wallets) => string][] = [
    ['a user whose wallet is empty', (w) => ({ user_id: w.empty_user }), (w) => `?user_id=${w.empty_user}`],
    ['a team whose wallet is empty', (w) => ({ team_id: w.empty_team }), (w) => `?team_id=${w.empty_team}`],
    [
      'an empty team of a rich user',
      (w) => ({ user_id: w.rich_user, team_id: w.empty_team }),
      (w) => `?team_id=${w.empty_team}`,
    ],
    [
      'an empty user of a team without a wallet',
      (w) => ({ user_id: w.empty_user, team_id: 'no-such-team' }),
      (w) => `?user_id=${w.empty_user}`,
    ],
  ]
  it.each(refused)('no other wallet instead of %s', async (_, subject, wallet) => {
    const all = ['', `?user_id=${wallets.rich_user}`, `?team_id=${wallets.rich_team}`]
    const before = await Promise.all(all.map((query) => balanceOf(key, query)))
    const problem = await expectRefused(
      await ingest(key, { ...GPT_4O, ...subject(wallets) }),
      402,
      'insufficient_credits',
    )
    expect(problem).toMatchObject({
      wallet_id: await walletId(wallet(wallets)),
      balance: 0,
      available_balance: 0,
      required: 15,
    })
    expect(await Promise.all(all.map((query) => balanceOf(key, query)))).toEqual(before)
  })

  it('an empty wallet when it costs nothing', async () => {
    const event = { ...GPT_4O, user_id: wallets.empty_user, input_tokens: 0, output_tokens: 0 }
    expect(await ingested(key, event)).toMatchObject({ credits_burned: 0, balance_after: 0 })
  })
})

describe('a user who is only mentioned', () => {
  it('has no wallet, and gets one by a grant', async () => {
    const user_id = unique('mentioned')
    await ingested(key, { ...GPT_4O, user_id })
    await expectRefused(await api(`/v1/credits/balance?user_id=${user_id}`, { key }), 404, 'not_found')
    await granted(key, { user_id, amount: 20 })
    expect(await ingested(key, { ...GPT_4O, user_id })).toMatchObject({ balance_after: 5 })
    const burns = (row: Json) => ({ type: row.type, balance_after: row.balance_after })
    expect((await listed(key, '/v1/credits/transactions', `?user_id=${user_id}`)).map(burns)).toEqual([
      { type: 'BURN', balance_after: 5 },
      { type: 'GRANT', balance_after: 20 },
    ])
  })
})

describe('the order in which lots are burned', () => {
  it('is priority, then expiry, then promo before paid, then age', async () => {
    const user_id = unique('lots')
    const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString()
    const lots = [
      { name: 'paid, never expires', amount: 15, kind: 'paid' },
      { name: 'promo, never expires, older', amount: 15 },
      { name: 'promo, never expires, younger', amount: 15 },
      { name: 'expires later', amount: 15, expires_at: inDays(20) },
      { name: 'paid, expires sooner', amount: 15, kind: 'paid', expires_at: inDays(10) },
      { name: 'comes last', amount: 15, priority: 51, expires_at: inDays(1) },
      { name: 'comes first', amount: 15, priority: 0, kind: 'paid' },
    ]
    const names = new Map<unknown, string>()
    for (const { name, ...lot } of lots) names.set((await granted(key, { user_id, ...lot })).lot_id, name)
    const expected = [
      'comes first',
      'paid, expires sooner',
      'expires later',
      'promo, never expires, older',
      'promo, never expires, younger',
      'paid, never expires',
      'comes last',
    ]
    const listedLots = await listed(key, '/v1/credits/lots', `?user_id=${user_id}`)
    expect(listedLots.map(({ lot_id }) => names.get(lot_id))).toEqual(expected)

    const burned: unknown[] = []
    for (const _ of expected) {
      const { id } = await ingested(key, { ...GPT_4O, user_id })
      const [burn] = await listed(key, '/v1/credits/transactions', `?user_id=${user_id}&limit=1&type=BURN`)
      expect(burn).toMatchObject({ event_id: id, lots: [{ lot_id: expect.any(String), amount: -15 }] })
      burned.push(names.get(Array.isArray(burn?.lots) ? burn.lots[0]?.lot_id : undefined))
    }
    expect(burned).toEqual(expected)
    expect(await listed(key, '/v1/credits/lots', `?user_id=${user_id}`)).toEqual([])
    await expectRefused(await ingest(key, { ...GPT_4O, user_id }), 402, 'insufficient_credits')
  })

  it('lets one burn empty several', async () => {
    const user_id = unique('several')
    const first = await granted(key, { user_id, amount: '0.000001' })
    const second = await granted(key, { user_id, amount: 14 })
    const third = await granted(key, { user_id, amount: 2 })
    expect(await ingested(key, { ...GPT_4O, user_id })).toMatchObject({ balance_after: 1.000001 })
    const [burn] = await listed(key, '/v1/credits/transactions', `?user_id=${user_id}&type=BURN`)
    expect(burn?.lots).toEqual([
      { lot_id: first.lot_id, amount: -0.000001 },
      { lot_id: second.lot_id, amount: -14 },
      { lot_id: third.lot_id, amount: -0.999999 },
    ])
    expect(await listed(key, '/v1/credits/lots', `?user_id=${user_id}`)).toEqual([
      expect.objectContaining({ lot_id: third.lot_id, amount: 2, remaining: 1.000001 }),
    ])
  })
})
