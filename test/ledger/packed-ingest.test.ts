import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { GPT_4O } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { deployed } from '../support/deployment.ts'

describe('a Worker during a deployment', () => {
  it('sends the plain form to an object that does not know the packed one', async () => {
    const { api_key } = await createCustomer()
    const called: string[] = []
    const LEDGER = ledgersWithoutIngest(called)
    const send = (ledgers: typeof env.LEDGER) =>
      deployed({ LEDGER: ledgers }, '/v1/events/ingest', {
        key: api_key,
        body: {
          events: [{ ...GPT_4O, idempotency_key: 'a' }, { ...GPT_4O, user_id: 'mia' }, { event_type: 'X' }],
        },
        headers: { 'Idempotency-Key': 'batch' },
      })
    const first = await send(LEDGER)
    expect(first.status).toBe(200)
    expect(called).toEqual(['ingest', 'handle'])
    const answer = await first.text()
    const replayed = await send(env.LEDGER)
    expect(replayed.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await replayed.text()).toBe(answer)
  })

  it('gets the plain result from an object of a later deployment, because it does not know that packed form', async () => {
    const { api_key } = await createCustomer()
    const send = (ledgers: typeof env.LEDGER) =>
      deployed({ LEDGER: ledgers }, '/v1/events/ingest', { key: api_key, body: { events: [GPT_4O] } })
    const results: string[] = []
    for (const ledgers of [ledgersOf(3, results), env.LEDGER]) expect((await send(ledgers)).status).toBe(200)
    expect(results).toEqual([expect.stringMatching(/^\{/)])
  })
})

/**
 * Returns a namespace of ledger objects whose methods get only the first `count` arguments, as from a Worker of an
 * earlier deployment.
 */
function ledgersOf(count: number, results: string[]): typeof env.LEDGER {
  return ledgersWhere(async (stub, method, args) => {
    const reply: unknown = await Reflect.apply(Reflect.get(stub, method), stub, args.slice(0, count))
    results.push(String(Reflect.get(Object(reply), 'result')))
    return reply
  })
}

/**
 * Returns a namespace of ledger objects of an earlier version without the method `ingest`. A call of this method fails
 * with an error of the runtime.
 */
function ledgersWithoutIngest(called: string[]): typeof env.LEDGER {
  return ledgersWhere(async (stub, method, args) => {
    called.push(String(method))
    const name = method === 'ingest' ? 'methodOfALaterVersion' : method
    return await Reflect.apply(Reflect.get(stub, name), stub, args)
  })
}

type Call = (stub: object, method: string | symbol, args: readonly unknown[]) => Promise<unknown>

function ledgersWhere(call: Call): typeof env.LEDGER {
  const get: typeof env.LEDGER.get = (id, options) =>
    new Proxy(env.LEDGER.get(id, options), {
      get:
        (stub, method) =>
        (...args: unknown[]) =>
          call(stub, method, args),
    })
  return Object.create(env.LEDGER, {
    idFromName: { value: (name: string) => env.LEDGER.idFromName(name) },
    get: { value: get },
  })
}
