import type { Bindings } from '../bindings.ts'

/**
 * The maximum number of counts. It is normally reached only while D1 is unavailable. Counts of new keys are then
 * dropped.
 */
const MAX_COUNTS = 2_000

/**
 * Counts in the memory of an isolate, which are added to D1 together. Counts that could not be written are kept. An
 * isolate that ends loses its unwritten counts, and a write whose answer is lost counts twice.
 */
export class PendingCounts<C extends { readonly count: number }> {
  private readonly keyOf: (count: C) => string
  private readonly sql: string
  private readonly failed: (error: unknown) => void
  private counts = new Map<string, C>()

  /** Creates empty counts. `sql` adds the counts of a JSON list, its only parameter. `failed` logs a failed write. */
  constructor(keyOf: (count: C) => string, sql: string, failed: (error: unknown) => void) {
    this.keyOf = keyOf
    this.sql = sql
    this.failed = failed
  }

  get isEmpty(): boolean {
    return this.counts.size === 0
  }

  /** Adds a count to the earlier count of the same key. The other fields of the earlier count are replaced. */
  add(count: C): void {
    const key = this.keyOf(count)
    const before = this.counts.get(key)
    if (!before && this.counts.size >= MAX_COUNTS) return
    this.counts.set(key, { ...count, count: count.count + (before?.count ?? 0) })
  }

  /** Adds the counts to D1. Never throws. */
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
