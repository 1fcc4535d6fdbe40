import type { SubjectKind } from '../../db/schema.ts'
import { NOTHING_FLUSHED, READ_WATERMARK, type Watermark } from '../../ledger/flush/watermark.ts'

/** Users and teams of a ledger, by the customer's own ids, and when each was first mentioned. */
export interface Mentions {
  readonly user: ReadonlyMap<string, number>
  readonly team: ReadonlyMap<string, number>
}

/** Users and teams of a ledger, by number. */
export interface SubjectNumbers {
  readonly user: ReadonlySet<number>
  readonly team: ReadonlySet<number>
}

// Numbers are never used twice: whoever erases a subject keeps its row and replaces the id. Those that are known
// already cost nothing. Like the pages, a subject is added only while the watermark stands where the flush begins: the
// late statement of an object that was shut down must not bring the id of somebody back who was erased since.
const ADD_SUBJECTS = `
  INSERT INTO subjects (ledger_id, kind, number, external_id, created_at_ms)
  SELECT ?1, ?2, (SELECT coalesce(max(number), 0) FROM subjects WHERE ledger_id = ?1 AND kind = ?2)
      + row_number() OVER (ORDER BY added.key), added.value ->> 0, added.value ->> 1
  FROM json_each(?3) AS added
  WHERE coalesce((SELECT flushed_row FROM ledgers WHERE ledger_id = ?1), 0) = ?4
    AND NOT EXISTS (
      SELECT 1 FROM subjects WHERE ledger_id = ?1 AND kind = ?2 AND external_id = added.value ->> 0)`

const NUMBERS_OF = `
  SELECT number, external_id FROM subjects
  WHERE ledger_id = ?1 AND kind = ?2 AND external_id IN (SELECT value ->> 0 FROM json_each(?3))`

const NAMES_OF = `
  SELECT number, external_id FROM subjects
  WHERE ledger_id = ?1 AND kind = ?2 AND number IN (SELECT value FROM json_each(?3))`

interface SubjectRow {
  number: number
  external_id: string
}

export type NumberOf = (kind: SubjectKind, id: string) => number

export type Numbered =
  | { readonly kind: 'numbered'; readonly number: NumberOf }
  /** The watermark does not stand where the flush begins: nobody was given a number. */
  | { readonly kind: 'moved'; readonly watermark: Watermark }

/** The number of each subject, given now to those that have none. Two rows written for each new one, else none. */
export async function numberSubjects(
  db: D1Database,
  ledger_id: string,
  mentions: Mentions,
  from_row: number,
): Promise<Numbered> {
  const lists = { user: JSON.stringify([...mentions.user]), team: JSON.stringify([...mentions.team]) }
  const kinds = (['user', 'team'] as const).filter((kind) => mentions[kind].size > 0)
  if (kinds.length === 0) return { kind: 'numbered', number: unknownSubject }
  const [read, ...results] = await db.batch<SubjectRow & Watermark>([
    db.prepare(READ_WATERMARK).bind(ledger_id),
    ...kinds.flatMap((kind) => [
      db.prepare(ADD_SUBJECTS).bind(ledger_id, kind, lists[kind], from_row),
      db.prepare(NUMBERS_OF).bind(ledger_id, kind, lists[kind]),
    ]),
  ])
  const watermark = read?.results[0] ?? NOTHING_FLUSHED
  if (watermark.flushed_row !== from_row) return { kind: 'moved', watermark }
  const numbers = { user: new Map<string, number>(), team: new Map<string, number>() }
  kinds.forEach((kind, index) => {
    for (const row of results[index * 2 + 1]?.results ?? []) numbers[kind].set(row.external_id, row.number)
  })
  return { kind: 'numbered', number: (kind, id) => numbers[kind].get(id) ?? unknownSubject(kind, id) }
}

/** The numbers of subjects that were given theirs before. */
export async function numbersOfSubjects(
  db: D1Database,
  ledger_id: string,
  mentions: Mentions,
): Promise<NumberOf> {
  const numbers = { user: new Map<string, number>(), team: new Map<string, number>() }
  const kinds = (['user', 'team'] as const).filter((kind) => mentions[kind].size > 0)
  for (const kind of kinds) {
    const list = JSON.stringify([...mentions[kind]])
    const { results } = await db.prepare(NUMBERS_OF).bind(ledger_id, kind, list).all<SubjectRow>()
    for (const row of results) numbers[kind].set(row.external_id, row.number)
  }
  return (kind, id) => numbers[kind].get(id) ?? unknownSubject(kind, id)
}

/** The customer's own id of each subject number. A number that has none any more was erased. */
export async function nameSubjects(
  db: D1Database,
  ledger_id: string,
  subjects: SubjectNumbers,
): Promise<(kind: SubjectKind, number: number) => string> {
  const kinds = (['user', 'team'] as const).filter((kind) => subjects[kind].size > 0)
  const names = { user: new Map<number, string>(), team: new Map<number, string>() }
  if (kinds.length > 0) {
    const results = await db.batch<SubjectRow>(
      kinds.map((kind) => db.prepare(NAMES_OF).bind(ledger_id, kind, JSON.stringify([...subjects[kind]]))),
    )
    kinds.forEach((kind, index) => {
      for (const row of results[index]?.results ?? []) names[kind].set(row.number, row.external_id)
    })
  }
  return (kind, number) => names[kind].get(number) ?? `erased-${kind}-${number}`
}

/** The numbers of those of these subjects that D1 knows. */
export async function subjectNumbers(
  db: D1Database,
  ledger_id: string,
  kind: SubjectKind,
  ids: readonly string[],
): Promise<ReadonlySet<number>> {
  const list = JSON.stringify(ids.map((id) => [id]))
  const { results } = await db.prepare(NUMBERS_OF).bind(ledger_id, kind, list).all<SubjectRow>()
  return new Set(results.map(({ number }) => number))
}

function unknownSubject(kind: SubjectKind, _id: string): never {
  throw new Error(`a ${kind} was given no number`)
}
