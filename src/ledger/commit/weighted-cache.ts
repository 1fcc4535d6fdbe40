interface Cached<V> {
  readonly value: V
  readonly weight: number
}

/**
 * A map with weighted entries. When the weight exceeds the capacity, the least recently used entries are dropped. An
 * entry heavier than the capacity is not kept, so the total weight never exceeds the capacity.
 */
export class WeightedCache<K, V> {
  private readonly entries = new Map<K, Cached<V>>()
  private readonly capacity: number
  private weight = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  get(key: K): V | undefined {
    const found = this.entries.get(key)
    if (!found) return undefined
    // A Map iterates in insertion order, so the entry moves to the end.
    this.entries.delete(key)
    this.entries.set(key, found)
    return found.value
  }

  set(key: K, value: V, weight: number): void {
    this.delete(key)
    this.entries.set(key, { value, weight })
    this.weight += weight
    for (const oldest of this.entries.keys()) {
      if (this.weight <= this.capacity) return
      this.delete(oldest)
    }
  }

  delete(key: K): void {
    const found = this.entries.get(key)
    if (!found) return
    this.entries.delete(key)
    this.weight -= found.weight
  }

  clear(): void {
    this.entries.clear()
    this.weight = 0
  }
}
