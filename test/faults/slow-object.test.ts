import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { call } from '../../src/ledger/client/call.ts'
import { balanceOf, GPT_4O, ingest } from '../support/client.ts'
import { createCustomer, unique } from '../support/customers.ts'
import { deployed } from '../support/deployment.ts'
import { freshLedger, ledgerOf, type TestLedger } from '../support/ledgers.ts'
import { rateHeaders } from '../support/limits.ts'
import { expectProblem } from '../support/problems.ts'
import { groupOf } from './injection.ts'

/**
 * Tests an object that does not respond: requests time out, and a retry with the same idempotency key does not charge
 * twice.
 */

const IMPATIENT = { ...env, LEDGER_TIMEOUT_MS: '300' }

describe('a call', () => {
  it('is abandoned after its time, and not tried again: the object may still execute it', async () => {
    const { name } = await freshLedger()
    let calls = 0
    const hang = () => {
      calls++
      return new Promise<never>(() => {})
    }
    const answer = await call(IMPATIENT, name, true, hang)
    expect(answer).toEqual({ kind: 'refused', refusal: { code: 'unavailable' } })
    expect(calls).toBe(1)
  })

  it('that completes in time returns its result, and leaves no timer', async () => {
    const { name } = await freshLedger()
    const clear = vi.spyOn(globalThis, 'clearTimeout')
    expect(await call(env, name, true, (stub) => stub.ping())).toBe('pong')
    expect(clear).toHaveBeenCalled()
    clear.mockRestore()
  })

  it('that fails after its caller gave up has no effect', async () => {
    const { name } = await freshLedger()
    let fail = (_: Error) => {}
    const late = new Promise<never>((_, reject) => {
      fail = reject
    })
    expect(await call(IMPATIENT, name, true, () => late)).toMatchObject({ kind: 'refused' })
    fail(new Error('Network connection lost'))
    await late.catch(() => {})
    expect(await call(env, name, true, (stub) => stub.ping())).toBe('pong')
  })
})

describe('over HTTP', () => {
  it('an object that hangs is a 503 with Retry-After, after a bounded time', async () => {
    const { api_key, customer_id } = await createCustomer()
    const ledger = ledgerOf(customer_id)
    await hangOnce(ledger, 'before the commit')
    const response = await deployed(IMPATIENT, '/v1/events/ingest', { key: api_key, body: GPT_4O })
    expect(Number(rateHeaders(response).retry_after)).toBeGreaterThan(0)
    await expectProblem(response, 503, 'unavailable')
    expect(await balanceOf(api_key)).toBe(10_000)
  })

  it('a change whose result was lost is replayed to the retry with its key, and burned once', async () => {
    const { api_key, customer_id } = await createCustomer()
    const ledger = ledgerOf(customer_id)
    await hangOnce(ledger, 'after the commit')
    const event = { ...GPT_4O, idempotency_key: unique('key') }
    const response = await deployed(IMPATIENT, '/v1/events/ingest', { key: api_key, body: event })
    await expectProblem(response, 503, 'unavailable')
    const retry = await ingest(api_key, event)
    expect(retry.status).toBe(200)
    expect(retry.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await balanceOf(api_key)).toBe(9_985)
  })
})

/** Makes the ledger object never respond to its next change. */
async function hangOnce(ledger: TestLedger, moment: 'before the commit' | 'after the commit'): Promise<void> {
  await runInDurableObject(ledger.stub, (instance) => {
    const group = groupOf(instance)
    const submit = group.submit.bind(group)
    group.submit = async (weight, apply) => {
      Reflect.deleteProperty(group, 'submit')
      if (moment === 'after the commit') await submit(weight, apply)
      return new Promise(() => {})
    }
  })
}
