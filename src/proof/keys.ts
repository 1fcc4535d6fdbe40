import { Buffer } from 'node:buffer'
import { createHash, hkdfSync } from 'node:crypto'
import type { Bindings } from '../bindings.ts'
import { oncePerBindings } from '../config.ts'
import { logFailure } from '../logging/log.ts'
import { usableSecrets } from '../secrets/usable.ts'

/** The key that signs checkpoints and receipts. It is derived from the Worker's secret `LEDGER_SIGNING_KEY`. */
export interface SigningKey {
  /** The id of the key: the JWK thumbprint (RFC 7638) of the public key. */
  readonly key_id: string
  /** The Ed25519 public key in base64url. */
  readonly public_key: string
  readonly sign: (text: string) => Promise<Uint8Array>
}

/**
 * The development value of `LEDGER_SIGNING_KEY`. It is public, so it is accepted only if `ENVIRONMENT` is
 * `development`.
 */
export const DEVELOPMENT_SIGNING_KEY = 'dev-signing-key'
const PURPOSE = 'openmonetize ledger signing key'
const SEED_BYTES = 32
/** The bytes that precede the seed of an Ed25519 key in PKCS #8 format (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Returns the signing key; null if the deployment has no usable secret for it. */
export const signingKeyOf = oncePerBindings(readSigningKey)

async function readSigningKey(env: Bindings): Promise<SigningKey | null> {
  const [secret] = usableSecrets(env, [env.LEDGER_SIGNING_KEY], {
    development_value: DEVELOPMENT_SIGNING_KEY,
    onRefused: (reason) => logFailure('signing_key_refused', { reason }),
  })
  if (secret === undefined) return null
  const seed = new Uint8Array(hkdfSync('sha256', secret, '', PURPOSE, SEED_BYTES))
  const pkcs8 = Buffer.concat([PKCS8_PREFIX, seed])
  const key = await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', true, ['sign'])
  const jwk = await crypto.subtle.exportKey('jwk', key)
  const public_key = 'x' in jwk ? String(jwk.x) : ''
  return {
    key_id: thumbprintOf(public_key),
    public_key,
    sign: async (text) =>
      new Uint8Array(await crypto.subtle.sign('Ed25519', key, new TextEncoder().encode(text))),
  }
}

/**
 * Returns the JWK thumbprint (RFC 7638) of a public key: the hash of the required members as JSON, sorted by name and
 * without spaces.
 */
function thumbprintOf(public_key: string): string {
  return createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${public_key}"}`).digest('base64url')
}
