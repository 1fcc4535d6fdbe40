import type { SubjectKind } from '../../db/schema.ts'
import { microCredits, type UsdParts } from '../../pricing/money.ts'
import type { Usage } from '../../pricing/usage.ts'
import type {
  CapturedUse,
  Entry,
  EntryType,
  EventRecord,
  NewLot,
  Rerated,
  Reversal,
} from '../model/journal.ts'
import { type JsonText, jsonTextFrom } from '../model/json.ts'
import type { Counted } from '../model/limits.ts'
import type { LotPart } from '../model/lots.ts'
import type { EventType, LotKind, PriceModifiers, WalletOwner, Writable } from '../model/vocabulary.ts'

/**
 * The current format of journal rows and ledger pages: JSON with short names, about 330 bytes for each event. Journal
 * rows are read until the idempotency window ends, and pages are read forever. Never change the meaning of a name.
 * Add a format instead. `docs/storage-schema.md` lists the names. Format 1 is older than the hash chain. Its entries
 * have no salts, and its pages store entries in the form of journal rows.
 */
export const FORMAT = 2
export const UNCHAINED_FORMAT = 1

/** Throws if this code cannot read the format. */
export function assertFormat(format: number): void {
  if (format !== FORMAT && format !== UNCHAINED_FORMAT)
    throw new Error(`the format ${format} of a journal row or page is unknown`)
}

/** An entry in formats 1 and 2. Never change the meaning of a name. Add a format instead. */
export interface PackedEntry {
  n: number
  t: EntryType
  w: number
  o?: WalletOwner | undefined
  at: number
  ef?: number | undefined
  a: number
  b: number
  l?: readonly PackedPart[] | undefined
  nl?: PackedLot[] | undefined
  e?: PackedEvent | undefined
  cp?: PackedCapture | undefined
  rv?: PackedReversal | undefined
  ct?: readonly Counted[] | undefined
  d?: string | undefined
  pr?: string | undefined
  mt?: JsonText | undefined
  /** The metadata of entries from earlier versions, as parsed JSON. */
  md?: Readonly<Record<string, unknown>> | undefined
  k?: [key: string, fingerprint: string] | undefined
  /**
   * The salt of the entry's commitment (`s`), or the commitment after the salt was deleted (`pc`). Both are absent in
   * format 1.
   */
  s?: string | undefined
  pc?: string | undefined
}

/**
 * The personal data of an entry, separate from the other fields. The hash chain contains only a commitment to the
 * personal data.
 */
export interface PackedPersonal {
  o?: PackedOwner | undefined
  e?: PackedSubjects | undefined
  cp?: PackedSubjects | undefined
  rv?: PackedSubjects | undefined
  d?: string | undefined
  pr?: string | undefined
  mt?: JsonText | undefined
}

/** The owner of a wallet. `id` is the customer's own id in the journal, and the subject's number in a page. */
type PackedOwner =
  | { readonly kind: 'customer' }
  | { readonly kind: SubjectKind; readonly id: string | number }

interface PackedSubjects {
  u?: string | number | undefined
  g?: string | number | undefined
  ki?: string | undefined
}

type PackedLot = [
  number: number,
  kind: LotKind,
  priority: number,
  expires_at_ms: number | null,
  price?: PackedUsd | null,
  recurring?: number | null,
  starts_at_ms?: number,
]

type PackedUsd = [micro: number, pico: number]

type PackedPart = [lot: number, amount: number, paid_micro?: number, paid_pico?: number]

/**
 * An event. `u` and `g` are the customer's own ids of the user and the team in the journal, and their numbers in a
 * page.
 */
interface PackedEvent {
  ts: number
  y: EventType
  f: string
  u?: string | number | undefined
  g?: string | number | undefined
  ki?: string | undefined
  p?: string | undefined
  m?: string | undefined
  q?: Usage | undefined
  mo?: PriceModifiers | undefined
  x?: Readonly<Record<string, number>> | undefined
  c: PackedUsd
  r: PackedUsd
  bt: number
  pv: string
  un?: 1 | undefined
  rr?:
    | [entry: number, at_ms: number, cost_before: PackedUsd, price_before: PackedUsd, price_after: PackedUsd]
    | undefined
  wn?: readonly string[] | undefined
}

interface PackedCapture {
  f: string
  u?: string | number | undefined
  g?: string | number | undefined
  ki?: string | undefined
  r: PackedUsd
}

interface PackedReversal {
  ts: number
  y?: EventType
  f: string
  u?: string | number | undefined
  g?: string | number | undefined
  ki?: string | undefined
  p?: string
  m?: string
  r: PackedUsd
  v?: { q?: Usage; x?: Readonly<Record<string, number>>; c: PackedUsd }
}

export type PackSubject = (kind: SubjectKind, id: string) => string | number

type SubjectName = (value: string | number, kind: SubjectKind) => string

/**
 * Packs an entry as one literal, because conditional spreads are several times slower to build and to write as JSON.
 * JSON omits undefined fields.
 */
export function packEntry(entry: Entry, subject: PackSubject, salt?: string): PackedEntry {
  const { lots, event, captured, reverses, idempotency } = entry
  return {
    n: entry.number,
    t: entry.type,
    w: entry.wallet,
    o: entry.owner,
    at: entry.at_ms,
    ef: entry.effective_at_ms,
    a: entry.amount,
    b: entry.balance_after,
    l: lots.length > 0 ? lots.map(packPart) : undefined,
    nl: entry.new_lots?.map(packLot),
    e: event && packEvent(event, subject),
    cp: captured && packCapture(captured, subject),
    rv: reverses && packReversal(reverses, subject),
    ct: entry.counted,
    d: entry.description,
    pr: entry.payment_reference,
    mt: entry.metadata,
    k: idempotency && [idempotency.key, idempotency.fingerprint],
    s: salt,
  }
}

/**
 * Returns the part of an entry that the hash chain covers. Instead of the personal data, it has a commitment to the
 * data. It has all other fields except the salt and the idempotency key. The order and the text of the fields are part
 * of the chain. Never change them. Add a format instead.
 */
export function packContent(entry: Entry, commitment: string | undefined): PackedEntry {
  const { lots, event, captured, reverses } = entry
  return {
    n: entry.number,
    t: entry.type,
    w: entry.wallet,
    at: entry.at_ms,
    ef: entry.effective_at_ms,
    a: entry.amount,
    b: entry.balance_after,
    l: lots.length > 0 ? lots.map(packPart) : undefined,
    nl: entry.new_lots?.map(packLot),
    e: event && packEvent(event, undefined),
    cp: captured && packCapture(captured, undefined),
    rv: reverses && packReversal(reverses, undefined),
    ct: entry.counted,
    pc: commitment,
  }
}

/**
 * Returns the personal data of an entry. The commitment covers the order and the text of the fields: never change
 * them.
 */
export function packPersonal(entry: Entry, subject: PackSubject): PackedPersonal {
  const { owner, event, captured, reverses } = entry
  return {
    o: owner && (owner.kind === 'customer' ? owner : { ...owner, id: subject(owner.kind, owner.id) }),
    e: event && packSubjects(event, subject),
    cp: captured && packSubjects(captured, subject),
    rv: reverses && packSubjects(reverses, subject),
    d: entry.description,
    pr: entry.payment_reference,
    mt: entry.metadata,
  }
}

function packSubjects(
  { user_id, team_id, key_id }: Pick<EventRecord, 'user_id' | 'team_id' | 'key_id'>,
  subject: PackSubject,
): PackedSubjects | undefined {
  if (user_id === undefined && team_id === undefined && key_id === undefined) return undefined
  return {
    u: user_id === undefined ? undefined : subject('user', user_id),
    g: team_id === undefined ? undefined : subject('team', team_id),
    ki: key_id,
  }
}

/**
 * Replaces the users and teams in personal data with the values that `rename` returns. Keeps the order of the fields.
 */
export function nameSubjectsOf(
  personal: PackedPersonal,
  rename: (kind: SubjectKind, value: string | number) => string | number,
): PackedPersonal {
  const { o, e, cp, rv } = personal
  const named = (subjects: PackedSubjects): PackedSubjects => ({
    ...subjects,
    ...(subjects.u !== undefined && { u: rename('user', subjects.u) }),
    ...(subjects.g !== undefined && { g: rename('team', subjects.g) }),
  })
  return {
    ...personal,
    ...(o && { o: o.kind === 'customer' ? o : { ...o, id: rename(o.kind, o.id) } }),
    ...(e && { e: named(e) }),
    ...(cp && { cp: named(cp) }),
    ...(rv && { rv: named(rv) }),
  }
}

/**
 * Joins the content of an entry with its personal data. Omits the owner, because a page contains only the owner's
 * number, which lists do not show.
 */
export function joinEntry(content: PackedEntry, personal: PackedPersonal): PackedEntry {
  const { e, cp, rv } = content
  const { d, pr, mt } = personal
  return {
    ...content,
    ...(e && { e: { ...e, ...personal.e } }),
    ...(cp && { cp: { ...cp, ...personal.cp } }),
    ...(rv && { rv: { ...rv, ...personal.rv } }),
    d,
    pr,
    mt,
  }
}

export function unpackEntry(packed: PackedEntry, subject: SubjectName): Entry {
  const { o, ef, l, nl, e, cp, rv, ct, d, pr, k } = packed
  const metadata = packed.mt ?? jsonTextFrom(packed.md)
  const entry: Writable<Entry> = {
    kind: 'entry',
    number: packed.n,
    type: packed.t,
    wallet: packed.w,
    at_ms: packed.at,
    amount: microCredits(packed.a),
    balance_after: microCredits(packed.b),
    lots: l ? l.map(unpackPart) : [],
  }
  if (o) entry.owner = o
  if (ef !== undefined) entry.effective_at_ms = ef
  if (nl) entry.new_lots = nl.map(unpackLot)
  if (e) entry.event = unpackEvent(e, subject)
  if (cp) entry.captured = unpackCapture(cp, subject)
  if (rv) entry.reverses = unpackReversal(rv, subject)
  if (ct) entry.counted = ct
  if (d !== undefined) entry.description = d
  if (pr !== undefined) entry.payment_reference = pr
  if (metadata !== undefined) entry.metadata = metadata
  if (k) entry.idempotency = { key: k[0], fingerprint: k[1] }
  if (packed.s !== undefined) entry.salt = packed.s
  if (packed.pc !== undefined) entry.commitment = packed.pc
  return entry
}

function packPart([number, amount, paid]: LotPart): PackedPart {
  return paid ? [number, amount, paid.micro, paid.pico] : [number, amount]
}

function unpackPart([number, amount, micro, pico]: PackedPart): LotPart {
  const moved = microCredits(amount)
  return micro === undefined || pico === undefined ? [number, moved] : [number, moved, { micro, pico }]
}

function packLot({
  number,
  kind,
  priority,
  expires_at_ms,
  price,
  recurring,
  starts_at_ms,
}: NewLot): PackedLot {
  const packed: PackedLot = [number, kind, priority, expires_at_ms]
  const starts = starts_at_ms !== undefined
  if (price || recurring !== undefined || starts) packed.push(price ? packUsd(price) : null)
  if (recurring !== undefined || starts) packed.push(recurring ?? null)
  if (starts) packed.push(starts_at_ms)
  return packed
}

function unpackLot([
  number,
  kind,
  priority,
  expires_at_ms,
  price,
  recurring,
  starts_at_ms,
]: PackedLot): NewLot {
  return {
    number,
    kind,
    priority,
    expires_at_ms,
    ...(price && { price: unpackUsd(price) }),
    ...(typeof recurring === 'number' && { recurring }),
    ...(starts_at_ms !== undefined && { starts_at_ms }),
  }
}

/**
 * Packs an event. Without `subject`, omits its personal data. A test packs a record with every field, because a new
 * field that is missing here would be priced but not recorded.
 */
function packEvent(event: EventRecord, subject: PackSubject | undefined): PackedEvent {
  const { user_id, team_id, rerates } = event
  return {
    ts: event.timestamp_ms,
    y: event.event_type,
    f: event.feature_id,
    u: user_id === undefined ? undefined : subject?.('user', user_id),
    g: team_id === undefined ? undefined : subject?.('team', team_id),
    ki: subject && event.key_id,
    p: event.provider,
    m: event.model,
    q: event.usage,
    mo: event.modifiers,
    x: event.custom,
    c: packUsd(event.cost),
    r: packUsd(event.price),
    bt: event.burn_table_version,
    pv: event.price_version,
    un: event.unrated ? 1 : undefined,
    rr: rerates && packRerated(rerates),
    wn: event.warnings,
  }
}

function unpackEvent(packed: PackedEvent, subject: SubjectName): EventRecord {
  const { u, g, ki, p, m, q, mo, x, un, rr, wn } = packed
  const event: Writable<EventRecord> = {
    timestamp_ms: packed.ts,
    event_type: packed.y,
    feature_id: packed.f,
    cost: unpackUsd(packed.c),
    price: unpackUsd(packed.r),
    burn_table_version: packed.bt,
    price_version: packed.pv,
  }
  if (u !== undefined) event.user_id = subject(u, 'user')
  if (g !== undefined) event.team_id = subject(g, 'team')
  if (ki !== undefined) event.key_id = ki
  if (p !== undefined) event.provider = p
  if (m !== undefined) event.model = m
  if (q) event.usage = q
  if (mo) event.modifiers = mo
  if (x) event.custom = x
  if (un) event.unrated = true
  if (rr) event.rerates = unpackRerated(rr)
  if (wn) event.warnings = wn
  return event
}

function packRerated({ entry, at_ms, ...usd }: Rerated): NonNullable<PackedEvent['rr']> {
  return [entry, at_ms, packUsd(usd.cost_before), packUsd(usd.price_before), packUsd(usd.price_after)]
}

function unpackRerated([entry, at_ms, cost, before, after]: NonNullable<PackedEvent['rr']>): Rerated {
  const usd = { cost_before: unpackUsd(cost), price_before: unpackUsd(before), price_after: unpackUsd(after) }
  return { entry, at_ms, ...usd }
}

function packCapture(
  { feature_id, user_id, team_id, key_id, price }: CapturedUse,
  subject: PackSubject | undefined,
): PackedCapture {
  return {
    f: feature_id,
    ...(subject && user_id !== undefined && { u: subject('user', user_id) }),
    ...(subject && team_id !== undefined && { g: subject('team', team_id) }),
    ...(subject && key_id !== undefined && { ki: key_id }),
    r: packUsd(price),
  }
}

function unpackCapture({ f, u, g, ki, r }: PackedCapture, subject: SubjectName): CapturedUse {
  return {
    feature_id: f,
    ...(u !== undefined && { user_id: subject(u, 'user') }),
    ...(g !== undefined && { team_id: subject(g, 'team') }),
    ...(ki !== undefined && { key_id: ki }),
    price: unpackUsd(r),
  }
}

function packReversal(reversal: Reversal, subject: PackSubject | undefined): PackedReversal {
  const { timestamp_ms, event_type, feature_id, user_id, team_id, key_id, ...priced } = reversal
  const { provider, model, price, voided } = priced
  return {
    ts: timestamp_ms,
    ...(event_type && { y: event_type }),
    f: feature_id,
    ...(subject && user_id !== undefined && { u: subject('user', user_id) }),
    ...(subject && team_id !== undefined && { g: subject('team', team_id) }),
    ...(subject && key_id !== undefined && { ki: key_id }),
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

function unpackReversal({ ts, y, f, u, g, ki, p, m, r, v }: PackedReversal, subject: SubjectName): Reversal {
  return {
    timestamp_ms: ts,
    ...(y && { event_type: y }),
    feature_id: f,
    ...(u !== undefined && { user_id: subject(u, 'user') }),
    ...(g !== undefined && { team_id: subject(g, 'team') }),
    ...(ki !== undefined && { key_id: ki }),
    ...(p !== undefined && { provider: p }),
    ...(m !== undefined && { model: m }),
    price: unpackUsd(r),
    ...(v && {
      voided: { ...(v.q && { usage: v.q }), ...(v.x && { custom: v.x }), cost: unpackUsd(v.c) },
    }),
  }
}

function packUsd(usd: UsdParts): PackedUsd {
  return [usd.micro, usd.pico]
}

function unpackUsd([micro, pico]: PackedUsd): UsdParts {
  return { micro, pico }
}
