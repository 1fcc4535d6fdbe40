import { fingerprintOf } from '../http/input/fingerprint.ts'
import { withoutNulls } from '../http/input/nulls.ts'
import { fieldErrors } from '../http/input/validation.ts'
import { newId } from '../ids.ts'
import type { Asked } from '../ledger/client/call.ts'
import type { Caller } from '../ledger/model/account.ts'
import { walletItemOf } from '../ledger/model/ledger-ids.ts'
import type { IngestItem } from '../ledger/model/messages/events.ts'
import { invalid, type Refusal } from '../ledger/model/refusal.ts'
import type { Idempotency, LedgerName, WalletItemRef } from '../ledger/model/vocabulary.ts'
import type { PriceBook } from '../pricing/cost/price-book.ts'
import { type EventInput, eventSchema, priceEvent } from '../rating/event.ts'
import { readPlainEvent } from '../rating/plain-event.ts'
import { batchSchema } from './schema.ts'

/** An ingest request, its time of arrival, and the prices of its customer. */
export interface IngestRequest {
  readonly caller: Caller
  readonly ledger: LedgerName
  readonly body: Readonly<Record<string, unknown>>
  /** The `Idempotency-Key` header. */
  readonly header_key: string | undefined
  readonly now_ms: number
  /** The customer's prices. */
  readonly book: PriceBook
}

export type ReadResult =
  | { readonly kind: 'read'; readonly message: Asked<'ingest'> }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/**
 * Converts an ingest request to a message for the ledger. Validates and prices the events and computes the fingerprints
 * of their idempotency keys, without I/O.
 */
export function readIngest(request: IngestRequest): ReadResult {
  const { body } = request
  if (body.events === null) {
    const { events: _, ...event } = body
    return readSingle(request, cleaned(event))
  }
  if (!Object.hasOwn(body, 'events')) return readSingle(request, cleaned(body))
  if (!Array.isArray(body.events)) return readBatch(request)
  return readBatch({ ...request, body: { ...body, events: body.events.map(cleaned) } })
}

/**
 * Returns an event without the nulls that mean "absent" (`withoutNulls`). They affect neither the validation nor the
 * fingerprint.
 */
const cleaned = (event: unknown) => withoutNulls(eventSchema, event)

const OPERATION = 'POST /v1/events/ingest'

/**
 * Reads a request with one event. Returns a refusal if the schema refuses the event, or if the body and the header have
 * different idempotency keys. Otherwise, returns a message for the ledger, even if the event cannot be priced.
 */
function readSingle(request: IngestRequest, event: unknown): ReadResult {
  const { item, malformed } = readEvent(event, request)
  if (malformed) return { kind: 'refused', refusal: malformed }
  const body_key = item.idempotency?.key
  if (body_key !== undefined && request.header_key !== undefined && body_key !== request.header_key) {
    const message = 'must be equal to the header Idempotency-Key'
    return { kind: 'refused', refusal: invalid([{ path: '/idempotency_key', message }]) }
  }
  const key = body_key ?? request.header_key
  const message: Asked<'ingest'> = {
    caller: request.caller,
    shape: 'single',
    item: key === body_key || key === undefined ? item : { ...item, idempotency: idempotencyOf(key, event) },
  }
  return { kind: 'read', message }
}

/** Reads a batch. Refuses the whole batch only if its envelope is invalid. An invalid event is refused separately. */
function readBatch(request: IngestRequest): ReadResult {
  const envelope = batchSchema.safeParse(request.body)
  if (!envelope.success) return { kind: 'refused', refusal: invalid(fieldErrors(envelope.error.issues)) }
  const { header_key } = request
  const message: Asked<'ingest'> = {
    caller: request.caller,
    shape: 'batch',
    batch_id: newId('batch'),
    ...(header_key !== undefined && {
      idempotency: { key: header_key, fingerprint: fingerprintOf(OPERATION, request.body) },
    }),
    items: envelope.data.events.map((event) =>
      withoutBatchKey(tooWide(event) ?? readEvent(event, request).item, header_key),
    ),
  }
  return { kind: 'read', message }
}

/**
 * The maximum number of fields of an event in a batch. Valid events have far fewer fields. The limit saves CPU time:
 * zod takes a millisecond to list a few hundred unknown fields, and a batch can have a thousand events.
 */
const MAX_EVENT_FIELDS = 100

function tooWide(event: unknown): IngestItem | undefined {
  if (typeof event !== 'object' || event === null) return undefined
  if (Object.keys(event).length <= MAX_EVENT_FIELDS) return undefined
  const message = `must have at most ${MAX_EVENT_FIELDS} fields in a batch`
  return { event: null, refusal: invalid([{ path: '', message }]) }
}

/** Replaces an event with a refusal if the event has the same idempotency key as the whole batch. */
function withoutBatchKey(item: IngestItem, batch_key: string | undefined): IngestItem {
  if (batch_key === undefined || item.idempotency?.key !== batch_key) return item
  return { event: null, refusal: { code: 'idempotency_mismatch' } }
}

interface ReadEvent {
  readonly item: IngestItem
  /**
   * The refusal of an event that the schema refuses; `item` contains the same refusal. Absent if the schema accepts it.
   */
  readonly malformed?: Refusal
}

function readEvent(body: unknown, { ledger, now_ms, book }: IngestRequest): ReadEvent {
  const input = readPlainEvent(body) ?? validated(body)
  if ('code' in input) return { item: { event: null, refusal: input }, malformed: input }
  const { idempotency_key } = input
  const priced = priceEvent(input, ledger.customer_id, now_ms, book)
  const hold = holdOf(input.hold_id, ledger)
  if (hold === 'unknown') {
    const message = 'is not the id of a hold of this ledger'
    return { item: { event: null, refusal: invalid([{ path: '/hold_id', message }]) } }
  }
  const event = priced.kind === 'priced' ? (hold ? { ...priced.event, hold } : priced.event) : null
  const refusal = priced.kind === 'priced' ? null : priced.refusal
  if (idempotency_key === undefined) return { item: { event, refusal } }
  return { item: { idempotency: idempotencyOf(idempotency_key, body), event, refusal } }
}

function validated(body: unknown): EventInput | Refusal {
  const parsed = eventSchema.safeParse(body)
  return parsed.success ? parsed.data : invalid(fieldErrors(parsed.error.issues))
}

/**
 * Returns the hold with an id; undefined if there is no id, and `unknown` if the id does not belong to a hold of this
 * ledger. The ledger later checks whether the hold is open.
 */
function holdOf(id: string | undefined, ledger: LedgerName): WalletItemRef | undefined | 'unknown' {
  return id === undefined ? undefined : (walletItemOf('hold', id, ledger) ?? 'unknown')
}

/**
 * Returns an idempotency key with the fingerprint of its event. The fingerprint covers only the event. It is therefore
 * the same for a single event and for an event in a batch, and for a key in the header and a key in the body.
 */
function idempotencyOf(key: string, event: unknown): Idempotency {
  return { key, fingerprint: fingerprintOf(OPERATION, event, 'idempotency_key') }
}
