import type { Bindings } from '../../bindings.ts'
import { type Address, checkAddress } from '../../http/outbound/check-address.ts'
import { type Fetch, type Resolution, resolveName } from '../../http/outbound/resolve.ts'
import type { SealedEndpoint } from '../records/endpoints.ts'
import type { Content } from './content.ts'
import { notSent, type SendError, type SendLimits, type Sent, send } from './send.ts'
import { type SigningKey, signedHeaders } from './signing.ts'

/**
 * Makes the attempts of deliveries. An attempt checks the URL of the endpoint, signs the message with the current time,
 * and sends it.
 */

export type AddressCheck = (address: Address) => Promise<SendError | undefined>

/**
 * Returns a function that checks the URLs of endpoints. It resolves each host name only once, so it must be used only
 * for attempts that begin within about a second.
 */
export function addressChecks(env: Bindings, fetcher: Fetch): AddressCheck {
  const resolved = new Map<string, Promise<Resolution>>()
  const resolveOnce: typeof resolveName = (name, resolver) => {
    const resolution = resolved.get(name) ?? resolveName(name, { ...resolver, fetcher })
    resolved.set(name, resolution)
    return resolution
  }
  return async (address) => {
    const { kind } = await checkAddress(env, address, resolveOnce)
    if (kind === 'public') return undefined
    return kind === 'refused' || kind === 'private' ? 'address_refused' : 'name_not_resolved'
  }
}

export interface AttemptOf {
  readonly endpoint: SealedEndpoint
  readonly content: Content
  readonly keys: readonly SigningKey[]
}

const USER_AGENT = 'OpenMonetize-Webhooks/1'

/** Makes one attempt of a delivery and returns its result. Never throws. */
export async function attempt(
  { endpoint, content, keys }: AttemptOf,
  check: AddressCheck,
  limits: SendLimits,
): Promise<Sent> {
  const at_ms = limits.now()
  const refused = await check({ url: endpoint.url, own_url: endpoint.own_origin })
  if (refused !== undefined) return notSent(refused, at_ms)
  const body = JSON.stringify(content)
  const signed = await signedHeaders({ id: content.id, at_ms, body }, keys)
  const headers = { 'content-type': 'application/json', 'user-agent': USER_AGENT, ...signed }
  return send({ url: endpoint.url, headers, body }, limits)
}
