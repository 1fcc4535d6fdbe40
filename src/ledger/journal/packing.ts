import type { AuditRecord } from '../../audit/record.ts'
import { isTwoByte, jsonArray, sizeOf, utf8 } from '../../db/json-parameters.ts'
import type { SubjectKind } from '../../db/schema.ts'
import { newSalt } from '../chain/row-hash.ts'
import type { AnswerRecord, JournalRecord, NotificationRecord, StoredAnswer } from '../model/journal.ts'
import { parseStored } from '../model/json.ts'
import type { NotificationData, NotificationType } from '../model/notifications.ts'
import type { HoldState } from '../model/wallet.ts'
import { assertFormat, type PackedEntry, packEntry, unpackEntry } from './packed-entry.ts'

interface PackedHold {
  H: HoldState
  at: number
}

interface PackedAudit {
  L: AuditRecord
  at: number
}

interface PackedNotification {
  /** The sequence number of the notification. */
  N: number
  t: NotificationType
  D: NotificationData
  at: number
  k?: [key: string, fingerprint: string]
}

type PackedRecord = PackedEntry | PackedAnswer | PackedHold | PackedAudit | PackedNotification

interface PackedAnswer {
  A: StoredAnswer
  at: number
  k: [key: string, fingerprint: string]
}

/**
 * The maximum length of a row in characters, unless its only record is longer. It limits the text that a replay
 * parses.
 */
const ROW_LENGTH = 256 * 1024

/** The maximum size of a row, in bytes. Cloudflare's limit is 2 MB, which local runs do not enforce. */
export const MAX_ROW_BYTES = 1_900_000

export interface PackedRow {
  /** The JSON text of the records, or its UTF-8 bytes. */
  readonly body: string | ArrayBuffer
  readonly records: readonly JournalRecord[]
}

/** The number of records that one call of `JSON.stringify` writes. A call for each record takes 5 % longer. */
const RECORDS_A_TEXT = 8
/**
 * The maximum length, in characters, of a text with several records. A longer text is divided into one text for each
 * record, so that rows are filled evenly.
 */
const TEXT_LENGTH = 6 * 1024

/**
 * Packs the records of a commit, in order, into as few rows as their size allows. Yields one row if there are no
 * records.
 */
export function* packRows(records: readonly JournalRecord[]): Generator<PackedRow> {
  let texts: string[] = []
  let length = 0
  let first = 0
  for (const { text, from } of packedTexts(records, 0, records.length)) {
    if (length > 0 && length + text.length > ROW_LENGTH) {
      yield { body: bodyOf(texts), records: records.slice(first, from) }
      texts = []
      length = 0
      first = from
    }
    texts.push(text)
    length += text.length
  }
  yield { body: bodyOf(texts), records: first === 0 ? records : records.slice(first) }
}

/**
 * Returns the JSON of a row. A large row with a character above U+00FF is returned as bytes, because a string would
 * take two bytes for each character.
 */
function bodyOf(texts: readonly string[]): string | ArrayBuffer {
  const length = texts.reduce((sum, text) => sum + text.length, 0)
  return length > BYTES_FROM && texts.some(isTwoByte) ? jsonBytes(texts) : jsonArray(texts)
}

/**
 * The length in characters above which a row can be bound as bytes. Shorter rows are strings, which are bound faster.
 */
const BYTES_FROM = 64 * 1024

const BRACKETS = 2
const COMMA = 0x2c

function jsonBytes(texts: readonly string[]): ArrayBuffer {
  const commas = texts.length - 1
  const bytes = new Uint8Array(texts.reduce((sum, text) => sum + sizeOf(text), BRACKETS + commas))
  let at = 0
  for (const text of texts) {
    bytes[at] = at === 0 ? 0x5b : COMMA
    at += 1 + utf8.encodeInto(text, bytes.subarray(at + 1)).written
  }
  bytes[at] = 0x5d
  return bytes.buffer
}

/** The JSON of consecutive records, separated by commas, and the index of the first record. */
interface PackedText {
  readonly text: string
  readonly from: number
}

function* packedTexts(records: readonly JournalRecord[], from: number, to: number): Generator<PackedText> {
  for (let start = from; start < to; start += RECORDS_A_TEXT) {
    const end = Math.min(start + RECORDS_A_TEXT, to)
    const text = JSON.stringify(records.slice(start, end).map(packRecord)).slice(1, -1)
    if (text.length <= TEXT_LENGTH || end - start === 1) yield { text, from: start }
    else for (let at = start; at < end; at++) yield* packedTexts(records, at, at + 1)
  }
}

/** Unpacks the records of a journal row. Throws for an unknown format. */
export function unpackRow(format: number, body: string): JournalRecord[] {
  assertFormat(format)
  const packed: PackedRecord[] = parseStored(body)
  return packed.map(unpackRecord)
}

/** Throws if the body is larger than `MAX_ROW_BYTES`. */
export function assertRowSize(body: string | ArrayBuffer): void {
  // A UTF-16 code unit takes at most three bytes in UTF-8, so most rows need no exact measurement.
  if (typeof body === 'string' && body.length * 3 <= MAX_ROW_BYTES) return
  const bytes = typeof body === 'string' ? sizeOf(body) : body.byteLength
  if (bytes > MAX_ROW_BYTES) throw new Error(`a row of ${bytes} bytes exceeds the limit of ${MAX_ROW_BYTES}`)
}

function asWritten(_: SubjectKind, id: string): string {
  return id
}

function packRecord(record: JournalRecord): PackedRecord {
  switch (record.kind) {
    case 'entry':
      return packEntry(record, asWritten, newSalt())
    case 'answer':
      return packAnswer(record)
    case 'hold':
      return { H: record.hold, at: record.at_ms }
    case 'audit':
      return { L: record.audit, at: record.at_ms }
    case 'notification':
      return packNotification(record)
  }
}

function unpackRecord(packed: PackedRecord): JournalRecord {
  if ('A' in packed) return unpackAnswer(packed)
  if ('H' in packed) return { kind: 'hold', at_ms: packed.at, hold: packed.H }
  if ('L' in packed) return { kind: 'audit', at_ms: packed.at, audit: packed.L }
  if ('N' in packed) return unpackNotification(packed)
  return unpackEntry(packed, String)
}

function packAnswer(record: AnswerRecord): PackedAnswer {
  return { A: record.answer, at: record.at_ms, k: [record.idempotency.key, record.idempotency.fingerprint] }
}

function unpackAnswer(packed: PackedAnswer): AnswerRecord {
  return {
    kind: 'answer',
    at_ms: packed.at,
    answer: packed.A,
    idempotency: { key: packed.k[0], fingerprint: packed.k[1] },
  }
}

function packNotification({
  sequence,
  type,
  data,
  at_ms,
  idempotency,
}: NotificationRecord): PackedNotification {
  return {
    N: sequence,
    t: type,
    D: data,
    at: at_ms,
    ...(idempotency && { k: [idempotency.key, idempotency.fingerprint] }),
  }
}

function unpackNotification({
  N: sequence,
  t: type,
  D: data,
  at: at_ms,
  k,
}: PackedNotification): NotificationRecord {
  return {
    kind: 'notification',
    sequence,
    type,
    data,
    at_ms,
    ...(k && { idempotency: { key: k[0], fingerprint: k[1] } }),
  }
}
