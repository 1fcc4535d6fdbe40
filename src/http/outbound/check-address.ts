import type { Bindings } from '../../bindings.ts'
import { configOf } from '../../config.ts'
import { type CheckedUrl, checkUrl, PRIVATE } from './check-url.ts'
import { type Resolution, resolveName } from './resolve.ts'

/**
 * Checks an address that a customer supplies, against the variables of this deployment and the addresses of its host
 * name. Runs when the address is set and before each use, because the variables and the addresses may change.
 */

export interface Address {
  readonly url: string
  /** A URL of this deployment. */
  readonly own_url: string
}

/**
 * The result of the check. A host that needs no resolution is `public`: an IP address, or a host that the operator
 * allows.
 */
export type CheckedAddress = Extract<CheckedUrl, { kind: 'refused' }> | Resolution

/** Checks whether requests may be sent to an address. Never throws. */
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
 * Returns the error of an address that is being set, worded to follow the name of its field; undefined if the address
 * may be used. If the resolver does not answer, the name is accepted, because every use checks it.
 */
export async function faultOfAddress(env: Bindings, address: Address): Promise<string | undefined> {
  const checked = await checkAddress(env, address)
  if (checked.kind === 'refused') return checked.message
  if (checked.kind === 'private') return PRIVATE
  return checked.kind === 'none' ? 'must have a host name that exists' : undefined
}
