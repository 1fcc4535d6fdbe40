import { z } from 'zod'
import { fields } from '../../pricing/catalogue/notation.ts'
import { readPeriods } from '../../pricing/catalogue/period.ts'

/**
 * The parsed content of a price feed. A price feed is a published catalogue. It contains the providers with their model
 * lines in the form of `catalogue.json`, a version that increases with each feed, and the digest of the providers. The
 * Ed25519 signature of the feed's bytes, in base64, is at the URL of the feed followed by `.sig`.
 */
export interface PriceFeed {
  readonly version: number
  readonly prices: readonly FeedPrice[]
}

export interface FeedPrice {
  readonly provider: string
  /** The name of the model, in lower case. */
  readonly model: string
  /** The prices of all periods, in the notation of the catalogue. */
  readonly list: string
}

const MAX_PROVIDERS = 500
const MAX_MODELS = 20_000
const MAX_LINE = 10_000

const feedSchema = z.strictObject({
  format: z.literal(1),
  version: z.int().min(1).max(Number.MAX_SAFE_INTEGER),
  published_at: z.iso.datetime(),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  providers: z
    .array(
      z.object({
        id: z.string().regex(/^[a-z0-9_.-]{1,64}$/),
        models: z.array(z.string().max(MAX_LINE)).max(MAX_MODELS),
      }),
    )
    .min(1)
    .max(MAX_PROVIDERS),
})

export type ReadFeed =
  | { readonly kind: 'read'; readonly feed: PriceFeed }
  | { readonly kind: 'refused'; readonly reason: string }

/**
 * Verifies the signature of a feed with the public key `key`, and then parses the feed. Returns a refusal with the
 * reason if the signature or the feed is invalid.
 */
export async function readFeed(bytes: Uint8Array, signature: string, key: string): Promise<ReadFeed> {
  if (!(await isSigned(bytes, signature, key))) return refused('The signature does not match PRICE_FEED_KEY.')
  let sent: unknown
  try {
    sent = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    return refused('The feed is not JSON in UTF-8.')
  }
  const parsed = feedSchema.safeParse(sent)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return refused(
      `The feed does not have the format of a catalogue: /${issue?.path.join('/')}: ${issue?.message}`,
    )
  }
  const { version, digest, providers } = parsed.data
  const raw = z.object({ providers: z.unknown() }).parse(sent).providers
  if ((await sha256(JSON.stringify(raw))) !== digest)
    return refused('The digest does not match the providers.')
  const prices = new Map<string, FeedPrice>()
  for (const provider of providers) {
    for (const line of provider.models) {
      const [id = '', , , list = ''] = fields(line)
      const wrong = lineProblem(id, list)
      if (wrong !== undefined) return refused(`${provider.id} ${JSON.stringify(id.slice(0, 60))}: ${wrong}`)
      const model = id.toLowerCase()
      const key = `${provider.id}/${model}`
      if (prices.has(key)) return refused(`The feed has two lines for ${key}.`)
      prices.set(key, { provider: provider.id, model, list })
    }
  }
  if (prices.size > MAX_MODELS) return refused(`The feed has more than ${MAX_MODELS} models.`)
  return { kind: 'read', feed: { version, prices: [...prices.values()] } }
}

function lineProblem(id: string, list: string): string | undefined {
  if (!/^\S{1,255}$/.test(id)) return 'is not a valid model name'
  try {
    readPeriods(list)(0)
    return list.trim() === '' ? 'has no price' : undefined
  } catch (error) {
    return error instanceof Error ? error.message.slice(0, 200) : 'cannot be read'
  }
}

async function isSigned(bytes: Uint8Array, signature: string, key: string): Promise<boolean> {
  if (!/^[A-Za-z0-9+/]{86}==$/.test(signature)) return false
  const imported = await crypto.subtle.importKey('raw', Buffer.from(key, 'base64'), 'Ed25519', false, [
    'verify',
  ])
  return crypto.subtle.verify('Ed25519', imported, Buffer.from(signature, 'base64'), bytes)
}

export async function sha256(content: string | Uint8Array): Promise<string> {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  return Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('hex')
}

function refused(reason: string): ReadFeed {
  return { kind: 'refused', reason }
}
