import type { SubjectKind } from '../../db/schema.ts'

/** Users and teams of a ledger, by number. */
export interface SubjectNumbers {
  readonly user: ReadonlySet<number>
  readonly team: ReadonlySet<number>
}

export const NUMBERS_OF = `
  SELECT number, external_id FROM subjects
  WHERE ledger_id = ?1 AND kind = ?2 AND external_id IN (SELECT value ->> 0 FROM json_each(?3))`

const NAMES_OF = `
  SELECT number, external_id FROM subjects
  WHERE ledger_id = ?1 AND kind = ?2 AND number IN (SELECT value FROM json_each(?3))`

export interface SubjectRow {
  number: number
  external_id: string
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
