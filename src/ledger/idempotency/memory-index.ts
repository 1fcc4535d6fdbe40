import { ENTRY_BYTES } from './entries.ts'
import type { KeyHash } from './hash.ts'

const MIN_BITS = 8
const WORDS = ENTRY_BYTES / 4

/**
 * Entries in memory: one typed array with open addressing and linear probing. The three words of an entry are adjacent,
 * so a lookup touches one cache line. The home slot comes from the first bits of the hash, so entries with equal first
 * bits are adjacent, and a segment's buckets are read from the index without sorting.
 */
export class KeyIndex {
  private bits: number
  private room: number
  private slots: Uint32Array
  private used = 0

  /** Allocates room for this many entries, so that loading them does not grow the index step by step. */
  constructor(entries = 0) {
    this.bits = bitsFor(entries)
    this.room = room(this.bits)
    this.slots = new Uint32Array(WORDS << this.bits)
  }

  get size(): number {
    return this.used
  }

  get bytes(): number {
    return this.slots.byteLength
  }

  add(low: number, high: number, row: number): void {
    if (this.used >= this.room) this.grow()
    this.place(low, high, row)
  }

  /** Returns the rows of the entries with this hash. */
  find({ low, high }: KeyHash): number[] {
    const { slots } = this
    const rows: number[] = []
    for (let at = this.home(high); slots[at + 2] !== 0; at = this.next(at)) {
      if (slots[at] === low && slots[at + 1] === high) rows.push(slots[at + 2] ?? 0)
    }
    return rows
  }

  /** Visits each entry whose hash begins with the `bits` bits of `prefix`. */
  visit(prefix: number, bits: number, use: (low: number, high: number, row: number) => void): void {
    const { slots } = this
    const first = bits === 0 ? 0 : (prefix << (32 - bits)) >>> 0
    const last = bits === 0 ? 0xffff_ffff : (first | (0xffff_ffff >>> bits)) >>> 0
    const homes = (this.home(last) - this.home(first)) / WORDS + 1
    let at = this.home(first)
    for (let walked = 0; walked < 1 << this.bits; walked++) {
      const row = slots[at + 2] ?? 0
      // Displaced entries continue past the last home slot, up to the first free slot.
      if (row === 0 && walked >= homes) return
      const high = slots[at + 1] ?? 0
      if (row !== 0 && high >= first && high <= last) use(slots[at] ?? 0, high, row)
      at = this.next(at)
    }
  }

  /** Drops all entries and keeps room for this many, so that refilling the index does not grow it. */
  clear(entries: number): void {
    const bits = bitsFor(entries)
    if (bits === this.bits) this.slots.fill(0)
    else this.allocate(bits)
    this.used = 0
  }

  private grow(): void {
    const old = this.slots
    this.allocate(this.bits + 1)
    this.used = 0
    // Inserts in slot order, for cache locality: the order of the new slots is the same.
    for (let at = 0; at < old.length; at += WORDS) {
      const row = old[at + 2] ?? 0
      if (row !== 0) this.place(old[at] ?? 0, old[at + 1] ?? 0, row)
    }
  }

  private allocate(bits: number): void {
    this.bits = bits
    this.room = room(bits)
    this.slots = new Uint32Array(WORDS << bits)
  }

  private place(low: number, high: number, row: number): void {
    const { slots } = this
    let at = this.home(high)
    while (slots[at + 2] !== 0) at = this.next(at)
    slots[at] = low
    slots[at + 1] = high
    slots[at + 2] = row
    this.used++
  }

  private home(high: number): number {
    return (high >>> (32 - this.bits)) * WORDS
  }

  private next(at: number): number {
    const next = at + WORDS
    return next === this.slots.length ? 0 : next
  }
}

function bitsFor(entries: number): number {
  let bits = MIN_BITS
  while (entries > room(bits)) bits++
  return bits
}

/** At most three quarters of the slots are used, so that a lookup probes a few slots only. */
function room(bits: number): number {
  return 3 * 2 ** (bits - 2)
}
