import type { Bindings } from '../bindings.ts'

/** Reached only while D1 does not answer. New counts are then dropped. */
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

  /** `sql` adds the counts of a JSON list, its only parameter; `failed` logs a failed write. */
  constructor(keyOf: (count: C) => string, sql: string, failed: (error: unknown) => void) {
    this.keyOf = keyOf
    this.sql = sql
    this.failed = failed
  }

  get isEmpty(): boolean {
    return this.counts.size === 0
  }

  /** Adds a count to the earlier one of its key, whose other fields it replaces. */
  add(count: C): void {
    this.put({ ...count, count: count.count + this.countedFor(count) })
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
      for (const [key, count] of taken) {
        this.put({ ...count, ...this.counts.get(key), count: count.count + this.countedFor(count) })
      }
      this.failed(error)
    }
  }

  private countedFor(count: C): number {
    return this.counts.get(this.keyOf(count))?.count ?? 0
  }

  private put(count: C): void {
    const key = this.keyOf(count)
    if (this.counts.has(key) || this.counts.size < MAX_COUNTS) this.counts.set(key, count)
  }
}
