import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { writeFile } from 'node:fs/promises'

interface Published {
  /** The bytes of the feed. */
  readonly text: string
  /** The signature of the bytes, in base64. */
  readonly signature: string
  /** The value of PRICE_FEED_KEY. */
  readonly public_key: string
  readonly version: number
}

/**
 * Makes a price feed of a catalogue, and signs it with an Ed25519 key in PEM (PKCS 8). The version of the feed is the
 * minute of its publication.
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
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('PRICE_FEED_SIGNING_KEY must be an Ed25519 key')
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' })
  return {
    text,
    signature: sign(null, Buffer.from(text), key).toString('base64'),
    public_key: Buffer.from(x, 'base64url').toString('base64'),
    version,
  }
}

/** Writes the feed, and its signature into a file next to it. */
export async function publish(
  file: string,
  catalogue: string,
  private_key: string | undefined,
): Promise<void> {
  if (private_key === undefined) throw new Error('set PRICE_FEED_SIGNING_KEY to an Ed25519 key in PEM')
  const { text, signature, public_key, version } = signFeed(catalogue, private_key, new Date())
  await writeFile(file, text)
  await writeFile(`${file}.sig`, `${signature}\n`)
  console.log(`${file} and ${file}.sig: version ${version}, for PRICE_FEED_KEY ${public_key}`)
}
