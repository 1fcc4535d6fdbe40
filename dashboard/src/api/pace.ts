/** The customer's requests of this minute, as its ledger counted them in the newest answer. */
let quota = 0
let left = 0
let resets_at_ms = 0

const QUOTA = /;q=(\d+)/
const LEFT = /;r=(\d+);t=(\d+)/

/** Remembers the count of an answer: `RateLimit-Policy: "default";q=100;w=60`, `RateLimit: "default";r=42;t=17`. */
export function noteRate(headers: Headers, now_ms: number): void {
  const policy = QUOTA.exec(headers.get('RateLimit-Policy') ?? '')
  const count = LEFT.exec(headers.get('RateLimit') ?? '')
  if (!policy || !count) return
  quota = Number(policy[1])
  left = Number(count[1])
  resets_at_ms = now_ms + Number(count[2]) * 1_000
}

/**
 * The time between two reads that keeps half of the minute's requests for the customer's own clients: it spreads the
 * others over the rest of the minute. Infinite when half are used.
 */
export function spacing(now_ms: number): number {
  const rest_ms = resets_at_ms - now_ms
  if (rest_ms <= 0) return 0
  const spare = left - quota / 2
  return spare > 0 ? rest_ms / spare : Infinity
}
