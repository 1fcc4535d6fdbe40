import { type ApiOptions, api, jsonOf, textField } from '../support/api.ts'

export const APP = 'https://app.example.com'
export const ELSEWHERE = 'https://elsewhere.example.com'

export const BALANCE = '/v1/credits/balance'
export const USAGE = '/v1/analytics/usage'
export const TRANSACTIONS = '/v1/credits/transactions'
export const PACKS = '/v1/credit-packs'
export const CHECKOUT = '/v1/payments/checkout'

/** Creates a portal token and returns it. */
export async function portalToken(key: string, draft: object): Promise<string> {
  const response = await make(key, draft)
  const body = await jsonOf(response)
  if (response.status !== 201) throw new Error(`no token: ${JSON.stringify(body)}`)
  return textField(body, 'token')
}

export function make(key: string, draft: object): Promise<Response> {
  return api('/v1/portal-tokens', { key, body: { expires_in_seconds: 600, origins: [APP], ...draft } })
}

/** Sends a request as the browser of an end user does from a page of `origin`. */
export function fromPage(
  path: string,
  key: string,
  origin = APP,
  options: ApiOptions = {},
): Promise<Response> {
  return api(path, { ...options, key, headers: { Origin: origin, ...options.headers } })
}
