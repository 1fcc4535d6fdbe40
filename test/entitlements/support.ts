import { api, jsonOf, textField } from '../support/api.ts'
import type { Json } from '../support/client.ts'

export function postEntitlement(
  key: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return api('/v1/entitlements', { key, body, headers })
}

/**
 * Creates an entitlement for the feature `chat`, and returns its id. Without `fields`, the entitlement has no limit.
 */
export async function entitled(key: string, fields: Json = {}): Promise<string> {
  const response = await postEntitlement(key, { feature_id: 'chat', limit_type: 'NONE', ...fields })
  const body = await jsonOf(response)
  if (response.status !== 201) throw new Error(`${response.status}: ${JSON.stringify(body)}`)
  return textField(body, 'id')
}

export function put(key: string, id: string, body: unknown): Promise<Response> {
  return api(`/v1/entitlements/${id}`, { key, method: 'PUT', body })
}

export function check(key: string, body: Json = {}): Promise<Response> {
  return api('/v1/entitlements/check', { key, body: { feature_id: 'chat', ...body } })
}

export async function checked(key: string, body: Json = {}): Promise<Json> {
  const response = await check(key, body)
  const answer = await jsonOf(response)
  if (response.status !== 200) throw new Error(`${response.status}: ${JSON.stringify(answer)}`)
  return answer
}

/** The action of a call to gpt-4o with 1,000 input tokens and 500 output tokens, which costs 15 credits. */
export const GPT_4O_ACTION = {
  type: 'token_usage',
  provider: 'openai',
  model: 'gpt-4o',
  estimated_input_tokens: 1000,
  estimated_output_tokens: 500,
} as const
