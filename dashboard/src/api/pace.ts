/** The customer's requests per minute, the requests left, and the time of the reset, from the newest response. */
let quota = 0
let left = 0
let resets_at_ms = 0

const QUOTA = /;q=(\d+)/
const LEFT = /;r=(\d+);t=(\d+)/

/**
 * Stores the rate limit from the headers `RateLimit-Policy` and `RateLimit` of a response, such as
 * `"default";q=100;w=60` and `"default";r=42;t=17`.
 */
export function noteRate(headers: Headers, now_ms: number): void {
  const policy = QUOTA.exec(headers.get('RateLimit-Policy') ?? '')
  const count = LEFT.exec(headers.get('RateLimit') ?? '')
  if (!policy || !count) return
  quota = Number(policy[1])
  left = Number(count[1])
  resets_at_ms = now_ms + Number(count[2]) * 1_000
}

/**
 * Returns the minimum time between two reads, in milliseconds. The dashboard uses at most half of the customer's
 * requests per minute, spread over the rest of the minute. Returns `Infinity` when half are used, and 0 if the minute
 * of the newest response has ended.
 */
export function spacing(now_ms: number): number {
  const rest_ms = resets_at_ms - now_ms
  if (rest_ms <= 0) return 0
  const spare = left - quota / 2
  return spare > 0 ? rest_ms / spare : Infinity
}
