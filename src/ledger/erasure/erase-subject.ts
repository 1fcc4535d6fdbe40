import type { SubjectKind } from '../../db/schema.ts'

/** Erases a subject from D1. A repeated statement has no further effect. */

const FIND = `
  SELECT number FROM subjects
  WHERE ledger_id = ?1 AND kind = ?2 AND external_id = ?3 AND erased_at_ms IS NULL`

// Writes 2 rows, because the id is part of an index.
const FORGET_SUBJECT = `
  UPDATE subjects SET external_id = ?4, email = NULL, metadata = NULL, erased_at_ms = ?5
  WHERE ledger_id = ?1 AND kind = ?2 AND number = ?3 AND erased_at_ms IS NULL`

// Deletes the stored responses that name the subject. They belong to POST requests with an idempotency key. Keeps the
// responses for a later subject with the same id. A sealed response is not JSON and names no subject. CASE is needed
// because SQLite evaluates the parts of AND in any order.
const FORGET_ANSWERS = `
  DELETE FROM stored_answers
  WHERE owner = ?1 AND created_at_ms <= ?4
    AND CASE WHEN json_valid(body) THEN json_extract(body, '$.' || ?2 || '_id') END = ?3`

// Deletes the responses from webhook receivers to notifications that name the subject, because a receiver can repeat
// the notification in its response in any form. Also deletes responses to notifications that are no longer stored.
// Writes one row for each delivery whose response is deleted.
const forgetAnswersOfReceivers = (kind: SubjectKind) => `
  UPDATE webhook_deliveries SET attempts = (
    SELECT json_group_array(json(json_set(value, '$.answer', '')) ORDER BY key) FROM json_each(attempts))
  WHERE owner = ?1 AND sequence > 0
    AND NOT EXISTS (SELECT 1 FROM notifications AS n WHERE n.ledger_id = ?1
      AND n.sequence = webhook_deliveries.sequence AND n.${kind}_number IS NOT ?2)
    AND EXISTS (SELECT 1 FROM json_each(attempts) WHERE value ->> 'answer' <> '')`

/**
 * The number of pages that one round searches. D1 searches them and parses only the few pages that can name the
 * subject.
 */
const PAGES_A_ROUND = 50

const PAGES_OF_ROUND = `
  SELECT flush_entry, wallet_number FROM ledger_pages
  WHERE ledger_id = ?1 AND (flush_entry, wallet_number) > (?2, ?3)
  ORDER BY flush_entry, wallet_number LIMIT ${PAGES_A_ROUND}`

// The field names are those of the packed formats (`ledger/journal/packed-entry.ts`): `e` is an event, `cp` a capture
// and `rv` a reversal. Each of the three has the fields `u` (user) and `g` (team). `mt` and `md` are metadata, and `s`
// is the salt. Format 2 stores the personal data in `p`. One statement reads and writes the pages, so it cannot
// overwrite a concurrent change. `instr` finds the few pages that must be parsed. The number is followed by a comma or
// a brace, so 7 does not match 77.
const ERASE_FROM_PAGES = `
  UPDATE ledger_pages SET body = (
    SELECT json_group_array(json(CASE
      WHEN ledger_pages.wallet_number = ?6 OR ?4 IN (
        entry.value -> 'e' ->> ?5, entry.value -> 'p' -> 'e' ->> ?5, entry.value -> 'p' -> 'cp' ->> ?5,
        entry.value -> 'p' -> 'rv' ->> ?5)
      THEN json_remove(entry.value, '$.md', '$.mt', '$.p.mt', '$.s') ELSE entry.value END) ORDER BY entry.key)
    FROM json_each(ledger_pages.body) AS entry)
  WHERE ledger_id = ?1 AND (flush_entry, wallet_number) IN (${PAGES_OF_ROUND})
    AND (instr(body, '"mt":') > 0 OR instr(body, '"md":') > 0 OR instr(body, '"s":') > 0)
    AND (wallet_number = ?6 OR instr(body, ?7 || ',') > 0 OR instr(body, ?7 || '}') > 0)`

/** Returns the number of a user or team that is not erased; undefined if there is none. */
export async function subjectNumber(
  db: D1Database,
  ledger_id: string,
  kind: SubjectKind,
  id: string,
): Promise<number | undefined> {
  const row = await db.prepare(FIND).bind(ledger_id, kind, id).first<{ number: number }>()
  return row?.number
}

export interface ForgottenSubject {
  readonly kind: SubjectKind
  readonly number: number
  readonly id: string
  readonly alias: string
  readonly started_at_ms: number
}

/**
 * Erases the subject's row in D1: replaces the id with the alias, and removes the email and the metadata. Keeps the row
 * and its number. Also deletes stored responses that can name the subject: responses to requests, and responses from
 * webhook receivers.
 */
export async function forgetSubject(
  db: D1Database,
  ledger_id: string,
  { kind, number, id, alias, started_at_ms }: ForgottenSubject,
): Promise<void> {
  await db.batch([
    db.prepare(FORGET_SUBJECT).bind(ledger_id, kind, number, alias, started_at_ms),
    db.prepare(FORGET_ANSWERS).bind(ledger_id, kind, id, started_at_ms),
    db.prepare(forgetAnswersOfReceivers(kind)).bind(ledger_id, number),
  ])
}

/** A position in the pages of a ledger. */
export interface PagePlace {
  readonly page_entry: number
  readonly page_wallet: number
}

/**
 * Removes the metadata and the salts of the subject's entries from the next pages. Returns the last page of the round;
 * null if there are no more pages. Writes 1 row for each page that can contain such data.
 */
export async function eraseFromPages(
  db: D1Database,
  ledger_id: string,
  { kind, number, wallet_number }: { kind: SubjectKind; number: number; wallet_number: number | null },
  after: PagePlace,
): Promise<PagePlace | null> {
  const field = kind === 'user' ? 'u' : 'g'
  const { page_entry, page_wallet } = after
  const [, round] = await db.batch<{ flush_entry: number; wallet_number: number }>([
    db
      .prepare(ERASE_FROM_PAGES)
      .bind(ledger_id, page_entry, page_wallet, number, field, wallet_number, `"${field}":${number}`),
    db.prepare(PAGES_OF_ROUND).bind(ledger_id, page_entry, page_wallet),
  ])
  const last = round?.results.at(-1)
  return last ? { page_entry: last.flush_entry, page_wallet: last.wallet_number } : null
}
