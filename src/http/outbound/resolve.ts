import { z } from 'zod'
import { isPublicAddress } from './addresses.ts'

/**
 * The result of resolving a host name. A request must not be sent to a name if one of its IP addresses is not public.
 * Names are resolved with DNS over HTTPS, in the JSON format of Cloudflare and Google. The platform resolves the name
 * again when it connects. An address that changes between the two resolutions (DNS rebinding) cannot be detected.
 */
export type Resolution =
  | { readonly kind: 'public' }
  /** At least one IP address of the name is not public. */
  | { readonly kind: 'private' }
  /** The name has no IP address. */
  | { readonly kind: 'none' }
  /** The resolver returned no usable response. The caller must not send a request to the name, and can retry later. */
  | { readonly kind: 'unknown' }

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface Resolver {
  /** The URL of the DNS resolver, without a query. */
  readonly url: string
  readonly timeout_ms?: number
  readonly fetcher?: Fetch
}

const TIMEOUT_MS = 3_000
const MAX_ANSWER_CHARS = 65_536
const ADDRESS_TYPES: Readonly<Record<string, number>> = { A: 1, AAAA: 28 }
const NOERROR = 0
const NXDOMAIN = 3

const answerSchema = z.object({
  Status: z.int(),
  Answer: z.array(z.object({ type: z.int(), data: z.string() })).optional(),
})

/**
 * Resolves a host name. Checks all of its IPv4 and IPv6 addresses, because the platform can connect to any of them.
 * Never throws.
 */
export async function resolveName(name: string, resolver: Resolver): Promise<Resolution> {
  try {
    const found = await Promise.all(Object.keys(ADDRESS_TYPES).map((type) => addresses(name, type, resolver)))
    const all = found.flat()
    if (all.some((address) => !isPublicAddress(address))) return { kind: 'private' }
    return { kind: all.length === 0 ? 'none' : 'public' }
  } catch {
    return { kind: 'unknown' }
  }
}

async function addresses(name: string, type: string, resolver: Resolver): Promise<string[]> {
  const { url, timeout_ms = TIMEOUT_MS, fetcher = (address, init) => fetch(address, init) } = resolver
  const response = await fetcher(`${url}?name=${encodeURIComponent(name)}&type=${type}`, {
    headers: { Accept: 'application/dns-json' },
    redirect: 'manual',
    signal: AbortSignal.timeout(timeout_ms),
  })
  const text = await response.text()
  if (response.status !== 200 || text.length > MAX_ANSWER_CHARS) throw new Error('no usable response')
  const { Status, Answer = [] } = answerSchema.parse(JSON.parse(text))
  if (Status === NXDOMAIN) return []
  if (Status !== NOERROR) throw new Error('no usable response')
  // Other records are left out, because `Answer` also contains the aliases (CNAME) that lead to the addresses.
  return Answer.filter((record) => record.type === ADDRESS_TYPES[type]).map(({ data }) => data)
}
