import type { Bindings } from '../bindings.ts'
import { isTaken } from '../db/errors.ts'
import { ledgerDb, ledgerKey } from '../db/ledger-db.ts'
import type { SubjectKind } from '../db/schema.ts'
import { fieldTexts, sourceOfFields } from '../http/input/json-source.ts'
import { metadataInput } from '../http/input/metadata.ts'
import { catchUp } from '../ledger/client/client.ts'
import type { Caller } from '../ledger/model/account.ts'
import type { Refused } from '../ledger/model/refusal.ts'
import type { LedgerName } from '../ledger/model/vocabulary.ts'
import type { Profile, ProfileChange } from './schema.ts'

/** A user or a team, as stored in D1. */
export interface SubjectRecord {
  /**
   * The number of the subject: 1, 2, 3 …, in the order in which subjects are created or first occur in the ledger.
   * Lists are sorted by this number.
   */
  readonly number: number
  readonly external_id: string
  readonly email: string | null
  /** The metadata as JSON text; null if the subject has no metadata. */
  readonly metadata: string | null
  readonly created_at_ms: number
}

/** The users or the teams of one ledger, and the caller who reads or changes them. */
export interface Subjects {
  readonly env: Bindings
  readonly ledger: LedgerName
  readonly caller: Caller
  readonly kind: SubjectKind
  /** The highest number of a subject that may have a profile. This limits the storage of profiles in D1. */
  readonly max_profiles: number
}

const FIELDS = 'number, external_id, email, metadata, created_at_ms'

const SELECT_ONE = `
  SELECT ${FIELDS} FROM subjects
  WHERE ledger_id = ?1 AND kind = ?2 AND external_id = ?3 AND erased_at_ms IS NULL`

const SELECT_PAGE = `
  SELECT ${FIELDS} FROM subjects
  WHERE ledger_id = ?1 AND kind = ?2 AND number < ?3 AND erased_at_ms IS NULL
  ORDER BY number DESC LIMIT ?4`

// Writes 2 rows: the table row and its index entry. Reads 1 row: the row with the highest number, by the primary key.
const INSERT = `
  INSERT INTO subjects (ledger_id, kind, number, external_id, email, metadata, created_at_ms)
  SELECT ?1, ?2, coalesce(max(number), 0) + 1, ?3, ?4, ?5, ?6 FROM subjects WHERE ledger_id = ?1 AND kind = ?2`

const SELECT_LAST = 'SELECT max(number) AS number FROM subjects WHERE ledger_id = ?1 AND kind = ?2'

// Writes 1 row. Writes no row if the subject was erased, or if its profile has changed since it was read.
const UPDATE = `
  UPDATE subjects SET email = ?4, metadata = ?5
  WHERE ledger_id = ?1 AND kind = ?2 AND external_id = ?3 AND erased_at_ms IS NULL AND email IS ?6 AND metadata IS ?7`

export type FoundSubject =
  | { readonly kind: 'found'; readonly subject: SubjectRecord }
  | { readonly kind: 'none' }
  | Refused

/**
 * Finds one subject in D1. A subject that first occurs in the ledger reaches D1 only with the next flush. If D1 does
 * not have the subject, the function therefore flushes the ledger and reads D1 again.
 */
export async function findSubject(subjects: Subjects, id: string): Promise<FoundSubject> {
  const known = await selectOne(subjects, id)
  if (known) return { kind: 'found', subject: known }
  const result = await bringUp(subjects)
  if (result.kind === 'refused') return result
  const subject = await selectOne(subjects, id)
  return subject ? { kind: 'found', subject } : { kind: 'none' }
}

export interface SubjectPage {
  readonly kind: 'done'
  readonly subjects: readonly SubjectRecord[]
  /** The value of `before` for the next page; null on the last page. */
  readonly next_before: number | null
}

/**
 * Lists subjects, newest first. Flushes the ledger before it reads the first page, because new subjects are on the
 * first page. Returns a refusal if the flush is refused.
 */
export async function listSubjects(
  subjects: Subjects,
  before: number | undefined,
  limit: number,
): Promise<SubjectPage | Refused> {
  if (before === undefined) {
    const result = await bringUp(subjects)
    if (result.kind === 'refused') return result
  }
  const { db, ledger_id } = database(subjects)
  const { results } = await db
    .prepare(SELECT_PAGE)
    .bind(ledger_id, subjects.kind, before ?? Number.MAX_SAFE_INTEGER, limit + 1)
    .all<SubjectRecord>()
  const page = results.slice(0, limit)
  return {
    kind: 'done',
    subjects: page,
    next_before: results.length > limit ? (page.at(-1)?.number ?? null) : null,
  }
}

/**
 * Adds a subject. Runs `statements` in the same batch; they store the response for the idempotency key of the request.
 * Returns `taken` if the id already exists, even if it has no profile. Returns `full` if the number of the new subject
 * would exceed `max_profiles`. Concurrent requests can exceed this maximum by the number of these requests. Returns a
 * refusal if the ledger refuses to flush.
 */
export async function addSubject(
  subjects: Subjects,
  id: string,
  { email, metadata }: Profile,
  now_ms: number,
  statements: readonly D1PreparedStatement[],
): Promise<{ readonly kind: 'added' | 'taken' | 'full' } | Refused> {
  const found = await findSubject(subjects, id)
  if (found.kind === 'refused') return found
  if (found.kind === 'found') return { kind: 'taken' }
  const { db, ledger_id } = database(subjects)
  const last = await db.prepare(SELECT_LAST).bind(ledger_id, subjects.kind).first<number | null>('number')
  if ((last ?? 0) >= subjects.max_profiles) return { kind: 'full' }
  const insert = db
    .prepare(INSERT)
    .bind(ledger_id, subjects.kind, id, email ?? null, metadata ?? null, now_ms)
  try {
    await db.batch([insert, ...statements])
    return { kind: 'added' }
  } catch (error) {
    if (isTaken(error, 'subjects')) return { kind: 'taken' }
    throw error
  }
}

/**
 * The maximum number of attempts to write a change. An attempt fails only if the subject was changed or erased after it
 * was read. This number of concurrent changes therefore always succeeds.
 */
const ATTEMPTS = 10

/**
 * Merges a change into the profile of a subject. Returns `none` if the subject does not exist, and `full` if the
 * subject may not have a profile.
 */
export async function changeSubject(
  subjects: Subjects,
  id: string,
  change: ProfileChange,
): Promise<FoundSubject | { readonly kind: 'full' }> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const found = await findSubject(subjects, id)
    if (found.kind !== 'found') return found
    const clears = (change.email ?? null) === null && (change.metadata ?? null) === null
    if (!clears && found.subject.number > subjects.max_profiles) return { kind: 'full' }
    const merged = merge(found.subject, change)
    if (merged.kind === 'refused') return merged
    const { email, metadata } = found.subject
    const { db, ledger_id } = database(subjects)
    const { meta } = await db
      .prepare(UPDATE)
      .bind(ledger_id, subjects.kind, id, merged.subject.email, merged.subject.metadata, email, metadata)
      .run()
    if (meta.changes === 1) return merged
  }
  return { kind: 'refused', refusal: { code: 'unavailable' } }
}

function merge(
  subject: SubjectRecord,
  change: ProfileChange,
): { readonly kind: 'found'; readonly subject: SubjectRecord } | Refused {
  const email = change.email === undefined ? subject.email : change.email
  if (!change.metadata) {
    return {
      kind: 'found',
      subject: { ...subject, email, metadata: change.metadata === null ? null : subject.metadata },
    }
  }
  const kept = new Map<string, string>()
  for (const text of [subject.metadata, change.metadata]) {
    for (const [key, value] of text === null ? [] : fieldTexts(text)) {
      if (value === 'null') kept.delete(key)
      else kept.set(key, value)
    }
  }
  const checked = metadataInput().safeParse(sourceOfFields(kept))
  if (!checked.success) {
    const message = `${checked.error.issues[0]?.message ?? 'is invalid'}, including existing metadata`
    const errors = [{ path: '/metadata', message }]
    return { kind: 'refused', refusal: { code: 'invalid_request', detail: `/metadata ${message}.`, errors } }
  }
  const metadata = kept.size === 0 ? null : checked.data
  return { kind: 'found', subject: { ...subject, email, metadata } }
}

function bringUp({ env, ledger, caller }: Subjects) {
  return catchUp(env, ledger, { caller })
}

async function selectOne(subjects: Subjects, id: string): Promise<SubjectRecord | null> {
  const { db, ledger_id } = database(subjects)
  return db.prepare(SELECT_ONE).bind(ledger_id, subjects.kind, id).first<SubjectRecord>()
}

function database({ env, ledger }: Subjects) {
  return { db: ledgerDb(env, ledger.customer_id), ledger_id: ledgerKey(ledger) }
}
