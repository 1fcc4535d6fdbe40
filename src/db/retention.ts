/**
 * Deletes rows that are older than their retention. The primary keys of these tables begin with the owner, followed
 * by the time. The tables have no index by time, because an index costs one more written row for each row.
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
  /** The SQL condition that `o.owner` has rows older than `?2`. */
  readonly is_due: string
  /**
   * The SQL statement that deletes rows older than `?2` of the owners in the list `?1`. It deletes at most
   * `DELETED_AT_ONCE` rows and returns the `owner` of each.
   */
  readonly forget: string
}

interface Walk {
  /** The run begins with the next owner after this one. */
  readonly after: string
  readonly reach: (owner: string) => void
}

/**
 * Deletes at most 20,000 expired rows and returns their number. If a run ends before all rows of an owner are
 * deleted, the next run begins with the next owner. An owner with many rows therefore delays the other owners by one
 * run at most.
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

/** Returns the SQL that lists the owners after `?1` in order. It finds each owner by primary key. */
function ownersOf({ table, owner, is_due }: Pick<Retained, 'table' | 'owner' | 'is_due'>): string {
  return `
    WITH RECURSIVE o (owner) AS (
      SELECT min(${owner}) FROM ${table} WHERE ${owner} > ?1
      UNION ALL
      SELECT (SELECT min(${owner}) FROM ${table} WHERE ${owner} > o.owner) FROM o
      WHERE o.owner IS NOT NULL LIMIT ${OWNERS_A_RUN})
    SELECT owner, ${is_due} AS is_due FROM o WHERE owner IS NOT NULL`
}
