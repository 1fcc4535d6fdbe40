/**
 * Deletes rows that are older than the retention of their table. The primary key of each of these tables begins with
 * the owner and orders the rows of an owner by time. The tables have no index by time, because D1 would count each
 * insertion as two written rows.
 */

/** The maximum number of owners that one run examines. */
const OWNERS_A_RUN = 1_000
export const DELETED_AT_ONCE = 1_000
const DELETES_A_RUN = 20
/** The maximum number of calls to D1 in one run. */
export const RETENTION_CALLS = 1 + DELETES_A_RUN

export interface Retained {
  readonly table: string
  /** The first column of the table's primary key. */
  readonly owner: string
  /** The SQL condition that is true if `o.owner` has rows that `forget` deletes. */
  readonly is_due: string
  /**
   * The SQL statement that deletes expired rows, which are older than `?2`. It deletes only rows of the owners in the
   * list `?1`, and at most `DELETED_AT_ONCE` rows. It returns the `owner` of each deleted row.
   */
  readonly forget: string
}

interface Walk {
  /** The owner where the previous run stopped. This run begins with the next owner. */
  readonly after: string
  readonly reach: (owner: string) => void
}

/**
 * Deletes at most 20,000 expired rows and returns their number. A run can end before all rows of an owner are deleted.
 * The next run still begins with the next owner, so an owner with many rows delays the other owners by at most one run.
 */
export async function deleteExpired(
  db: D1Database,
  { table, owner, is_due, forget }: Retained,
  before: string | number,
  { after, reach }: Walk,
): Promise<number> {
  const { results } = await db
    .prepare(ownersOf({ table, owner, is_due }))
    .bind(after, before)
    .all<{ owner: string; is_due: 0 | 1 }>()
  let due = results.filter(({ is_due }) => is_due).map(({ owner }) => owner)
  let deleted = 0
  for (let i = 0; i < DELETES_A_RUN && due.length > 0; i++) {
    const gone = (await db.prepare(forget).bind(JSON.stringify(due), before).all<{ owner: string }>()).results
    deleted += gone.length
    const touched = new Set(gone.map(({ owner }) => owner))
    due = gone.length < DELETED_AT_ONCE ? [] : due.slice(due.findLastIndex((owner) => touched.has(owner)))
    reach(due[0] ?? '')
  }
  const last = results.at(-1)?.owner
  const reached = due[0] ?? last
  reach(reached === undefined || (reached === last && results.length < OWNERS_A_RUN) ? '' : reached)
  return deleted
}

/**
 * Returns the SQL statement that lists the next owners after `?1` in order, at most `OWNERS_A_RUN`. `is_due` is 1 if
 * the owner has expired rows. The statement finds each owner by the primary key.
 */
function ownersOf({ table, owner, is_due }: Pick<Retained, 'table' | 'owner' | 'is_due'>): string {
  return `
    WITH RECURSIVE o (owner) AS (
      SELECT min(${owner}) FROM ${table} WHERE ${owner} > ?1
      UNION ALL
      SELECT (SELECT min(${owner}) FROM ${table} WHERE ${owner} > o.owner) FROM o
      WHERE o.owner IS NOT NULL LIMIT ${OWNERS_A_RUN})
    SELECT owner, ${is_due} AS is_due FROM o WHERE owner IS NOT NULL`
}
