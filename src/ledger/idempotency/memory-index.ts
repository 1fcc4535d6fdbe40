import { ENTRY_BYTES, type KeyEntries } from './entries.ts'
import type { KeyHash } from './sip-hash.ts'

const MIN_BITS = 10
const WORDS = ENTRY_BYTES / 4

/**
 * Entries in memory: one typed array with open addressing, an entry's low half, high half and row side by side so that
 * a look touches one cache line. A place is found by the hash's first bits, and so whatever shares some first bits lies
 * together: that is how a merge takes a bucket's entries out without sorting any.
 */
export class KeyIndex {
  private bits = MIN_BITS
  private room: number
  private slots: Uint32Array
  private used = 0

  /** Room for this many entries from the start, so that a start does not grow twenty times. */
  constructor(entries = 0) {
    while (entries > room(this.bits)) this.bits++
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
    if (this.used >= this.room) this.rebuild(this.bits + 1, () => true)
    this.place(low, high, row)
  }

  /** Adds many entries, as a start does with a million of them: one loop, nothing called in it. */
  addAll({ length, low, high, row }: KeyEntries): void {
    while (this.used + length > this.room) this.rebuild(this.bits + 1, () => true)
    const { slots } = this
    const end = slots.length
    const shift = 32 - this.bits
    for (let i = 0; i < length; i++) {
      const entry_high = high[i] ?? 0
      let at = (entry_high >>> shift) * WORDS
      while (slots[at + 2] !== 0) {
        at += WORDS
        if (at === end) at = 0
      }
      slots[at] = low[i] ?? 0
      slots[at + 1] = entry_high
      slots[at + 2] = row[i] ?? 0
    }
    this.used += length
  }

  /** The rows of the entries with this hash. */
  find({ low, high }: KeyHash): number[] {
    const { slots } = this
    const rows: number[] = []
    for (let at = this.home(high); slots[at + 2] !== 0; at = this.next(at)) {
      if (slots[at] === low && slots[at + 1] === high) rows.push(slots[at + 2] ?? 0)
    }
    return rows
  }

  /** Visits each entry whose hash begins with these bits. */
  visit(prefix: number, bits: number, use: (low: number, high: number, row: number) => void): void {
    const { slots } = this
    const first = bits === 0 ? 0 : (prefix << (32 - bits)) >>> 0
    const last = bits === 0 ? 0xffff_ffff : (first | (0xffff_ffff >>> bits)) >>> 0
    const homes = (this.home(last) - this.home(first)) / WORDS + 1
    let at = this.home(first)
    for (let walked = 0; walked < 1 << this.bits; walked++) {
      const row = slots[at + 2] ?? 0
      // Past the last place of their own, entries go on until the first free one.
      if (row === 0 && walked >= homes) return
      const high = slots[at + 1] ?? 0
      if (row !== 0 && high >= first && high <= last) use(slots[at] ?? 0, high, row)
      at = this.next(at)
    }
  }

  /** Drops the entries whose row does not fit. */
  keep(fits: (row: number) => boolean): void {
    let kept = 0
    for (let at = 2; at < this.slots.length; at += WORDS) {
      const row = this.slots[at] ?? 0
      if (row !== 0 && fits(row)) kept++
    }
    let bits = MIN_BITS
    while (kept > room(bits)) bits++
    this.rebuild(bits, fits)
  }

  private rebuild(bits: number, fits: (row: number) => boolean): void {
    const old = this.slots
    this.bits = bits
    this.room = room(bits)
    this.slots = new Uint32Array(WORDS << bits)
    this.used = 0
    // In the order of their places, which is that of the new ones too: memory is walked, not jumped about in.
    for (let at = 0; at < old.length; at += WORDS) {
      const row = old[at + 2] ?? 0
      if (row !== 0 && fits(row)) this.place(old[at] ?? 0, old[at + 1] ?? 0, row)
    }
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

/** A table is never fuller than three quarters, so that a look ends after a few places. */
function room(bits: number): number {
  return 3 * 2 ** (bits - 2)
}
