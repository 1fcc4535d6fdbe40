import { customerId } from '../../http/input/identifiers.ts'
import { JsonSource } from '../../http/input/json-source.ts'
import { metadataInput } from '../../http/input/metadata.ts'
import type { JsonText } from '../../ledger/model/json.ts'
import type { FieldError } from '../../ledger/model/refusal.ts'

/**
 * The values of `Idempotency-Key` and of the `X-Meter-` headers, except `X-Meter-Fallback` and `X-Meter-Provider-Key`.
 * They name the user, the team and the feature to charge, and they control the behaviour of the gateway.
 */
export interface MeterHeaders {
  readonly feature_id: string
  readonly user_id?: string
  readonly team_id?: string
  readonly metadata?: JsonText
  readonly idempotency_key?: string
  readonly clip: boolean
  readonly trailer: boolean
  /** Whether the gateway reads a stream to its end after the client has disconnected. */
  readonly drain: boolean
}

const DEFAULT_FEATURE = 'gateway'
const PRINTABLE_ASCII = /^[\x20-\x7e]{1,255}$/

export type ReadHeaders =
  | { readonly kind: 'read'; readonly meter: MeterHeaders }
  | { readonly kind: 'invalid'; readonly errors: readonly FieldError[] }

export function readMeterHeaders(header: (name: string) => string | undefined): ReadHeaders {
  const errors: FieldError[] = []
  const id = (name: string): string | undefined => {
    const sent = header(name)
    if (sent === undefined || sent === '') return undefined
    const parsed = customerId().safeParse(decoded(sent))
    if (parsed.success) return parsed.data
    errors.push({ path: `/${name}`, message: parsed.error.issues[0]?.message ?? 'is invalid' })
    return undefined
  }
  const user_id = id('X-Meter-User')
  const team_id = id('X-Meter-Team')
  const feature_id = id('X-Meter-Feature') ?? DEFAULT_FEATURE
  const metadata = metadataOf(header('X-Meter-Metadata'), errors)
  const idempotency_key = header('Idempotency-Key')
  if (idempotency_key !== undefined && !PRINTABLE_ASCII.test(idempotency_key)) {
    errors.push({ path: '/Idempotency-Key', message: 'must be 1 to 255 printable ASCII characters' })
  }
  const on_abort = header('X-Meter-On-Abort') ?? 'bill_generated'
  if (on_abort !== 'bill_generated' && on_abort !== 'drain') {
    errors.push({ path: '/X-Meter-On-Abort', message: 'must be bill_generated or drain' })
  }
  const flag = (name: string): boolean => {
    const sent = header(name) ?? ''
    if (sent !== '' && sent !== 'true' && sent !== 'false') {
      errors.push({ path: `/${name}`, message: 'must be true or false' })
    }
    return sent === 'true'
  }
  const clip = flag('X-Meter-Clip')
  const trailer = flag('X-Meter-Trailer')
  if (errors.length > 0) return { kind: 'invalid', errors }
  return {
    kind: 'read',
    meter: {
      feature_id,
      ...(user_id !== undefined && { user_id }),
      ...(team_id !== undefined && { team_id }),
      ...(metadata !== undefined && { metadata }),
      ...(idempotency_key !== undefined && { idempotency_key }),
      clip,
      trailer,
      drain: on_abort === 'drain',
    },
  }
}

/**
 * Decodes a header value as UTF-8. The runtime decodes header bytes as Latin-1, but clients send UTF-8. Returns the
 * value unchanged if it is not valid UTF-8.
 */
function decoded(value: string): string {
  if (!/[\x80-\xff]/.test(value) || /[\u0100-\uffff]/.test(value)) return value
  const bytes = Uint8Array.from(value, (sign) => sign.charCodeAt(0))
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
  } catch {
    return value
  }
}

function metadataOf(sent: string | undefined, errors: FieldError[]): JsonText | undefined {
  if (sent === undefined || sent === '') return undefined
  const invalid = (message: string) => {
    errors.push({ path: '/X-Meter-Metadata', message })
    return undefined
  }
  try {
    const parsed = metadataInput().safeParse(JsonSource.read(decoded(sent)))
    return parsed.success ? parsed.data : invalid(parsed.error.issues[0]?.message ?? 'is invalid')
  } catch {
    return invalid('must be a JSON object')
  }
}
