import type { AuditRecord } from '../audit/record.ts'
import type { SubjectKind } from '../db/schema.ts'
import { microCredits, type UsdParts } from '../pricing/money.ts'
import type { Usage } from '../pricing/usage.ts'
import type { HoldState } from './hold-record.ts'
import type {
  AnswerRecord,
  CapturedUse,
  Entry,
  EntryType,
  EventRecord,
  JournalRecord,
  NewLot,
  Rerated,
  Reversal,
  StoredAnswer,
} from './journal.ts'
import type { Counted } from './limits.ts'
import type { LotPart } from './lots.ts'
import type { EventType, LotKind, PriceModifiers, WalletOwner } from './messages.ts'

/**
 * Format 1 of journal rows and ledger pages: JSON with short names, about 300 bytes an event. Journal rows are read
 * for as long as the idempotency window lasts, pages for ever: never change what a name means, add a format.
 * `docs/storage-schema.md` lists the names.
 */
export const FORMAT = 1

interface PackedEntry {
  n: number
  t: EntryType
  w: number
  o?: WalletOwner
  at: number
  ef?: number
  a: number
  b: number
  l?: readonly PackedPart[]
  nl?: PackedLot[]
  e?: PackedEvent
  cp?: PackedCapture
  rv?: PackedReversal
  ct?: readonly Counted[]
  d?: string
  pr?: string
  md?: Readonly<Record<string, unknown>>
  k?: [key: string, fingerprint: string]
}

type PackedLot = [
  number: number,
  kind: LotKind,
  priority: number,
  expires_at_ms: number | null,
  price?: PackedUsd | null,
  recurring?: number,
]

type PackedUsd = [micro: number, pico: number]

type PackedPart = [lot: number, amount: number, paid_micro?: number, paid_pico?: number]

/** A user or team is named by the customer's id in the journal and by its subject number in a page. */
interface PackedEvent {
  ts: number
  y: EventType
  f: string
  u?: string | number
  g?: string | number
  p?: string
  m?: string
  q?: Usage
  mo?: PriceModifiers
  x?: Readonly<Record<string, number>>
  c: PackedUsd
  r: PackedUsd
  bt: number
  pv: string
  un?: 1
  rr?: [entry: number, at_ms: number, cost_before: PackedUsd, price_before: PackedUsd, price_after: PackedUsd]
  wn?: readonly string[]
}

interface PackedCapture {
  f: string
  u?: string | number
  g?: string | number
  r: PackedUsd
}

interface PackedReversal {
  ts: number
  y?: EventType
  f: string
  u?: string | number
  g?: string | number
  p?: string
  m?: string
  r: PackedUsd
  v?: { q?: Usage; x?: Readonly<Record<string, number>>; c: PackedUsd }
}

interface PackedHold {
  H: HoldState
  at: number
}

interface PackedAudit {
  L: AuditRecord
  at: number
}

type PackedRecord = PackedEntry | PackedAnswer | PackedHold | PackedAudit

interface PackedAnswer {
  A: StoredAnswer
  at: number
  k: [key: string, fingerprint: string]
}

/** A row is closed at this length, so that a replay parses little; one record more is still far below 1.9 MB. */
const ROW_LENGTH = 256 * 1024

/** The most that a row may take at rest: a platform row is at most 2 MB, which local runs do not enforce. */
export const MAX_ROW_BYTES = 1_900_000

export interface PackedRow {
  readonly body: string
  readonly records: readonly JournalRecord[]
}

/** Packs the records of a commit into as few rows as their size allows, in order; at least one, even of nothing. */
export function packRows(records: readonly JournalRecord[]): PackedRow[] {
  const rows: PackedRow[] = []
  let texts: string[] = []
  let packed: JournalRecord[] = []
  let length = 0
  const close = () => {
    rows.push({ body: `[${texts.join(',')}]`, records: packed })
    texts = []
    packed = []
    length = 0
  }
  for (const record of records) {
    const text = JSON.stringify(packRecord(record))
    if (length > 0 && length + text.length > ROW_LENGTH) close()
    texts.push(text)
    packed.push(record)
    length += text.length
  }
  close()
  return rows
}

/** The records of a journal row. Throws when the format is one that this version does not know. */
export function unpackRow(format: number, body: string): JournalRecord[] {
  assertFormat(format)
  const packed: PackedRecord[] = JSON.parse(body)
  return packed.map(unpackRecord)
}

/** How many bytes a text takes at rest. */
export function sizeOf(text: string): number {
  return utf8.encode(text).length
}

const utf8 = new TextEncoder()

/** Throws when a text is too large for a row. */
export function assertRowSize(text: string): void {
  // A UTF-16 unit takes at most three bytes in UTF-8, so most rows need no second look.
  if (text.length * 3 > MAX_ROW_BYTES && sizeOf(text) > MAX_ROW_BYTES) {
    throw new Error(`a row of ${text.length} characters is too large to store`)
  }
}

/** The number of a user or team in pages. */
export type SubjectNumber = (kind: SubjectKind, id: string) => number

/** A page of entries: without keys and owners, and with numbers in place of the customer's own ids. */
export function packPage(entries: readonly Entry[], number: SubjectNumber): string {
  return JSON.stringify(
    entries.map((entry) => {
      const { k: _key, o: _owner, ...packed } = packEntry(entry, number)
      return packed
    }),
  )
}

/** A page that was parsed once: which subjects it names, and its entries when their names are known. */
export interface ParsedPage {
  readonly subjects: { readonly user: ReadonlySet<number>; readonly team: ReadonlySet<number> }
  /** `name` gives a subject's own id back, or says that it was erased. */
  readonly entries: (name: (kind: SubjectKind, number: number) => string) => Entry[]
}

/** Parses a page; of its entries only the one with the number `only`, where that is given. */
export function parsePage(format: number, body: string, only?: number): ParsedPage {
  assertFormat(format)
  const all: PackedEntry[] = JSON.parse(body)
  const packed = only === undefined ? all : all.filter(({ n }) => n === only)
  const subjects = { user: new Set<number>(), team: new Set<number>() }
  for (const { e, cp, rv } of packed) {
    for (const of of [e, cp, rv]) {
      if (typeof of?.u === 'number') subjects.user.add(of.u)
      if (typeof of?.g === 'number') subjects.team.add(of.g)
    }
  }
  return {
    subjects,
    entries: (name) => packed.map((entry) => unpackEntry(entry, (value, kind) => name(kind, Number(value)))),
  }
}

function assertFormat(format: number): void {
  if (format !== FORMAT) throw new Error(`format ${format} of journal rows and pages is not known`)
}

function asWritten(_: SubjectKind, id: string): string {
  return id
}

function packEntry(entry: Entry, subject: (kind: SubjectKind, id: string) => string | number): PackedEntry {
  return {
    n: entry.number,
    t: entry.type,
    w: entry.wallet,
    ...(entry.owner && { o: entry.owner }),
    at: entry.at_ms,
    ...(entry.effective_at_ms !== undefined && { ef: entry.effective_at_ms }),
    a: entry.amount,
    b: entry.balance_after,
    ...(entry.lots.length > 0 && { l: entry.lots.map(packPart) }),
    ...(entry.new_lots && { nl: entry.new_lots.map(packLot) }),
    ...(entry.event && { e: packEvent(entry.event, subject) }),
    ...(entry.captured && { cp: packCapture(entry.captured, subject) }),
    ...(entry.reverses && { rv: packReversal(entry.reverses, subject) }),
    ...(entry.counted && { ct: entry.counted }),
    ...(entry.description !== undefined && { d: entry.description }),
    ...(entry.payment_reference !== undefined && { pr: entry.payment_reference }),
    ...(entry.metadata && { md: entry.metadata }),
    ...(entry.idempotency && { k: [entry.idempotency.key, entry.idempotency.fingerprint] }),
  }
}

function unpackEntry(packed: PackedEntry, subject: SubjectName): Entry {
  return {
    kind: 'entry',
    number: packed.n,
    type: packed.t,
    wallet: packed.w,
    ...(packed.o && { owner: packed.o }),
    at_ms: packed.at,
    ...(packed.ef !== undefined && { effective_at_ms: packed.ef }),
    amount: microCredits(packed.a),
    balance_after: microCredits(packed.b),
    lots: (packed.l ?? []).map(unpackPart),
    ...(packed.nl && { new_lots: packed.nl.map(unpackLot) }),
    ...(packed.e && { event: unpackEvent(packed.e, subject) }),
    ...(packed.cp && { captured: unpackCapture(packed.cp, subject) }),
    ...(packed.rv && { reverses: unpackReversal(packed.rv, subject) }),
    ...(packed.ct && { counted: packed.ct }),
    ...(packed.d !== undefined && { description: packed.d }),
    ...(packed.pr !== undefined && { payment_reference: packed.pr }),
    ...(packed.md && { metadata: packed.md }),
    ...(packed.k && { idempotency: { key: packed.k[0], fingerprint: packed.k[1] } }),
  }
}

function packPart([number, amount, paid]: LotPart): PackedPart {
  return paid ? [number, amount, paid.micro, paid.pico] : [number, amount]
}

function unpackPart([number, amount, micro, pico]: PackedPart): LotPart {
  const moved = microCredits(amount)
  return micro === undefined || pico === undefined ? [number, moved] : [number, moved, { micro, pico }]
}

function packLot({ number, kind, priority, expires_at_ms, price, recurring }: NewLot): PackedLot {
  const packed: PackedLot = [number, kind, priority, expires_at_ms]
  if (price || recurring !== undefined) packed.push(price ? packUsd(price) : null)
  if (recurring !== undefined) packed.push(recurring)
  return packed
}

function unpackLot([number, kind, priority, expires_at_ms, price, recurring]: PackedLot): NewLot {
  return {
    number,
    kind,
    priority,
    expires_at_ms,
    ...(price && { price: unpackUsd(price) }),
    ...(recurring !== undefined && { recurring }),
  }
}

function packEvent(
  event: EventRecord,
  subject: (kind: SubjectKind, id: string) => string | number,
): PackedEvent {
  const { timestamp_ms, event_type, feature_id, user_id, team_id, ...rated } = event
  const { provider, model, usage, modifiers, custom, cost, price, ...settled } = rated
  const { burn_table_version, price_version, unrated, rerates, warnings, ...forgotten } = settled
  // A new field that is not written below would be priced and not recorded: the compiler says so here.
  forgotten satisfies Record<string, never>
  return {
    ts: timestamp_ms,
    y: event_type,
    f: feature_id,
    ...(user_id !== undefined && { u: subject('user', user_id) }),
    ...(team_id !== undefined && { g: subject('team', team_id) }),
    ...(provider !== undefined && { p: provider }),
    ...(model !== undefined && { m: model }),
    ...(usage && { q: usage }),
    ...(modifiers && { mo: modifiers }),
    ...(custom && { x: custom }),
    c: packUsd(cost),
    r: packUsd(price),
    bt: burn_table_version,
    pv: price_version,
    ...(unrated && { un: 1 }),
    ...(rerates && { rr: packRerated(rerates) }),
    ...(warnings && { wn: warnings }),
  }
}

type PackSubject = (kind: SubjectKind, id: string) => string | number

function packRerated({ entry, at_ms, ...usd }: Rerated): NonNullable<PackedEvent['rr']> {
  return [entry, at_ms, packUsd(usd.cost_before), packUsd(usd.price_before), packUsd(usd.price_after)]
}

function unpackRerated([entry, at_ms, cost, before, after]: NonNullable<PackedEvent['rr']>): Rerated {
  const usd = { cost_before: unpackUsd(cost), price_before: unpackUsd(before), price_after: unpackUsd(after) }
  return { entry, at_ms, ...usd }
}

function packCapture(
  { feature_id, user_id, team_id, price }: CapturedUse,
  subject: PackSubject,
): PackedCapture {
  return {
    f: feature_id,
    ...(user_id !== undefined && { u: subject('user', user_id) }),
    ...(team_id !== undefined && { g: subject('team', team_id) }),
    r: packUsd(price),
  }
}

function unpackCapture({ f, u, g, r }: PackedCapture, subject: SubjectName): CapturedUse {
  return {
    feature_id: f,
    ...(u !== undefined && { user_id: subject(u, 'user') }),
    ...(g !== undefined && { team_id: subject(g, 'team') }),
    price: unpackUsd(r),
  }
}

function packReversal(reversal: Reversal, subject: PackSubject): PackedReversal {
  const { timestamp_ms, event_type, feature_id, user_id, team_id, provider, model, price, voided } = reversal
  return {
    ts: timestamp_ms,
    ...(event_type && { y: event_type }),
    f: feature_id,
    ...(user_id !== undefined && { u: subject('user', user_id) }),
    ...(team_id !== undefined && { g: subject('team', team_id) }),
    ...(provider !== undefined && { p: provider }),
    ...(model !== undefined && { m: model }),
    r: packUsd(price),
    ...(voided && {
      v: {
        ...(voided.usage && { q: voided.usage }),
        ...(voided.custom && { x: voided.custom }),
        c: packUsd(voided.cost),
      },
    }),
  }
}

function unpackReversal({ ts, y, f, u, g, p, m, r, v }: PackedReversal, subject: SubjectName): Reversal {
  return {
    timestamp_ms: ts,
    ...(y && { event_type: y }),
    feature_id: f,
    ...(u !== undefined && { user_id: subject(u, 'user') }),
    ...(g !== undefined && { team_id: subject(g, 'team') }),
    ...(p !== undefined && { provider: p }),
    ...(m !== undefined && { model: m }),
    price: unpackUsd(r),
    ...(v && {
      voided: { ...(v.q && { usage: v.q }), ...(v.x && { custom: v.x }), cost: unpackUsd(v.c) },
    }),
  }
}

type SubjectName = (value: string | number, kind: SubjectKind) => string

function unpackEvent(packed: PackedEvent, subject: SubjectName): EventRecord {
  return {
    timestamp_ms: packed.ts,
    event_type: packed.y,
    feature_id: packed.f,
    ...(packed.u !== undefined && { user_id: subject(packed.u, 'user') }),
    ...(packed.g !== undefined && { team_id: subject(packed.g, 'team') }),
    ...(packed.p !== undefined && { provider: packed.p }),
    ...(packed.m !== undefined && { model: packed.m }),
    ...(packed.q && { usage: packed.q }),
    ...(packed.mo && { modifiers: packed.mo }),
    ...(packed.x && { custom: packed.x }),
    cost: unpackUsd(packed.c),
    price: unpackUsd(packed.r),
    burn_table_version: packed.bt,
    price_version: packed.pv,
    ...(packed.un && { unrated: true }),
    ...(packed.rr && { rerates: unpackRerated(packed.rr) }),
    ...(packed.wn && { warnings: packed.wn }),
  }
}

function packRecord(record: JournalRecord): PackedRecord {
  switch (record.kind) {
    case 'entry':
      return packEntry(record, asWritten)
    case 'answer':
      return packAnswer(record)
    case 'hold':
      return { H: record.hold, at: record.at_ms }
    case 'audit':
      return { L: record.audit, at: record.at_ms }
  }
}

function unpackRecord(packed: PackedRecord): JournalRecord {
  if ('A' in packed) return unpackAnswer(packed)
  if ('H' in packed) return { kind: 'hold', at_ms: packed.at, hold: packed.H }
  if ('L' in packed) return { kind: 'audit', at_ms: packed.at, audit: packed.L }
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

function packUsd(usd: UsdParts): PackedUsd {
  return [usd.micro, usd.pico]
}

function unpackUsd([micro, pico]: PackedUsd): UsdParts {
  return { micro, pico }
}
