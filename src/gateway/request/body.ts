import { readUpTo } from '../../http/read-up-to.ts'
import { isRecord } from '../../ledger/model/json.ts'
import type { FieldError } from '../../ledger/model/refusal.ts'

export const MAX_JSON_BYTES = 16 * 1024 * 1024

export interface JsonBody {
  readonly kind: 'json'
  /** The body as the client sent it. */
  readonly bytes: Uint8Array
  readonly text: string
  readonly value: Readonly<Record<string, unknown>>
}

export type BodyProblem =
  | { readonly kind: 'too_large' }
  | { readonly kind: 'not_json' }
  | { readonly kind: 'unsupported' }
  | { readonly kind: 'invalid'; readonly error: FieldError }

/**
 * Reads a JSON object of at most 16 MB. The object is parsed to price the call. Its bytes are also returned, so that
 * they can be relayed unchanged.
 */
export async function readJsonBody(request: Request): Promise<JsonBody | BodyProblem> {
  const encoding = request.headers.get('Content-Encoding') ?? 'identity'
  if (encoding !== 'identity') return { kind: 'unsupported' }
  if (!/^application\/json\s*(?:;|$)/i.test(request.headers.get('Content-Type') ?? '')) {
    return { kind: 'unsupported' }
  }
  const bytes = await readBytes(request)
  if (!bytes) return { kind: 'too_large' }
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
    const value: unknown = JSON.parse(text)
    if (isRecord(value)) return { kind: 'json', bytes, text, value }
    return { kind: 'invalid', error: { path: '', message: 'must be a JSON object' } }
  } catch {
    return { kind: 'not_json' }
  }
}

/** Reads the body. Returns undefined if the body is too large. */
async function readBytes(request: Request): Promise<Uint8Array | undefined> {
  const { headers, body } = request
  // The runtime never reads more bytes than the declared length.
  const declared = headers.get('Transfer-Encoding') === null ? headers.get('Content-Length') : null
  if (declared === null) return readUpTo(body, MAX_JSON_BYTES)
  return Number(declared) <= MAX_JSON_BYTES ? new Uint8Array(await request.arrayBuffer()) : undefined
}
