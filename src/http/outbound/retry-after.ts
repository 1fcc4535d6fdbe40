/** The maximum delay that `retryAfterMs` returns: 1,000,000 seconds, which is more than any caller waits. */
const MAX_RETRY_AFTER_S = 1_000_000

/**
 * Returns the delay that the header `Retry-After` of a response requests: 0 to 1e9 ms; undefined if the header is
 * absent or invalid. The header contains a number of seconds or an HTTP date (RFC 9110, section 10.2.3). A time in the
 * past is a delay of 0. Some providers send fractions of seconds.
 */
export function retryAfterMs(header: string | null, now_ms: number): number | undefined {
  if (header === null) return undefined
  const text = header.trim()
  if (/^\d+(?:\.\d+)?$/.test(text)) return Math.round(Math.min(Number(text), MAX_RETRY_AFTER_S) * 1_000)
  // `Date.parse` accepts many date formats. Only formats that begin with the day of the week are HTTP dates.
  const at_ms = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at_ms) ? undefined : Math.min(Math.max(0, at_ms - now_ms), MAX_RETRY_AFTER_S * 1_000)
}
