import type { AuditRecord } from '../../audit/record.ts'
import { isTwoByte, jsonArray, sizeOf, utf8 } from '../../db/json-parameters.ts'
import type { SubjectKind } from '../../db/schema.ts'
import type { LinkedEntry } from '../chain/link.ts'
import { newSalt } from '../chain/salts.ts'
import type {
  AnswerRecord,
  Entry,
  JournalRecord,
  NotificationRecord,
  StoredAnswer,
} from '../model/journal.ts'
import { parseStored } from '../model/json.ts'
import type { NotificationData, NotificationType } from '../model/notifications.ts'
import type { HoldState } from '../model/wallet.ts'
import {
  joinEntry,
  nameSubjectsOf,
  type PackedEntry,
  type PackedPersonal,
  packEntry,
  packPersonal,
  unpackEntry,
} from './packed-entry.ts'

/**
 * Format 2 of journal rows and ledger pages: JSON with short names, about 330 bytes an event. Journal rows are read
 * for as long as the idempotency window lasts, pages without limit: never change the meaning of a name, add a format.
 * `docs/storage-schema.md` lists the names. Format 1 is from before the hash chain: its entries have no salts, and its
 * pages have them like journal rows.
 */
export const FORMAT = 2
const UNCHAINED_FORMAT = 1

interface PackedHold {
  H: HoldState
  at: number
}

interface PackedAudit {
  L: AuditRecord
  at: number
}

interface PackedNotification {
  /** Its sequence. */
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

/** A row of this length takes no further record, so that a replay parses little; the longest record still fits 1.9 MB. */
const ROW_LENGTH = 256 * 1024

/** The largest row. The platform's limit is 2 MB, which local runs do not enforce. */
export const MAX_ROW_BYTES = 1_900_000

export interface PackedRow {
  /** JSON text, or its UTF-8 bytes. */
  readonly body: string | ArrayBuffer
  readonly records: readonly JournalRecord[]
}

/** Records that are written to JSON in one call: a call for each takes 5 % longer. */
const RECORDS_A_TEXT = 8
/** Longer texts are divided, so that rows are filled. */
const TEXT_LENGTH = 6 * 1024

/** Packs the records of a commit into as few rows as their size allows, in order; at least one row, even without records. */
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

/** The JSON of a row. As a string, a large row with a letter above U+00FF would take twice its length. */
function bodyOf(texts: readonly string[]): string | ArrayBuffer {
  const length = texts.reduce((sum, text) => sum + text.length, 0)
  return length > BYTES_FROM && texts.some(isTwoByte) ? jsonBytes(texts) : jsonArray(texts)
}

/** Shorter rows are strings, which are bound faster. */
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

/** The JSON of consecutive records, separated by commas, and the index of the first one. */
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

/** Throws when a text, or its bytes, are too large for a row. */
export function assertRowSize(body: string | ArrayBuffer): void {
  // A UTF-16 unit takes at most three bytes in UTF-8, so most rows need no exact measurement.
  if (typeof body === 'string' && body.length * 3 <= MAX_ROW_BYTES) return
  const bytes = typeof body === 'string' ? sizeOf(body) : body.byteLength
  if (bytes > MAX_ROW_BYTES) throw new Error(`a row of ${bytes} bytes is too large to store`)
}

/** The number of a user or team in pages. */
export type SubjectNumber = (kind: SubjectKind, id: string) => number

/** An entry of a page in format 2: its content as it was hashed, its personal data, the salt, and its hash in the chain. */
interface PagedEntry {
  readonly c: PackedEntry
  readonly p: PackedPersonal
  readonly s?: string
  readonly h?: string
}

/**
 * Packs a page of entries, without idempotency keys, and with numbers instead of the customer's own ids. The content is
 * the text that was hashed.
 */
export function packPage(entries: readonly LinkedEntry[], number: SubjectNumber): string {
  return jsonArray(
    entries.map(({ entry, content, hash }) => {
      const rest = JSON.stringify({ p: packPersonal(entry, number), s: entry.salt, h: hash ?? undefined })
      return `{"c":${content},${rest.slice(1)}`
    }),
  )
}

/** A parsed page: the subjects that it names, and its entries once their names are known. */
export interface ParsedPage {
  readonly subjects: { readonly user: ReadonlySet<number>; readonly team: ReadonlySet<number> }
  /** `name` returns a subject's own id, or the placeholder of an erased one. */
  readonly entries: (name: (kind: SubjectKind, number: number) => string) => Entry[]
}

/** Parses a page, or with `only` just the entry with that number. */
export function parsePage(format: number, body: string, only?: number): ParsedPage {
  const packed = entriesOfPage(format, body, only)
  const subjects = { user: new Set<number>(), team: new Set<number>() }
  for (const { e, cp, rv } of packed) {
    for (const part of [e, cp, rv]) {
      if (typeof part?.u === 'number') subjects.user.add(part.u)
      if (typeof part?.g === 'number') subjects.team.add(part.g)
    }
  }
  return {
    subjects,
    entries: (name) => packed.map((entry) => unpackEntry(entry, (value, kind) => name(kind, Number(value)))),
  }
}

/** An entry of a page as the hash chain has it: the texts that were hashed. */
export interface ChainedEntry {
  readonly number: number
  readonly content: string
  readonly hash: string
  /** Personal data and the salt that opens their commitment; absent after an erasure of any of them. */
  readonly personal?: string
  readonly salt?: string
}

/** The customer's own id of a subject; undefined when it is erased. */
export type Naming = (kind: SubjectKind, number: number) => string | undefined

/** Parses the entries of a page that are in the hash chain, with the numbers of the users and teams that they name. */
export function chainedEntries(format: number, body: string) {
  assertFormat(format)
  const paged: PagedEntry[] = format === UNCHAINED_FORMAT ? [] : parseStored(body)
  const subjects = { user: new Set<number>(), team: new Set<number>() }
  const collect = (kind: SubjectKind, number: string | number) => {
    subjects[kind].add(Number(number))
    return number
  }
  for (const { p } of paged) nameSubjectsOf(p, collect)
  return {
    subjects,
    entries: (name: Naming): ChainedEntry[] =>
      paged.flatMap(({ c, p, s, h }) => {
        if (h === undefined) return []
        const chained = { number: c.n, content: JSON.stringify(c), hash: h }
        if (s === undefined) return [chained]
        const personal = personalText(p, name)
        return [personal === undefined ? chained : { ...chained, personal, salt: s }]
      }),
  }
}

/** The text of which the commitment was made; undefined when a subject is erased. */
function personalText(packed: PackedPersonal, name: Naming): string | undefined {
  let erased = false
  const named = nameSubjectsOf(packed, (kind, number) => {
    const id = name(kind, Number(number))
    erased ||= id === undefined
    return id ?? ''
  })
  return erased ? undefined : JSON.stringify(named)
}

function entriesOfPage(format: number, body: string, only: number | undefined): PackedEntry[] {
  assertFormat(format)
  const isWanted = ({ n }: PackedEntry) => only === undefined || n === only
  if (format === UNCHAINED_FORMAT) {
    const packed: PackedEntry[] = parseStored(body)
    return packed.filter(isWanted)
  }
  const paged: PagedEntry[] = parseStored(body)
  return paged.filter(({ c }) => isWanted(c)).map(({ c: { pc: _, ...content }, p }) => joinEntry(content, p))
}

function assertFormat(format: number): void {
  if (format !== FORMAT && format !== UNCHAINED_FORMAT)
    throw new Error(`format ${format} of journal rows and pages is not known`)
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
