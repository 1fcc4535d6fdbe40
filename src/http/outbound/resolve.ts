import { z } from 'zod'
import { isPublicAddress } from './addresses.ts'

/**
 * Resolves names by DNS over HTTPS, in the JSON format of Cloudflare and Google. A name must not be called if one of
 * its addresses is not public. The platform resolves the name again when it connects. This check cannot detect a name
 * that changes between the two resolutions (DNS rebinding).
 */
export type Resolution =
  | { readonly kind: 'public' }
  /** A name with at least one address that is not public. */
  | { readonly kind: 'private' }
  /** A name without an address. */
  | { readonly kind: 'none' }
  /** The resolver returned no usable answer. Do not call the name, and retry later. */
  | { readonly kind: 'unknown' }

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface Resolver {
  /** The URL of the resolver, without a query. */
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

/** Resolves the IPv4 and IPv6 addresses of a name, because all of them must be public. Never throws. */
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
  if (response.status !== 200 || text.length > MAX_ANSWER_CHARS) throw new Error('no answer')
  const { Status, Answer = [] } = answerSchema.parse(JSON.parse(text))
  if (Status === NXDOMAIN) return []
  if (Status !== NOERROR) throw new Error('no answer')
  // The answer also contains the aliases that lead to the addresses.
  return Answer.filter((record) => record.type === ADDRESS_TYPES[type]).map(({ data }) => data)
}
