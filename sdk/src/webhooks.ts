import { OpenMonetizeError } from './errors.ts'

/**
 * A notification. `sequence` numbers the notifications of a ledger without gaps; it is 0 in a test message.
 * `customer_id` is null in a notification to an endpoint of the operator.
 */
export interface Notification {
  readonly id: string
  readonly type: string
  readonly timestamp: string
  readonly sequence: number
  readonly customer_id: string | null
  readonly data: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

export interface VerifyOptions {
  /** The largest accepted difference between `webhook-timestamp` and this machine's clock, in seconds. Default: 300. */
  readonly toleranceSeconds?: number
}

/** The error of a message that cannot be verified, for example because it was changed or is too old. */
export class WebhookVerificationError extends OpenMonetizeError {
  override readonly name = 'WebhookVerificationError'
}

type HeadersLike = Headers | Readonly<Record<string, string | readonly string[] | undefined>>

const TOLERANCE_SECONDS = 300
/** The maximum length of a message, in characters. Standard Webhooks recommends payloads of less than 20 KB. */
const MAX_PAYLOAD_CHARS = 1024 * 1024
const MAX_SIGNATURES = 20

/**
 * Verifies a message according to Standard Webhooks 1.0 and returns its notification. `payload` is the body exactly as
 * received. `secret` is `whsec_…` for `v1` signatures, or the public key `whpk_…` for `v1a` signatures. Pass several
 * secrets while one is rotated.
 *
 * @throws {WebhookVerificationError} if no signature matches, if `webhook-timestamp` differs from this machine's clock
 * by more than `toleranceSeconds`, if the message is malformed or too long, or if a secret is empty or not base64.
 */
export async function verifyWebhook(
  payload: string | Uint8Array,
  headers: HeadersLike,
  secret: string | readonly string[],
  { toleranceSeconds = TOLERANCE_SECONDS }: VerifyOptions = {},
): Promise<Notification> {
  const text = typeof payload === 'string' ? payload : new TextDecoder().decode(payload)
  if (text.length > MAX_PAYLOAD_CHARS) throw refused(`the message exceeds ${MAX_PAYLOAD_CHARS} characters`)
  const [id, timestamp, signature] = ['id', 'timestamp', 'signature'].map((name) =>
    headerOf(headers, `webhook-${name}`),
  )
  if (!id || !timestamp || !signature)
    throw refused('webhook-id, webhook-timestamp or webhook-signature is missing')
  const age_s = Date.now() / 1000 - Number(timestamp)
  if (!/^\d{1,15}$/.test(timestamp)) throw refused('webhook-timestamp is not a number of seconds')
  if (Math.abs(age_s) > toleranceSeconds)
    throw refused(`webhook-timestamp differs from the clock by ${Math.round(Math.abs(age_s))} seconds`)
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${text}`)
  const signatures = signature.split(' ').slice(0, MAX_SIGNATURES)
  for (const one of typeof secret === 'string' ? [secret] : secret) {
    const key = await keyOf(one)
    for (const candidate of signatures) {
      const [version, value = ''] = candidate.split(',')
      const bytes = version === key.version ? decode(value) : undefined
      // WebCrypto compares signatures in constant time.
      if (bytes && (await crypto.subtle.verify(key.key.algorithm.name, key.key, bytes, signed)))
        return parse(text)
    }
  }
  throw refused('no signature matches a secret')
}

async function keyOf(secret: string): Promise<{ version: string; key: CryptoKey }> {
  const isPublic = secret.startsWith('whpk_')
  const bytes = decode(secret.replace(/^whsec_|^whpk_/, ''))
  if (!bytes || bytes.length === 0) throw refused('a secret must be whsec_ or whpk_ plus base64')
  const algorithm = isPublic ? { name: 'Ed25519' } : { name: 'HMAC', hash: 'SHA-256' }
  try {
    const key = await crypto.subtle.importKey('raw', bytes, algorithm, false, ['verify'])
    return { version: isPublic ? 'v1a' : 'v1', key }
  } catch {
    throw refused(
      'a whpk_ secret is not an Ed25519 key of 32 bytes, or this runtime does not support Ed25519',
    )
  }
}

function parse(text: string): Notification {
  try {
    return JSON.parse(text)
  } catch {
    throw refused('the message is not JSON')
  }
}

function headerOf(headers: HeadersLike, name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1]
  return typeof found === 'string' ? found : found?.[0]
}

function decode(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}

function refused(detail: string): WebhookVerificationError {
  return new WebhookVerificationError({
    code: 'invalid_signature',
    detail: `The webhook is refused: ${detail}.`,
  })
}
