import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { ingest } from '../../src/ledger/client/client.ts'
import { MAX_WAITING_WEIGHT, weightOf } from '../../src/ledger/commit/commits.ts'
import { api } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { ask, freshLedger, ledgerOf, storedBalances, type TestLedger } from '../support/ledgers.ts'
import { batch, eventItem, metadataOf, single } from '../support/messages.ts'
import { expectProblem } from '../support/problems.ts'
import { groupOf } from './injection.ts'

vi.setConfig({ testTimeout: 30_000 })

/**
 * Tests an object that gets more requests than it can handle. When too many requests are waiting, the object refuses
 * further requests immediately and without effect.
 */

const BATCH = 1000

describe('more waiting requests than the limit', () => {
  it('are more than 50 batches of 1,000 events', async () => {
    const ledger = await freshLedger(1_000_000)
    const message = batch(
      Array.from({ length: BATCH }, (_, i) => eventItem(1, { key: `${i}-${'k'.repeat(36)}` })),
    )
    const kinds = await runInDurableObject(ledger.stub, async (instance) => {
      const answers = await Promise.all(Array.from({ length: 50 }, () => ask(instance, 'ingest', message)))
      return new Set(answers.map(({ kind }) => kind))
    })
    expect(kinds).toEqual(new Set(['done']))
    expect(await storedBalances(ledger)).toEqual({ customer: 1_000_000 - BATCH })
  })

  it('are refused as `overloaded` at once, and the waiting ones are completed', async () => {
    const ledger = await freshLedger(1_000_000)
    const metadata = metadataOf({ note: 'x'.repeat(1000) })
    const message = batch(Array.from({ length: BATCH }, () => eventItem(1, { metadata })))
    const ROOM = Math.floor(MAX_WAITING_WEIGHT / weightOf(JSON.stringify(message).length))
    expect(ROOM).toBeLessThan(25)
    // Sends all requests in one turn of the event loop, so that no commit runs between them.
    const kinds = await runInDurableObject(ledger.stub, async (instance) => {
      const answers = Array.from({ length: ROOM + 5 }, () => ask(instance, 'ingest', message))
      return (await Promise.all(answers)).map((result) =>
        result.kind === 'refused' ? result.refusal.code : result.kind,
      )
    })
    expect(kinds).toEqual([...Array(ROOM).fill('done'), ...Array(5).fill('overloaded')])
    expect(await storedBalances(ledger)).toEqual({ customer: 1_000_000 - ROOM * BATCH })
  })

  it('leave room again afterwards', async () => {
    const ledger = await freshLedger(1_000_000)
    await fill(ledger)
    expect(await ingest(env, ledger.name, single(eventItem(1)))).toMatchObject({ kind: 'refused' })
    await drain(ledger)
    expect(await ingest(env, ledger.name, single(eventItem(1)))).toMatchObject({ kind: 'done' })
  })

  it('are a 503 with Retry-After over HTTP, and the key stays unused', async () => {
    const { api_key, customer_id } = await createCustomer()
    const ledger = ledgerOf(customer_id)
    const body = {
      event_type: 'TOKEN_USAGE',
      feature_id: 'chat',
      provider: 'OPENAI',
      model: 'gpt-4o',
      input_tokens: 1000,
      output_tokens: 500,
      idempotency_key: 'k',
    }
    await fill(ledger)
    const refused = await api('/v1/events/ingest', { key: api_key, body })
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0)
    await expectProblem(refused, 503, 'overloaded')
    await drain(ledger)
    const done = await api('/v1/events/ingest', { key: api_key, body })
    expect(done.status).toBe(200)
    expect(done.headers.get('Idempotency-Replayed')).toBeNull()
  })
})

/** Makes the object behave as if no further request could wait. */
async function fill(ledger: TestLedger): Promise<void> {
  await runInDurableObject(ledger.stub, (instance) => {
    groupOf(instance).hasRoom = () => false
  })
}

async function drain(ledger: TestLedger): Promise<void> {
  await runInDurableObject(ledger.stub, (instance) => {
    Reflect.deleteProperty(groupOf(instance), 'hasRoom')
  })
}
