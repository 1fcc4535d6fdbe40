/**
 * Signs messages according to Standard Webhooks 1.0. A `v1` signature is HMAC-SHA256 with a shared secret. A `v1a`
 * signature is Ed25519. The signed text is `id.timestamp.body`. A receiver can therefore refuse a message that was
 * changed, and a message that an attacker sends again later.
 */

/** The keys that sign the messages to an endpoint. */
export interface SigningKey {
  /** The shared secret: `whsec_`, followed by 32 bytes in base64. */
  readonly secret: string
  /** The Ed25519 private key in PKCS #8 format, in base64; null if the key creates no `v1a` signatures. */
  readonly private_key: string | null
}

export interface NewSigningKey extends SigningKey {
  /** The Ed25519 public key: `whpk_`, followed by 32 bytes in base64. Null if the key creates no `v1a` signatures. */
  readonly public_key: string | null
}

const SECRET_BYTES = 32
const SECRET_PREFIX = 'whsec_'
const PUBLIC_PREFIX = 'whpk_'

export async function newSigningKey({ v1a }: { readonly v1a: boolean }): Promise<NewSigningKey> {
  const secret = SECRET_PREFIX + base64(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)))
  if (!v1a) return { secret, private_key: null, public_key: null }
  return { secret, ...(await newKeyPair()) }
}

/** Creates an Ed25519 key pair and returns its two keys in the formats of `NewSigningKey`. */
export async function newKeyPair(): Promise<{ readonly private_key: string; readonly public_key: string }> {
  const pair = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new Error('the runtime returned no Ed25519 key pair')
  const [private_key, public_key] = await Promise.all([
    crypto.subtle.exportKey('pkcs8', pair.privateKey),
    crypto.subtle.exportKey('raw', pair.publicKey),
  ])
  return {
    private_key: base64(bytesOf(private_key)),
    public_key: PUBLIC_PREFIX + base64(bytesOf(public_key)),
  }
}

export interface SignedHeaders {
  readonly 'webhook-id': string
  readonly 'webhook-timestamp': string
  readonly 'webhook-signature': string
}

/**
 * Returns the signed headers of one attempt. Each of the keys signs the message: while a secret is being replaced,
 * these are the old and the new keys.
 */
export async function signedHeaders(
  message: { readonly id: string; readonly at_ms: number; readonly body: string },
  keys: readonly SigningKey[],
): Promise<SignedHeaders> {
  const timestamp = String(Math.floor(message.at_ms / 1_000))
  const signed = new TextEncoder().encode(`${message.id}.${timestamp}.${message.body}`)
  const signatures = await Promise.all(
    keys.flatMap(({ secret, private_key }) => [
      hmac(secret, signed),
      ...(private_key === null ? [] : [ed25519(private_key, signed)]),
    ]),
  )
  return {
    'webhook-id': message.id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  }
}

async function hmac(secret: string, signed: BufferSource): Promise<string> {
  const bytes = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')
  const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  return `v1,${base64(await crypto.subtle.sign('HMAC', key, signed))}`
}

async function ed25519(private_key: string, signed: BufferSource): Promise<string> {
  const bytes = Buffer.from(private_key, 'base64')
  const key = await crypto.subtle.importKey('pkcs8', bytes, 'Ed25519', false, ['sign'])
  return `v1a,${base64(await crypto.subtle.sign('Ed25519', key, signed))}`
}

function bytesOf(exported: ArrayBuffer | JsonWebKey): ArrayBuffer {
  if (exported instanceof ArrayBuffer) return exported
  throw new Error('the key was not exported as bytes')
}

function base64(bytes: ArrayBuffer | Uint8Array): string {
  return Buffer.from(bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes).toString('base64')
}
