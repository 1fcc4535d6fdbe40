import type { SubjectKind } from '../db/schema.ts'

/** Users and teams of a ledger, by the customer's own ids. */
export interface SubjectIds {
  readonly user: ReadonlySet<string>
  readonly team: ReadonlySet<string>
}

/** Users and teams of a ledger, by number. */
export interface SubjectNumbers {
  readonly user: ReadonlySet<number>
  readonly team: ReadonlySet<number>
}

// Numbers are never used twice: whoever erases a subject keeps its row and blanks the id. Those that are known
// already cost nothing; the guard against a conflict is for two flushes of one ledger, which cannot happen.
const ADD_SUBJECTS = `
  INSERT INTO subjects (ledger_id, kind, number, external_id, created_at_ms)
  SELECT ?1, ?2, (SELECT coalesce(max(number), 0) FROM subjects WHERE ledger_id = ?1 AND kind = ?2)
      + row_number() OVER (ORDER BY added.key), added.value, ?4
  FROM json_each(?3) AS added
  WHERE NOT EXISTS (
    SELECT 1 FROM subjects WHERE ledger_id = ?1 AND kind = ?2 AND external_id = added.value)
  ON CONFLICT DO NOTHING`

const NUMBERS_OF = `
  SELECT number, external_id FROM subjects
  WHERE ledger_id = ?1 AND kind = ?2 AND external_id IN (SELECT value FROM json_each(?3))`

const NAMES_OF = `
  SELECT number, external_id FROM subjects
  WHERE ledger_id = ?1 AND kind = ?2 AND number IN (SELECT value FROM json_each(?3))`

interface SubjectRow {
  number: number
  external_id: string
}

/** The number of each subject, given now to those that have none. Two rows written for each new one, else none. */
export async function numberSubjects(
  db: D1Database,
  ledger_id: string,
  subjects: SubjectIds,
  now_ms: number,
): Promise<(kind: SubjectKind, id: string) => number> {
  const lists = { user: JSON.stringify([...subjects.user]), team: JSON.stringify([...subjects.team]) }
  const kinds = (['user', 'team'] as const).filter((kind) => subjects[kind].size > 0)
  if (kinds.length === 0) return unknownSubject
  const results = await db.batch<SubjectRow>(
    kinds.flatMap((kind) => [
      db.prepare(ADD_SUBJECTS).bind(ledger_id, kind, lists[kind], now_ms),
      db.prepare(NUMBERS_OF).bind(ledger_id, kind, lists[kind]),
    ]),
  )
  const numbers = { user: new Map<string, number>(), team: new Map<string, number>() }
  kinds.forEach((kind, index) => {
    for (const row of results[index * 2 + 1]?.results ?? []) numbers[kind].set(row.external_id, row.number)
  })
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

function unknownSubject(kind: SubjectKind, _id: string): never {
  throw new Error(`a ${kind} was given no number`)
}
