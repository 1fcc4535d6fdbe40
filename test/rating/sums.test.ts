import { describe, expect, it } from 'vitest'
import { api } from '../support/api.ts'
import { ingested, listed, objects } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'

const EVENTS = 5_000
const BATCH = 1_000

/** The prices of gpt-4o-mini in pico-USD per token. They are 0.15, 0.075 and 0.60 USD per million tokens. */
const INPUT = 150_000n
const CACHED = 75_000n
const OUTPUT = 600_000n
/** The provider cost that burns one micro-credit, at 1,000 credits per USD and a markup of 100 %. */
const PICO_USD_PER_MICRO_CREDIT = 500n

interface Tokens {
  readonly input: number
  readonly cached: number
  readonly output: number
}

/** Returns token counts that depend only on the index, so that a failure can be reproduced. */
function tokensOf(index: number): Tokens {
  const mixed = (index * 7919 + 104_729) % 100_003
  return { input: 100 + (mixed % 500), cached: mixed % 100, output: 1 + ((mixed * 31) % 400) }
}

function costOf({ input, cached, output }: Tokens): bigint {
  return BigInt(input - cached) * INPUT + BigInt(cached) * CACHED + BigInt(output) * OUTPUT
}

/**
 * Converts a plain decimal with at most `decimals` decimal places to an integer, by multiplying it by 10^`decimals`.
 */
function units(text: string, decimals: number): bigint {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)
  if (!match) throw new Error(`not a plain decimal: ${text}`)
  const [, sign, whole = '', fraction = ''] = match
  const value = BigInt(whole + fraction.padEnd(decimals, '0'))
  return sign === '-' ? -value : value
}

/** Returns all numbers that a field has in a JSON text, exactly as they are written. */
function numbersIn(text: string, field: string): string[] {
  return [...text.matchAll(new RegExp(`"${field}":(-?[\\d.]+)[,}]`, 'g'))].map(([, number = '']) => number)
}

describe('thousands of calls of a few hundred tokens', () => {
  it('together cost exactly the price of the price list, to the millionth of a credit', async () => {
    const { api_key } = await createCustomer()
    const tokens = Array.from({ length: EVENTS }, (_, index) => tokensOf(index))
    const events = tokens.map(({ input, cached, output }, index) => ({
      event_type: 'TOKEN_USAGE',
      feature_id: 'chat',
      provider: 'OPENAI',
      model: 'gpt-4o-mini',
      usage: { input_tokens: input, cache_read_tokens: cached, output_tokens: output },
      idempotency_key: `call-${index}`,
    }))
    const expected = tokens.reduce((sum, call) => sum + costOf(call), 0n)
    expect(expected % PICO_USD_PER_MICRO_CREDIT).toBe(0n)
    const expectedMicro = expected / PICO_USD_PER_MICRO_CREDIT

    let burned = 0n
    for (let from = 0; from < EVENTS; from += BATCH) {
      const body = { events: events.slice(from, from + BATCH) }
      const text = await (await api('/v1/events/ingest', { key: api_key, body })).text()
      const [sum = '', ...each] = numbersIn(text, 'credits_burned')
      expect(each).toHaveLength(BATCH)
      expect(each.reduce((total, credits) => total + units(credits, 6), 0n)).toBe(units(sum, 6))
      burned += units(sum, 6)
    }
    expect(burned).toBe(expectedMicro)

    const balance = await (await api('/v1/credits/balance', { key: api_key })).text()
    expect(units(numbersIn(balance, 'balance')[0] ?? '', 6)).toBe(10_000_000_000n - expectedMicro)

    // Repeats all requests, which must not burn credits again.
    for (let from = 0; from < EVENTS; from += BATCH) {
      const again = await ingested(api_key, { events: events.slice(from, from + BATCH) })
      expect(again).toMatchObject({ accepted: 0, duplicates: BATCH, rejected: 0, credits_burned: 0 })
    }
    expect(await (await api('/v1/credits/balance', { key: api_key })).text()).toBe(balance)

    // Checks that the sums of the recorded events are the same, in credits and in USD.
    let cursor = ''
    let recordedMicro = 0n
    let recordedPico = 0n
    let records = 0
    do {
      const text = await (await api(`/v1/events?limit=100${cursor}`, { key: api_key })).text()
      for (const credits of numbersIn(text, 'credits_burned')) recordedMicro += units(credits, 6)
      for (const cost of numbersIn(text, 'provider_cost_usd')) recordedPico += units(cost, 12)
      const page: { data: unknown; next_cursor: string | null } = JSON.parse(text)
      records += objects(page.data).length
      cursor = page.next_cursor === null ? '' : `&cursor=${page.next_cursor}`
    } while (cursor !== '')
    expect({ records, recordedMicro, recordedPico }).toEqual({
      records: EVENTS,
      recordedMicro: expectedMicro,
      recordedPico: expected,
    })
    expect(await listed(api_key, '/v1/events', '?unrated=true')).toEqual([])
  })
})
