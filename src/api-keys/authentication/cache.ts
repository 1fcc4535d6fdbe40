interface Entry<V> {
  readonly value: V
  readonly expires_at_ms: number
}

/**
 * A map whose entries expire after `ttl_ms`, and that evicts the least recently used entry above `capacity`. It lives
 * in the memory of one isolate.
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
    // A Map iterates in insertion order: move the entry to the end.
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
