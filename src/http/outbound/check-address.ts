import type { Bindings } from '../../bindings.ts'
import { configOf } from '../../config.ts'
import { type CheckedUrl, checkUrl, PRIVATE } from './check-url.ts'
import { type Resolution, resolveName } from './resolve.ts'

/**
 * Checks a URL that a customer supplies. The check depends on the variables of this deployment and on the IP addresses
 * of the host name, both of which can change. It therefore runs when the customer sets the URL, and again before
 * requests are sent to it. In the gateway, an isolate uses the result of a check for up to 30 seconds.
 */

export interface Address {
  readonly url: string
  /** A URL of this deployment. The URL of a customer must not lead to this deployment. */
  readonly own_url: string
}

/**
 * The result of the check. `public` means that requests can be sent to the URL. The result is also `public` if the host
 * needs no DNS resolution, because it is a public IP address, a local host in development, or a host that the operator
 * allows.
 */
export type CheckedAddress = Extract<CheckedUrl, { kind: 'refused' }> | Resolution

/** Checks whether the Worker can safely send requests to a URL. Never throws. */
export async function checkAddress(
  env: Bindings,
  { url, own_url }: Address,
  resolve: typeof resolveName = resolveName,
): Promise<CheckedAddress> {
  const { environment, private_upstreams: private_hosts, dns_resolver_url } = configOf(env)
  const checked = checkUrl(url, { environment, own_url, private_hosts })
  if (checked.kind === 'refused') return checked
  return checked.name === undefined ? { kind: 'public' } : resolve(checked.name, { url: dns_resolver_url })
}

/**
 * Returns the error text for a URL that a customer wants to set; undefined if the URL is accepted. The error text has
 * no subject, because the name of the field precedes it. If the DNS resolver returns no usable response, the URL is
 * accepted, because it is checked again before it is used.
 */
export async function faultOfAddress(env: Bindings, address: Address): Promise<string | undefined> {
  const checked = await checkAddress(env, address)
  if (checked.kind === 'refused') return checked.message
  if (checked.kind === 'private') return PRIVATE
  return checked.kind === 'none' ? 'must have a host name that exists' : undefined
}
