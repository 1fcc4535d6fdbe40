import { env } from 'cloudflare:workers'
import { forgetCachedKeys } from '../../src/api-keys/authentication/lookup.ts'
import { forgetPriceBooks } from '../../src/rating/current-prices.ts'
import { api, jsonOf, textField } from './api.ts'
import { d1Double } from './d1.ts'

/** Clears the caches of API keys and prices, so that the next request runs as in a new isolate. */
export function inAnotherIsolate(): void {
  forgetCachedKeys()
  forgetPriceBooks()
}

export const OVERRIDES = '/v1/rating/price-overrides'
export const PROVIDER_COSTS = '/v1/admin/provider-costs'

/** Sets a price through the API, and returns the body of the response. Throws if the status is not 201. */
export async function setPrice(path: string, key: string, body: object): Promise<Record<string, unknown>> {
  const response = await api(path, { key, body })
  const answer = await jsonOf(response)
  if (response.status !== 201) throw new Error(`not set: ${JSON.stringify(answer)}`)
  return answer
}

/** Returns prices of `amount` USD per thousand input tokens, and 0 USD for output tokens. */
export function perThousand(amount: number | string): object {
  return { input_tokens: { amount, per: 1000 }, output_tokens: { amount: 0, per: 1 } }
}

/** Returns the cost of 1,000 input tokens and 500 output tokens, as calculated by the API. */
export async function costOf(key: string, model: string, fields: object = {}): Promise<unknown> {
  const body = { provider: 'OPENAI', model, input_tokens: 1000, output_tokens: 500, ...fields }
  const answer = await jsonOf(await api('/v1/rating/calculate', { key, body }))
  return answer.provider_cost_usd ?? answer.code
}

export async function versionOf(key: string, model: string): Promise<string> {
  const body = { provider: 'OPENAI', model, input_tokens: 1000 }
  return textField(await jsonOf(await api('/v1/rating/calculate', { key, body })), 'price_version')
}

export { deployed as apiWith } from './deployment.ts'

/**
 * Returns the D1 database of the tests, with a record of all statements that are prepared later and the number of rows
 * that batches write.
 */
export function recordedD1(): {
  readonly bindings: { readonly DB: D1Database }
  readonly statements: readonly string[]
  readonly rowsWritten: () => number
} {
  const statements: string[] = []
  let rows = 0
  const prepare = (sql: string) => {
    statements.push(sql)
    return env.DB.prepare(sql)
  }
  const batch = async (prepared: D1PreparedStatement[]) => {
    const results = await env.DB.batch(prepared)
    for (const { meta } of results) rows += meta.rows_written
    return results
  }
  const DB = d1Double({ prepare, batch })
  return { bindings: { DB }, statements, rowsWritten: () => rows }
}
