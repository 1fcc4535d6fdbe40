import { describe, expect, it } from 'vitest'
import { api, jsonOf, textField } from '../support/api.ts'
import { balanceOf, expectRefused, GPT_4O, ingested, type Json } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { flat, saved } from './support.ts'

const CALLS = { event_type: 'API_CALL', feature_id: 'api', unit: 'calls' }

const ok = async (response: Response): Promise<Json> => {
  const body = await jsonOf(response)
  if (!response.ok) throw new Error(JSON.stringify(body))
  return body
}

const hold = async (key: string, credits: number) =>
  textField(await ok(await api('/v1/holds', { key, body: { feature_id: 'api', credits } })), 'hold_id')

describe('holds under a burn table', () => {
  it('capture and settle events by it, and count their usage once', async () => {
    const { api_key: key } = await createCustomer()
    const tiers = [
      { up_to: 10, unit_amount: 2 },
      { up_to: null, unit_amount: 1 },
    ]
    await saved(key, { rules: [{ method: 'tiered', mode: 'graduated', unit: 'calls', tiers }] })
    const id = await hold(key, 100)
    const capture = { event: { ...CALLS, quantity: 8 } }
    const headers = { 'Idempotency-Key': 'capture' }
    for (let repeat = 0; repeat < 2; repeat++) {
      const answer = await ok(await api(`/v1/holds/${id}/capture`, { key, body: capture, headers }))
      expect(answer).toMatchObject({ captured: 16, remaining: 84 })
    }
    // The first tier has 2 calls left at 2 credits, so the other 4 calls cost 1 credit each.
    expect(await ingested(key, { ...CALLS, quantity: 6, hold_id: id })).toMatchObject({ credits_burned: 8 })
    expect(await ingested(key, { ...CALLS, quantity: 1 })).toMatchObject({ credits_burned: 1 })
    expect(await balanceOf(key)).toBe(10_000 - 16 - 8 - 1)
  })

  it('are sized by it, and refused where it refuses a model without a price', async () => {
    const { api_key: key } = await createCustomer()
    await saved(key, { rules: [flat(7, { feature: 'flat' })], on_unpriced: 'reject' })
    const { provider, model } = GPT_4O
    const sized = { feature_id: 'flat', provider, model, usage: { input_tokens: 10 }, max_output_tokens: 10 }
    expect(await ok(await api('/v1/holds', { key, body: sized }))).toMatchObject({ credits: 7 })
    const unknown = { ...sized, feature_id: 'other', model: 'imaginary' }
    await expectRefused(await api('/v1/holds', { key, body: unknown }), 422, 'unpriced_model')
  })

  it('survive an event of more USD than an entry can hold', async () => {
    const { api_key: key } = await createCustomer()
    const id = await hold(key, 100)
    await saved(key, { credits_per_usd: 0.000000000001, rules: [flat(1)] })
    const body = { event: { ...CALLS, quantity: 1 } }
    const answer = await ok(await api(`/v1/holds/${id}/capture`, { key, body }))
    expect(answer).toMatchObject({ captured: 1, balance_after: 9_999 })
  })
})
