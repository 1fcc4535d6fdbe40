import { env } from 'cloudflare:workers'
import { afterEach, expect, it, vi } from 'vitest'
import { noteUse } from '../../src/gateway/answer.ts'
import { openCall } from '../../src/ledger/client/client.ts'
import { ZERO_CREDITS } from '../../src/pricing/money.ts'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { freshLedger, ledgersLosing } from '../support/ledgers.ts'
import { CALLER, eventItem } from '../support/messages.ts'
import { CHAT, COMPLETION, chat, END, json, playProvider, stream, word } from './support.ts'

/** Tests notes, which store the estimate of a running call in the ledger, and charges that the ledger does not get. */

afterEach(() => {
  vi.restoreAllMocks()
})

const events = async (key: string) => (await jsonOf(await api('/v1/events', { key }))).data
const lost = (times?: number) => ({ LEDGER: ledgersLosing('settleCall', times) })

it('a stream is charged its reported usage if the ledger can be reached again some seconds later', {
  timeout: 60_000,
}, async () => {
  const { api_key } = await createCustomer()
  playProvider(stream(word('Hello'), ...END))
  // Each of the four attempts of the first seconds has two calls.
  const { response, settled } = await chat(api_key, { ...CHAT, stream: true }, {}, lost(8))
  await response.text()
  await settled()
  expect(await events(api_key)).toMatchObject([{ usage: { input_tokens: 8, output_tokens: 100 } }])
})

it.each([{}, { 'Idempotency-Key': 'k1' }])(
  'a call is made with one hold if the reply to the request for the hold is lost: %j',
  async (headers) => {
    const { api_key } = await createCustomer()
    playProvider(json(COMPLETION))
    const variables = { LEDGER: ledgersLosing('openCall', 1, 'reply') }
    const { response, settled } = await chat(api_key, CHAT, headers, variables)
    await settled()
    expect(response.status).toBe(200)
    const { reserved_balance } = await jsonOf(await api('/v1/credits/balance', { key: api_key }))
    expect(reserved_balance).toBe(0)
  },
)

it('a response that is not a stream is refused if the ledger cannot be reached for some seconds', {
  timeout: 60_000,
}, async () => {
  const { api_key } = await createCustomer()
  vi.spyOn(console, 'error').mockImplementation(() => {})
  playProvider(json(COMPLETION))
  const { response, settled } = await chat(api_key, CHAT, {}, lost())
  await settled()
  expect([response.status, await events(api_key)]).toEqual([503, []])
})

it('an error in a whole response is delivered after some seconds if the ledger cannot be reached', {
  timeout: 60_000,
}, async () => {
  const { api_key } = await createCustomer()
  vi.spyOn(console, 'error').mockImplementation(() => {})
  playProvider(json({ error: { message: 'overloaded' } }))
  const sent_at_ms = Date.now()
  const { response, settled } = await chat(api_key, CHAT, {}, lost())
  expect([response.status, Date.now() - sent_at_ms < 15_000]).toEqual([200, true])
  await settled()
})

it('a note that the ledger refuses is logged with the code, and a note after the settlement is not', async () => {
  const ledger = await freshLedger(1_000_000)
  const { event: most } = eventItem(100_000)
  if (!most) throw new Error('an item without an event')
  const call = { caller: CALLER, feature_id: 'gateway', lifetime_ms: 60_000, most }
  const opened = await openCall(env, ledger.name, call)
  if (opened.kind === 'refused') throw new Error(JSON.stringify(opened.refusal))
  const { hold } = opened.answer
  const place = { env, ledger: ledger.name, hold, held: ZERO_CREDITS, unrated: false, key_id: CALLER.key_id }
  const log = vi.spyOn(console, 'error').mockImplementation(() => {})

  await noteUse(place, null, 60_000)
  await noteUse({ ...place, hold: { ...hold, number: hold.number + 1 } }, null, 60_000)
  expect(log).not.toHaveBeenCalled()

  await noteUse({ ...place, env: { ...env, LEDGER: ledgersLosing('noteCall') } }, null, 60_000)
  expect(log.mock.calls.map(([line]) => JSON.parse(String(line)))).toEqual([
    { level: 'error', event: 'gateway_call_not_noted', ...ledger.name, code: 'unavailable' },
  ])
  log.mockRestore()
})
