import { type Pause, readUpTo } from '../../http/read-up-to.ts'
import { isRecord } from '../../ledger/model/json.ts'
import type { FieldError } from '../../ledger/model/refusal.ts'

export const MAX_JSON_BYTES = 16 * 1024 * 1024

export interface JsonBody {
  readonly kind: 'json'
  /** The bytes of the body, unchanged. */
  readonly bytes: Uint8Array
  readonly text: string
  readonly value: Readonly<Record<string, unknown>>
}

export type BodyProblem =
  | { readonly kind: 'too_large' }
  | { readonly kind: 'not_json' }
  | { readonly kind: 'unsupported' }
  | { readonly kind: 'invalid'; readonly error: FieldError }

/** Returns the declared length of a body in bytes; undefined if the body is chunked or declares no length. */
export function declaredLength(headers: Headers): number | undefined {
  const length = headers.get('Transfer-Encoding') === null ? headers.get('Content-Length') : null
  return length === null ? undefined : Number(length)
}

/**
 * Reads a body that is a JSON object of at most 16 MB. Returns the parsed object, which determines the price of the
 * call, and the bytes, which are relayed to the provider. If the body declares no length and becomes large, calls
 * `pause.wait` before it reads on.
 */
export async function readJsonBody(request: Request, pause: Pause): Promise<JsonBody | BodyProblem> {
  const encoding = request.headers.get('Content-Encoding') ?? 'identity'
  if (encoding !== 'identity') return { kind: 'unsupported' }
  if (!/^application\/json\s*(?:;|$)/i.test(request.headers.get('Content-Type') ?? '')) {
    return { kind: 'unsupported' }
  }
  const bytes = await readBytes(request, pause)
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
async function readBytes(request: Request, pause: Pause): Promise<Uint8Array | undefined> {
  // If the length is declared, the runtime never reads more bytes than declared.
  const declared = declaredLength(request.headers)
  if (declared === undefined) return readUpTo(request.body, MAX_JSON_BYTES, pause)
  return declared <= MAX_JSON_BYTES ? new Uint8Array(await request.arrayBuffer()) : undefined
}
