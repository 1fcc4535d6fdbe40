import { jsonParameters } from '../../db/json-parameters.ts'
import type { SubjectKind } from '../../db/schema.ts'
import { NUMBERS_OF, type SubjectRow } from '../../projection/read/subjects.ts'
import { NOTHING_FLUSHED, READ_WATERMARK, type Watermark } from '../journal/cursor.ts'
import type { SubjectNumber } from '../journal/packed-page.ts'
import type { Entry, HoldRecord, NotificationRecord } from '../model/journal.ts'
import type { WalletOwner } from '../model/vocabulary.ts'

/**
 * The users and teams that a flush mentions. The keys are the customer's own ids, and the values are the times of the
 * first mention.
 */
export interface Mentions {
  readonly user: ReadonlyMap<string, number>
  readonly team: ReadonlyMap<string, number>
}

// Adds unknown subjects. Never reuses a number, because an erasure keeps the subject's row and its number. Writes
// nothing if the watermark has moved, because a late statement of an object that was shut down must not restore an
// erased id.
const ADD_SUBJECTS = `
  INSERT INTO subjects (ledger_id, kind, number, external_id, created_at_ms)
  SELECT ?1, ?2, (SELECT coalesce(max(number), 0) FROM subjects WHERE ledger_id = ?1 AND kind = ?2)
      + row_number() OVER (ORDER BY added.key), added.value ->> 0, added.value ->> 1
  FROM json_each(?3) AS added
  WHERE coalesce((SELECT flushed_row FROM ledgers WHERE ledger_id = ?1), 0) = ?4
    AND NOT EXISTS (
      SELECT 1 FROM subjects WHERE ledger_id = ?1 AND kind = ?2 AND external_id = added.value ->> 0)`

export type Numbered =
  | {
      readonly kind: 'numbered'
      readonly number: SubjectNumber
      /** The watermark of the ledger; absent if no subject was looked up. */
      readonly watermark?: Watermark
    }
  /** The result if the watermark has moved since the flush began. No number was assigned. */
  | { readonly kind: 'moved'; readonly watermark: Watermark }

/**
 * Looks up the numbers of subjects. Assigns a number to each new subject, and writes two rows for it. Assigns no number
 * if the watermark has moved.
 */
export async function numberSubjects(
  db: D1Database,
  ledger_id: string,
  mentions: Mentions,
  from_row: number,
): Promise<Numbered> {
  const lists = listsOf(mentions)
  if (lists.length === 0) return { kind: 'numbered', number: unknownSubject }
  const [read, ...results] = await db.batch<SubjectRow & Watermark>([
    db.prepare(READ_WATERMARK).bind(ledger_id),
    ...lists.flatMap(({ kind, list }) => [
      db.prepare(ADD_SUBJECTS).bind(ledger_id, kind, list, from_row),
      db.prepare(NUMBERS_OF).bind(ledger_id, kind, list),
    ]),
  ])
  const watermark = read?.results[0] ?? NOTHING_FLUSHED
  if (watermark.flushed_row !== from_row) return { kind: 'moved', watermark }
  const found = lists.map((_, index) => results[index * 2 + 1])
  return { kind: 'numbered', number: numbersFrom(lists, found), watermark }
}

/** Looks up the numbers of subjects. The returned function throws for a subject without a number. */
export async function numbersOfSubjects(
  db: D1Database,
  ledger_id: string,
  mentions: Mentions,
): Promise<SubjectNumber> {
  const lists = listsOf(mentions)
  if (lists.length === 0) return unknownSubject
  const statements = lists.map(({ kind, list }) => db.prepare(NUMBERS_OF).bind(ledger_id, kind, list))
  return numbersFrom(lists, await db.batch<SubjectRow>(statements))
}

/** Returns a function that looks up numbers in the results of each list. */
function numbersFrom(
  lists: readonly { readonly kind: SubjectKind }[],
  found: readonly (D1Result<SubjectRow> | undefined)[],
): SubjectNumber {
  const numbers = { user: new Map<string, number>(), team: new Map<string, number>() }
  lists.forEach(({ kind }, index) => {
    for (const row of found[index]?.results ?? []) numbers[kind].set(row.external_id, row.number)
  })
  return (kind, id) => numbers[kind].get(id) ?? unknownSubject(kind)
}

function listsOf(mentions: Mentions): { readonly kind: SubjectKind; readonly list: string }[] {
  return (['user', 'team'] as const).flatMap((kind) =>
    jsonParameters([...mentions[kind]].map((mention) => JSON.stringify(mention))).map((list) => ({
      kind,
      list,
    })),
  )
}

export interface NewWallet {
  readonly wallet_number: number
  readonly owner: WalletOwner
  readonly at_ms: number
}

/**
 * Returns the users and teams of new wallets, entries, holds and notifications, in the order of their first mention.
 * The first entry of a wallet also mentions its owner, and can be in a later flush than the wallet.
 */
export function mentionsOf(
  wallets: readonly NewWallet[],
  entries: readonly Entry[],
  holds: readonly HoldRecord[],
  notifications: readonly NotificationRecord[],
): Mentions {
  const mentions = { user: new Map<string, number>(), team: new Map<string, number>() }
  const mention = (kind: SubjectKind, id: string | undefined, at_ms: number) => {
    if (id !== undefined && at_ms < (mentions[kind].get(id) ?? Number.POSITIVE_INFINITY)) {
      mentions[kind].set(id, at_ms)
    }
  }
  const mentionOwner = (owner: WalletOwner | undefined, at_ms: number) => {
    if (owner && owner.kind !== 'customer') mention(owner.kind, owner.id, at_ms)
  }
  for (const { owner, at_ms } of wallets) mentionOwner(owner, at_ms)
  for (const { owner, event, captured, reverses, at_ms } of entries) {
    mentionOwner(owner, at_ms)
    for (const used of [event, captured, reverses]) {
      mention('user', used?.user_id, at_ms)
      mention('team', used?.team_id, at_ms)
    }
  }
  for (const { hold, at_ms } of holds) {
    mention('user', hold.user_id, at_ms)
    mention('team', hold.team_id, at_ms)
  }
  for (const { data, at_ms } of notifications) {
    mention('user', data.user_id, at_ms)
    mention('team', data.team_id, at_ms)
  }
  return { user: byTime(mentions.user), team: byTime(mentions.team) }
}

function byTime(mentions: ReadonlyMap<string, number>): Map<string, number> {
  return new Map([...mentions].sort(([, a], [, b]) => a - b))
}

function unknownSubject(kind: SubjectKind): never {
  throw new Error(`a ${kind} of the ledger has no subject number in D1`)
}
