import Fraction from 'fraction.js'
import { describe, expect, inject, it } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'

const cases = inject('situations')
if (cases.length === 0) console.warn('skipped: no situations of public bug reports beside the project')

interface Answer {
  readonly status: number
  readonly cost: string | undefined
  readonly warnings: number
}

describe.skipIf(cases.length === 0)('situations of public bug reports, over HTTP', () => {
  it('cost the right amount, or are refused if a refusal is allowed', async () => {
    const { api_key: key } = await createCustomer()
    const wrong: unknown[] = []
    for (const { id, request, expect: expected } of cases) {
      const answer = await answerOf(await api('/v1/rating/calculate', { key, body: request.body }))
      const right = 'any_of' in expected ? expected.any_of : [expected]
      if (!right.some((one) => fits(answer, one))) wrong.push({ id, expected, answer })
    }
    expect(wrong).toEqual([])
  })

  it('are ingested at the cost that is calculated, to the last digit', async () => {
    const { api_key: key } = await createCustomer()
    await api('/v1/credits/grant', { key, body: { amount: 1_000_000 } })
    const different: unknown[] = []
    const at = new Date(Date.now() - 60_000).toISOString()
    for (const { id, request } of cases) {
      const { at: _, ...consumption } = request.body
      const event = { ...consumption, event_type: 'TOKEN_USAGE', feature_id: 'situations', timestamp: at }
      const ingested = await answerOf(await api('/v1/events/ingest', { key, body: event }))
      const calculated = await answerOf(
        await api('/v1/rating/calculate', { key, body: { ...consumption, at } }),
      )
      const refused =
        calculated.status !== 200 && (ingested.status === calculated.status || ingested.cost === '0')
      if (!refused && (ingested.status !== 200 || ingested.cost !== calculated.cost))
        different.push({ id, ingested, calculated })
    }
    expect(different).toEqual([])
  })
})

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  const cost = /"provider_cost_usd":([\d.]+)/.exec(text)?.[1]
  const { warnings } = await jsonOf(new Response(text))
  return { status: response.status, cost, warnings: Array.isArray(warnings) ? warnings.length : 0 }
}

function fits(
  answer: Answer,
  expected: { status: number | '4xx'; provider_cost_usd?: string; warnings?: string },
): boolean {
  if (expected.status === '4xx') return answer.status >= 400 && answer.status < 500
  if (answer.status !== expected.status) return false
  if (expected.warnings !== undefined && answer.warnings === 0) return false
  if (expected.provider_cost_usd === undefined) return true
  return new Fraction(answer.cost ?? '-1').equals(new Fraction(expected.provider_cost_usd))
}
