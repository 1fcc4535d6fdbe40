import { expect, it } from 'vitest'
import { granted, ingest, ingested, objects } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'

/** An event whose input tokens cost 2.5 million USD, which are 5,000,000,000 credits with the default burn table. */
const FIVE_BILLION = {
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  provider: 'OPENAI',
  model: 'gpt-4o',
  input_tokens: 1_000_000_000_000,
} as const

it('a batch may burn more from its wallets together than one of them can hold, and is replayed', async () => {
  const { api_key } = await createCustomer()
  for (const user_id of ['ann', 'bob']) await granted(api_key, { user_id, amount: 8_000_000_000 })
  const events = ['ann', 'bob'].map((user_id) => ({ ...FIVE_BILLION, user_id }))
  const answer = await ingested(api_key, { events }, { 'Idempotency-Key': 'a large batch' })
  expect(answer).toMatchObject({ accepted: 2, credits_burned: 10_000_000_000, balance_after: 3_000_000_000 })
  expect(objects(answer.results).map(({ credits_burned }) => credits_burned)).toEqual([5e9, 5e9])

  const repeated = await ingest(api_key, { events }, { 'Idempotency-Key': 'a large batch' })
  expect(repeated.headers.get('Idempotency-Replayed')).toBe('true')
  expect(await repeated.json()).toEqual(answer)
})
