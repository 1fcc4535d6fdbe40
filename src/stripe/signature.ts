/**
 * Checks the signatures of Stripe's webhooks. The header has the form `t=1492774577,v1=5257a8…`. `t` is the time in
 * seconds, and `v1` is the HMAC-SHA256 of the time, a dot and the body.
 */

/**
 * The maximum difference between the time of a signature and the current time, in seconds. If the difference is
 * greater, the signature is refused, because an attacker might have sent an old message again.
 */
const TOLERANCE_S = 300
const MAX_HEADER = 1_024
const HEX = /^[0-9a-f]{64}$/
const SECONDS = /^\d{1,12}$/

/**
 * Reports whether the header has a signature of the body that was made with the secret, and a time that is at most five
 * minutes before or after `now_ms`. A header may have several signatures.
 */
export async function isSignedBy(
  secret: string,
  { body, header, now_ms }: { readonly body: Uint8Array; readonly header: string; readonly now_ms: number },
): Promise<boolean> {
  if (header.length > MAX_HEADER) return false
  const items = header.split(',').map((item) => item.trim().split('=', 2))
  const valuesOf = (scheme: string) =>
    items.filter(([name]) => name === scheme).map(([, value = '']) => value)
  const [time = '', ...times] = valuesOf('t')
  if (times.length > 0 || !SECONDS.test(time)) return false
  if (Math.abs(now_ms / 1_000 - Number(time)) > TOLERANCE_S) return false
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', Buffer.from(secret), algorithm, false, ['verify'])
  const signed = Buffer.concat([Buffer.from(`${time}.`), body])
  for (const signature of valuesOf('v1')) {
    // `verify` compares in constant time.
    const bytes = HEX.test(signature) ? Buffer.from(signature, 'hex') : undefined
    if (bytes && (await crypto.subtle.verify(algorithm, key, bytes, signed))) return true
  }
  return false
}
