import type { Bindings } from '../bindings.ts'

/**
 * The maximum number of counts in memory. It is normally reached only while D1 is unavailable. A count with a new key
 * is then dropped.
 */
const MAX_COUNTS = 2_000

/**
 * The counts of an isolate that are not in D1 yet. One statement adds all of them to D1. If this write fails, the
 * counts are kept. The counts in D1 are not exact: an isolate that ends loses its unwritten counts, some counts are
 * dropped while D1 is unavailable, and counts are added twice if the response to a successful write is lost.
 */
export class PendingCounts<C extends { readonly count: number }> {
  private readonly keyOf: (count: C) => string
  private readonly sql: string
  private readonly failed: (error: unknown) => void
  private counts = new Map<string, C>()

  /**
   * Creates an object without counts. `keyOf` returns the key of a count. `sql` is the statement that adds counts to
   * D1. Its only parameter is a JSON list of counts. `failed` is called after a failed write.
   */
  constructor(keyOf: (count: C) => string, sql: string, failed: (error: unknown) => void) {
    this.keyOf = keyOf
    this.sql = sql
    this.failed = failed
  }

  get isEmpty(): boolean {
    return this.counts.size === 0
  }

  /** Adds a count to the count with the same key, if any. The other fields of the earlier count are replaced. */
  add(count: C): void {
    const key = this.keyOf(count)
    const before = this.counts.get(key)
    if (!before && this.counts.size >= MAX_COUNTS) return
    this.counts.set(key, { ...count, count: count.count + (before?.count ?? 0) })
  }

  /** Adds the counts to D1. Never throws. If the write fails, the counts are kept. */
  async write(env: Pick<Bindings, 'DB'>): Promise<void> {
    if (this.isEmpty) return
    const taken = this.counts
    this.counts = new Map()
    try {
      await env.DB.prepare(this.sql)
        .bind(JSON.stringify([...taken.values()]))
        .run()
    } catch (error) {
      const later = this.counts
      this.counts = taken
      for (const count of later.values()) this.add(count)
      this.failed(error)
    }
  }
}
