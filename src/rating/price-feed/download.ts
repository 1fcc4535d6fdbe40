import { readUpTo } from '../../http/read-up-to.ts'
import { LATE, withDeadline } from '../../time/durations.ts'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export type Download =
  | { readonly kind: 'read'; readonly bytes: Uint8Array; readonly signature: string }
  | { readonly kind: 'failed'; readonly reason: string }

const MAX_BYTES = 5_000_000
const MAX_SIGNATURE_BYTES = 200
const TIMEOUT_MS = 10_000

/**
 * Downloads a feed of at most 5 MB and its signature over https. Follows no redirects. Stops after `timeout_ms`, by
 * default 10 seconds. Never throws.
 */
export async function downloadFeed(
  url: string,
  fetcher: Fetch,
  timeout_ms: number = TIMEOUT_MS,
): Promise<Download> {
  if (URL.parse(url)?.protocol !== 'https:') return failed('The URL of the feed must begin with https://.')
  const signal = AbortSignal.timeout(timeout_ms)
  const work = Promise.all([
    get(url, MAX_BYTES, fetcher, signal),
    get(`${url}.sig`, MAX_SIGNATURE_BYTES, fetcher, signal),
  ])
  try {
    const read = await withDeadline(work, timeout_ms)
    if (read === LATE) return failed(`The feed and its signature did not arrive within ${timeout_ms} ms.`)
    const [bytes, signature] = read
    return { kind: 'read', bytes, signature: new TextDecoder().decode(signature).trim() }
  } catch (error) {
    if (error instanceof FeedFailure) return failed(error.message)
    return failed(
      signal.aborted
        ? `The feed and its signature did not arrive within ${timeout_ms} ms.`
        : 'The feed cannot be reached.',
    )
  }
}

class FeedFailure extends Error {}

async function get(url: string, most: number, fetcher: Fetch, signal: AbortSignal): Promise<Uint8Array> {
  const response = await fetcher(url, { signal, redirect: 'manual' })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new FeedFailure(`${nameOf(url)} responded with the status ${response.status}.`)
  }
  const bytes = await readUpTo(response.body, most)
  if (!bytes) throw new FeedFailure(`${nameOf(url)} has more than ${most} bytes.`)
  return bytes
}

function nameOf(url: string): string {
  return url.endsWith('.sig') ? 'The signature' : 'The feed'
}

function failed(reason: string): Download {
  return { kind: 'failed', reason }
}
