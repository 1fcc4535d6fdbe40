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

/** An ingest request and its time of arrival. */
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
 * Converts a request to a message to the ledger. Validates and prices the events and computes their fingerprints,
 * without I/O.
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

/** Removes fields that are null. They count as absent, for validation and for the fingerprint. */
const cleaned = (event: unknown) => withoutNulls(eventSchema, event)

const OPERATION = 'POST /v1/events/ingest'

/**
 * Reads one event. Refuses invalid fields immediately with a 400. Sends all other events to the ledger, even if they
 * have no price.
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

/** Reads a batch. The whole batch is refused only if its envelope is invalid. */
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
 * The maximum number of fields of an event in a batch, far more than a valid event has. zod takes a millisecond to
 * list a few hundred unknown fields, and a batch may have a thousand events.
 */
const MAX_EVENT_FIELDS = 100

function tooWide(event: unknown): IngestItem | undefined {
  if (typeof event !== 'object' || event === null) return undefined
  if (Object.keys(event).length <= MAX_EVENT_FIELDS) return undefined
  const message = `must have at most ${MAX_EVENT_FIELDS} fields in a batch`
  return { event: null, refusal: invalid([{ path: '', message }]) }
}

/** Refuses an event whose idempotency key is the key of the whole batch. */
function withoutBatchKey(item: IngestItem, batch_key: string | undefined): IngestItem {
  if (batch_key === undefined || item.idempotency?.key !== batch_key) return item
  return { event: null, refusal: { code: 'idempotency_mismatch' } }
}

interface ReadEvent {
  readonly item: IngestItem
  /** The refusal of an event with invalid fields. The item has the same refusal. */
  readonly malformed?: Refusal
}

function readEvent(body: unknown, { ledger, now_ms, book }: IngestRequest): ReadEvent {
  const input = readPlainEvent(body) ?? validated(body)
  if ('code' in input) return { item: { event: null, refusal: input }, malformed: input }
  const { idempotency_key } = input
  const priced = priceEvent(input, ledger.customer_id, now_ms, book)
  const hold = holdOf(input.hold_id, ledger)
  if (hold === 'unknown') {
    const message = 'is not a hold of this customer'
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

/** Returns the hold of an id. The ledger checks whether the hold is open. */
function holdOf(id: string | undefined, ledger: LedgerName): WalletItemRef | undefined | 'unknown' {
  return id === undefined ? undefined : (walletItemOf('hold', id, ledger) ?? 'unknown')
}

/**
 * Returns the key with the fingerprint of the event. The fingerprint covers only the event, so it is the same for a
 * single event and in a batch, and for a key in the header and in the body.
 */
function idempotencyOf(key: string, event: unknown): Idempotency {
  return { key, fingerprint: fingerprintOf(OPERATION, event, 'idempotency_key') }
}
