/** A version of a burn table and the times that determine when it applies. */
export interface VersionTimes {
  /** The number of the version, counted over all tables of a customer. */
  readonly version: number
  readonly table_id: string
  readonly effective_from_ms: number
  /** The time from which the version no longer applies; null if its validity has no end. */
  readonly effective_to_ms: number | null
  /**
   * The start of the whole table. If several tables apply to an event, the table with the latest start rates it. An
   * edit changes this start only if the edit names a start in the future, or if the new version begins earlier.
   */
  readonly began_at_ms: number
  /** The time from which a deactivated table no longer applies. It is set only on the last version of the table. */
  readonly deactivated_at_ms: number | null
}

/** The version in force at a time, and an interval around the time in which the version does not change. */
export interface InForce<T> {
  /** The version; undefined if no version is in force. */
  readonly version: T | undefined
  readonly from_ms: number
  /** The end of the interval, exclusive. */
  readonly to_ms: number
}

/**
 * Returns the version that rates events at `at_ms`. From its start on, a later version of a table replaces the earlier
 * versions of the table, even if it ends before the earlier versions. If several tables are in force, the table that
 * started last applies. If the tables started at the same time, the table that was saved last applies.
 */
export function versionInForce<T extends VersionTimes>(versions: Iterable<T>, at_ms: number): InForce<T> {
  const newest = new Map<string, T>()
  const ended = new Map<string, number>()
  let from_ms = Number.NEGATIVE_INFINITY
  let to_ms = Number.POSITIVE_INFINITY
  for (const version of versions) {
    const { table_id, effective_from_ms, effective_to_ms, deactivated_at_ms } = version
    for (const edge_ms of [effective_from_ms, effective_to_ms, deactivated_at_ms]) {
      if (edge_ms === null) continue
      if (edge_ms <= at_ms) from_ms = Math.max(from_ms, edge_ms)
      else to_ms = Math.min(to_ms, edge_ms)
    }
    if (deactivated_at_ms !== null) ended.set(table_id, deactivated_at_ms)
    const known = newest.get(table_id)
    if (effective_from_ms <= at_ms && (!known || known.version < version.version))
      newest.set(table_id, version)
  }
  let best: T | undefined
  for (const version of newest.values()) {
    const { table_id, effective_to_ms } = version
    if (effective_to_ms !== null && effective_to_ms <= at_ms) continue
    if ((ended.get(table_id) ?? Number.POSITIVE_INFINITY) <= at_ms) continue
    if (!best || wins(version, best)) best = version
  }
  return { version: best, from_ms, to_ms }
}

function wins(a: VersionTimes, b: VersionTimes): boolean {
  return a.began_at_ms > b.began_at_ms || (a.began_at_ms === b.began_at_ms && a.version > b.version)
}
