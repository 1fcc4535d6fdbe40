interface Entry<V> {
  readonly value: V
  readonly expires_at_ms: number
}

/**
 * A map that forgets: each entry after `ttl_ms`, and the least recently used one when there are more than `capacity`.
 * Lives in the isolate's memory, so it is empty in a new one and differs between two.
 */
export class ExpiringMap<V> {
  private readonly entries = new Map<string, Entry<V>>()
  private readonly capacity: number
  private readonly ttl_ms: number

  constructor(options: { readonly capacity: number; readonly ttl_ms: number }) {
    this.capacity = options.capacity
    this.ttl_ms = options.ttl_ms
  }

  get size(): number {
    return this.entries.size
  }

  get(key: string, now_ms: number): V | undefined {
    const entry = this.entries.get(key)
    if (!entry) return undefined
    this.entries.delete(key)
    if (entry.expires_at_ms <= now_ms) return undefined
    // A Map iterates in insertion order: the entry that was used last goes to its end.
    this.entries.set(key, entry)
    return entry.value
  }

  set(key: string, value: V, now_ms: number): void {
    this.entries.delete(key)
    this.entries.set(key, { value, expires_at_ms: now_ms + this.ttl_ms })
    if (this.entries.size <= this.capacity) return
    for (const oldest of this.entries.keys()) {
      this.entries.delete(oldest)
      break
    }
  }

  delete(key: string): void {
    this.entries.delete(key)
  }

  clear(): void {
    this.entries.clear()
  }
}
