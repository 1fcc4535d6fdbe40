import type { Bindings } from '../../bindings.ts'
import { configOf } from '../../config.ts'
import { checkUrl } from '../../http/outbound/check-url.ts'
import { type Fetch, resolveName } from '../../http/outbound/resolve.ts'
import type { SendError } from './send.ts'

/**
 * Checks where a message goes, when an endpoint is created and before each attempt: the variables of the deployment or
 * the addresses of the name may have changed in between.
 */

interface Address {
  readonly url: string
  /** Any URL of this deployment. */
  readonly own_url: string
}

/** Returns what is wrong with a URL, to follow the name of the field; undefined if it may be used. */
export async function faultOfUrl(env: Bindings, { url, own_url }: Address): Promise<string | undefined> {
  const { environment, private_upstreams, dns_resolver_url } = configOf(env)
  const checked = checkUrl(url, { environment, own_url, private_hosts: private_upstreams })
  if (checked.kind === 'refused') return checked.message
  if (checked.name === undefined) return undefined
  // A name that cannot be resolved now is checked again at each attempt.
  const { kind } = await resolveName(checked.name, { url: dns_resolver_url })
  if (kind === 'private') return 'must not lead to a private, loopback or link-local address'
  return kind === 'none' ? 'must have a host name that exists' : undefined
}

/** Checks the addresses of one run of the consumer: each name is resolved once. */
export function addressChecks(
  env: Bindings,
  fetcher: Fetch,
): (address: Address) => Promise<SendError | undefined> {
  const { environment, private_upstreams, dns_resolver_url } = configOf(env)
  const resolved = new Map<string, ReturnType<typeof resolveName>>()
  return async ({ url, own_url }) => {
    const checked = checkUrl(url, { environment, own_url, private_hosts: private_upstreams })
    if (checked.kind === 'refused') return 'address_refused'
    const { name } = checked
    if (name === undefined) return undefined
    const resolution = resolved.get(name) ?? resolveName(name, { url: dns_resolver_url, fetcher })
    resolved.set(name, resolution)
    const { kind } = await resolution
    if (kind === 'public') return undefined
    return kind === 'private' ? 'address_refused' : 'name_not_resolved'
  }
}
