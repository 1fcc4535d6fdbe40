import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { writeFile } from 'node:fs/promises'

interface Published {
  /** The feed as JSON. */
  readonly text: string
  /** The Ed25519 signature of `text`, in base64. */
  readonly signature: string
  /** The public key in base64, for the setting PRICE_FEED_KEY of a server that reads the feed. */
  readonly public_key: string
  readonly version: number
}

/**
 * Converts a catalogue to a price feed, and signs the feed with an Ed25519 private key in PEM (PKCS #8). The version of
 * the feed is the time of publication as a number, such as 202611281430.
 */
export function signFeed(catalogue: string, private_key: string, at: Date): Published {
  const { providers }: { providers: readonly { readonly id: string; readonly models: readonly string[] }[] } =
    JSON.parse(catalogue)
  const published = providers.map(({ id, models }) => ({ id, models }))
  const published_at = at.toISOString()
  const version = Number(published_at.slice(0, 16).replace(/\D/g, ''))
  const digest = createHash('sha256').update(JSON.stringify(published)).digest('hex')
  const text = JSON.stringify({ format: 1, version, published_at, digest, providers: published })
  const key = createPrivateKey(private_key)
  if (key.asymmetricKeyType !== 'ed25519')
    throw new Error(`PRICE_FEED_SIGNING_KEY must be an Ed25519 key, not ${key.asymmetricKeyType}`)
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' })
  return {
    text,
    signature: sign(null, Buffer.from(text), key).toString('base64'),
    public_key: Buffer.from(x, 'base64url').toString('base64'),
    version,
  }
}

/** Writes the signed feed to `file`, and its signature to the same name with the suffix `.sig`. */
export async function publish(
  file: string,
  catalogue: string,
  private_key: string | undefined,
): Promise<void> {
  if (private_key === undefined)
    throw new Error('PRICE_FEED_SIGNING_KEY is not set. Set it to an Ed25519 private key in PEM.')
  const { text, signature, public_key, version } = signFeed(catalogue, private_key, new Date())
  await writeFile(file, text)
  await writeFile(`${file}.sig`, `${signature}\n`)
  console.log(`${file} and ${file}.sig: version ${version}, for PRICE_FEED_KEY ${public_key}`)
}
