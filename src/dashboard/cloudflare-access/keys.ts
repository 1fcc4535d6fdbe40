import { z } from 'zod'
import { readUpTo } from '../../http/read-up-to.ts'
import { logFailure } from '../../logging/log.ts'
import { HOUR_MS, withDeadline } from '../../time/durations.ts'

/**
 * The maximum number of keys that a team's key list can contain. The list normally contains two keys: the current key
 * and the previous key.
 */
const MAX_KEYS = 20
const MAX_BYTES = 64 * 1024
const TIMEOUT_MS = 5_000
/**
 * The age in ms from which cached keys are read again. If the read fails, cached keys are used up to the age `KEPT_MS`.
 */
const FRESH_MS = HOUR_MS
const KEPT_MS = 24 * HOUR_MS
/** The minimum time in ms between two reads. It limits the reads that requests with unknown key ids cause. */
const PAUSE_MS = 60_000

export const keyId = z.string().min(1).max(200)

const certsSchema = z.object({
  keys: z
    .array(
      z.object({
        kid: keyId,
        kty: z.literal('RSA'),
        alg: z.literal('RS256').optional(),
        // The modulus must have 2,048 to 8,192 bits.
        n: z.string().regex(/^[A-Za-z0-9_-]{342,1366}$/),
        e: z.string().regex(/^[A-Za-z0-9_-]{1,10}$/),
      }),
    )
    .min(1)
    .max(MAX_KEYS),
})

const ALGORITHM = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const

/** The public keys of a Cloudflare Access team, cached in one isolate. */
export class AccessKeys {
  private readonly url: string
  private keys: ReadonlyMap<string, CryptoKey> = new Map()
  private read_at_ms = -Infinity
  private began_at_ms = -Infinity
  private reading: Promise<void> = Promise.resolve()

  constructor(team_domain: string) {
    this.url = `https://${team_domain}/cdn-cgi/access/certs`
  }

  /**
   * Returns the key with the id `kid`. Returns undefined if the keys that were last read do not include it, and
   * `unavailable` if no read of the keys succeeded in the last 24 hours.
   */
  async find(kid: string, now_ms: number): Promise<CryptoKey | undefined | 'unavailable'> {
    const known = this.keys.get(kid)
    if (known && now_ms - this.read_at_ms < FRESH_MS) return known
    if (now_ms - this.began_at_ms >= PAUSE_MS) {
      this.began_at_ms = now_ms
      this.reading = this.read(now_ms)
    }
    await withDeadline(this.reading, TIMEOUT_MS)
    return now_ms - this.read_at_ms < KEPT_MS ? this.keys.get(kid) : 'unavailable'
  }

  /** Reads the keys of the team. Never throws: a failure is logged, and the cached keys stay. */
  private async read(now_ms: number): Promise<void> {
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS)
      const response = await fetch(this.url, { signal, redirect: 'manual' })
      if (response.status !== 200) throw new Error(`the status is ${response.status}`)
      const bytes = await readUpTo(response.body, MAX_BYTES)
      if (!bytes) throw new Error(`the response has more than ${MAX_BYTES} bytes`)
      const { keys } = certsSchema.parse(JSON.parse(new TextDecoder().decode(bytes)))
      const imported = keys.map(async ({ kid, kty, n, e }) => {
        const key = await crypto.subtle.importKey('jwk', { kty, n, e }, ALGORITHM, false, ['verify'])
        return [kid, key] as const
      })
      this.keys = new Map(await Promise.all(imported))
      this.read_at_ms = now_ms
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      logFailure('access_keys_not_read', { url: this.url, reason })
    }
  }
}

/** Reports whether a signature of a text was made with the private key that belongs to the public key `key`. */
export function isSignedBy(key: CryptoKey, signature: Uint8Array, text: string): Promise<boolean> {
  return crypto.subtle.verify(ALGORITHM, key, signature, new TextEncoder().encode(text))
}
