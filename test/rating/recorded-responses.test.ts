import Fraction from 'fraction.js'
import { describe, expect, inject, it } from 'vitest'
import { MISREADINGS } from '../pricing/misreadings.ts'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'

const recordings = inject('recorded')
const cases = recordings.filter((recorded) => !MISREADINGS.some(({ isOne }) => isOne(recorded)))
if (cases.length === 0) console.warn('skipped: no recorded provider responses beside the project')

/** Returns the exact sum of decimal strings, with or without exponents. */
function sum(...amounts: readonly string[]): string {
  return amounts
    .map((amount) => {
      const [mantissa = '', exponent = '0'] = amount.toLowerCase().split('e')
      return new Fraction(mantissa).mul(new Fraction(10).pow(Number(exponent)) ?? 0)
    })
    .reduce((total, amount) => total.add(amount), new Fraction(0))
    .toFraction()
}

describe.skipIf(cases.length === 0)('a sample of recorded responses, over HTTP', () => {
  it('each give their usage and their exact cost', async () => {
    const { api_key: key } = await createCustomer()
    expect(recordings).toHaveLength(200)
    for (const { provider, api: provider_api, model, at, body, usage, ...costs } of cases) {
      const calculation = { provider, provider_api, model, at, provider_response: body }
      const response = await api('/v1/rating/calculate', { key, body: calculation })
      const text = await response.text()
      const cost = /^\{"provider_cost_usd":([\d.]+),/.exec(text)?.[1]
      expect({ calculation, status: response.status, text }).toMatchObject({ status: 200 })
      expect(sum(cost ?? '', '0')).toBe(sum(costs.input_cost_usd, costs.output_cost_usd))
      expect({ calculation, usage: await jsonOf(new Response(text)).then((answer) => answer.usage) }).toEqual(
        {
          calculation,
          usage,
        },
      )
    }
  })
})
