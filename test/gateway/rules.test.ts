import { afterEach, expect, it, vi } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { type Answer, CHAT, COMPLETION, chat, json, playProvider, stream, word } from './support.ts'

/** Tests that the rule of the burn table that determines the hold of a call also determines its charge. */

afterEach(() => {
  vi.restoreAllMocks()
})

/** Each token costs a credit by the rule, and much less by the provider's price. */
const ruleFor = (model: string) => ({
  match: { model },
  method: 'per_unit',
  rates: { input_tokens: { amount: 1, per: 1 }, output_tokens: { amount: 1, per: 1 } },
})

/** Makes a call of a customer whose burn table has these rules, and returns the model and the credits of its event. */
async function charged(asked: string, answer: Answer, rules: readonly object[] = [ruleFor(asked)]) {
  const { api_key } = await createCustomer()
  const table = { name: 'Rules', rules }
  expect((await api('/v1/burn-tables', { key: api_key, body: table })).status).toBe(201)
  playProvider(answer)
  const { response, settled } = await chat(api_key, { ...CHAT, model: asked, stream: true })
  await response.text()
  await settled()
  const { data } = await jsonOf(await api('/v1/events', { key: api_key }))
  if (!Array.isArray(data)) throw new Error('no events')
  const [{ model, credits_burned, unrated = false }] = data
  return { model, credits_burned, unrated }
}

const named = (model: string) => json({ ...COMPLETION, model })

it.each([
  ['gpt-4o', 'gpt-4o-2024-08-06', 'a dated version with the same price'],
  ['house-large', 'house-large-v2', 'another model without a price'],
  ['house-large', 'house-large', 'the same model'],
])('the rule for %s applies if the response names %s: %s', async (asked, reported) => {
  expect(await charged(asked, named(reported))).toEqual({ model: asked, credits_burned: 108, unrated: false })
})

it('the rule for the requested model applies to a stream that ends without its usage', async () => {
  const { model, credits_burned } = await charged('gpt-4o', stream(word('Hello'), word(' there')))
  expect(model).toBe('gpt-4o')
  expect(credits_burned).toBeGreaterThan(20)
})

it('the rule for the reported model applies if it has another price, or if nothing is held', async () => {
  const other = { model: 'gpt-4o-mini', credits_burned: 108, unrated: false }
  expect(await charged('gpt-4o', named('gpt-4o-mini'), [ruleFor('gpt-4o-mini')])).toEqual(other)
  const unheld = { model: 'house-large-v2', credits_burned: 108, unrated: false }
  const rules = [ruleFor('house-large-v2')]
  expect(await charged('house-large', named('house-large-v2'), rules)).toEqual(unheld)
})

it('a model without a price and without a rule is recorded by the name in the response', async () => {
  const unrated = { model: 'house-large-v2', credits_burned: 0, unrated: true }
  expect(await charged('house-large', named('house-large-v2'), [])).toEqual(unrated)
})

it('the rule for the requested model applies if nothing is held because its first tokens are free', async () => {
  const tier = { up_to: null, unit_amount: 1 }
  const rule = { method: 'tiered', mode: 'graduated', unit: 'output_tokens', free: 1_000_000, tiers: [tier] }
  const free = { model: 'house-large', credits_burned: 0, unrated: false }
  const rules = [{ ...rule, match: { model: 'house-large' } }]
  expect(await charged('house-large', named('house-large-v2'), rules)).toEqual(free)
})
