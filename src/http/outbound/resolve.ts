import { z } from 'zod'
import { isPublicAddress } from './addresses.ts'

/**
 * Resolves names by DNS over HTTPS, in the JSON form that Cloudflare and Google answer. A name that resolves to any
 * address that is not public must not be called. The platform resolves the name again when it connects, so a name that
 * changes between the two (DNS rebinding) is not caught here.
 */
export type Resolution =
  | { readonly kind: 'public' }
  /** At least one of its addresses is not public. */
  | { readonly kind: 'private' }
  /** The name has no address. */
  | { readonly kind: 'none' }
  /** The resolver gave no usable answer: call nothing, and try again later. */
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

/** Resolves both kinds of addresses, because each of them must be public. Never throws. */
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
