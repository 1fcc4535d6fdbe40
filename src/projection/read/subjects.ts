import { jsonParameters } from '../../db/json-parameters.ts'
import type { SubjectKind } from '../../db/schema.ts'

/** The subject numbers of some users and teams of one ledger. */
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

/**
 * Returns a function that converts a subject number to the customer's own id of the user or team. For an erased
 * subject, the function returns its alias. For a number without a subject, it returns a placeholder.
 */
export async function nameSubjects(
  db: D1Database,
  ledger_id: string,
  subjects: SubjectNumbers,
): Promise<(kind: SubjectKind, number: number) => string> {
  const names = { user: new Map<number, string>(), team: new Map<number, string>() }
  const lists = (['user', 'team'] as const).flatMap((kind) =>
    jsonParameters([...subjects[kind]].map(String)).map((list) => ({ kind, list })),
  )
  if (lists.length > 0) {
    const results = await db.batch<SubjectRow>(
      lists.map(({ kind, list }) => db.prepare(NAMES_OF).bind(ledger_id, kind, list)),
    )
    lists.forEach(({ kind }, index) => {
      for (const row of results[index]?.results ?? []) names[kind].set(row.number, row.external_id)
    })
  }
  return (kind, number) => names[kind].get(number) ?? `erased-${kind}-${number}`
}

/** Returns the subject numbers of users or teams. Omits ids that are not in D1. */
export async function subjectNumbers(
  db: D1Database,
  ledger_id: string,
  kind: SubjectKind,
  ids: readonly string[],
): Promise<ReadonlySet<number>> {
  const numbers = new Set<number>()
  for (const list of jsonParameters(ids.map((id) => JSON.stringify([id])))) {
    const { results } = await db.prepare(NUMBERS_OF).bind(ledger_id, kind, list).all<SubjectRow>()
    for (const { number } of results) numbers.add(number)
  }
  return numbers
}
