import type { KeyHash } from './sip-hash.ts'

/**
 * Hashes of keys and the journal rows that hold the keys, 12 bytes each, as they lie in runs and buckets: all low
 * halves, all high halves, all rows, in the byte order of every machine that workerd runs on (little-endian).
 */
export interface KeyEntries {
  readonly length: number
  readonly low: Uint32Array
  readonly high: Uint32Array
  readonly row: Uint32Array
}

export const ENTRY_BYTES = 12

export const NO_ENTRIES: KeyEntries = readEntries(new ArrayBuffer(0))

export function readEntries(blob: ArrayBuffer): KeyEntries {
  const length = blob.byteLength / ENTRY_BYTES
  if (!Number.isInteger(length)) throw new Error(`key entries of ${blob.byteLength} bytes are broken`)
  return {
    length,
    low: new Uint32Array(blob, 0, length),
    high: new Uint32Array(blob, 4 * length, length),
    row: new Uint32Array(blob, 8 * length, length),
  }
}

/** Appends to `rows` the row of each entry with this hash. */
export function rowsOf(entries: KeyEntries, { low, high }: KeyHash, rows: number[]): void {
  // A search that the runtime does for us: a thousand entries in a tenth of a microsecond, so they need no order.
  for (let at = entries.low.indexOf(low); at !== -1; at = entries.low.indexOf(low, at + 1)) {
    if (entries.high[at] === high) rows.push(entries.row[at] ?? 0)
  }
}

/** Entries in the making. */
export class EntriesBuilder {
  private low = new Uint32Array(2048)
  private high = new Uint32Array(2048)
  private row = new Uint32Array(2048)
  length = 0

  push(low: number, high: number, row: number): void {
    if (this.length === this.low.length) {
      this.low = doubled(this.low)
      this.high = doubled(this.high)
      this.row = doubled(this.row)
    }
    this.low[this.length] = low
    this.high[this.length] = high
    this.row[this.length] = row
    this.length++
  }

  clear(): void {
    this.length = 0
  }

  toBlob(): ArrayBuffer {
    const { length } = this
    const packed = new Uint32Array(3 * length)
    packed.set(this.low.subarray(0, length), 0)
    packed.set(this.high.subarray(0, length), length)
    packed.set(this.row.subarray(0, length), 2 * length)
    return packed.buffer
  }
}

function doubled(from: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(2 * from.length)
  to.set(from)
  return to
}

/**
 * Journal rows are numbered past 2^32 in a busy ledger's life, and an entry has 32 bits for one: it keeps the number
 * modulo 2^32 - 1, from 1 on (0 is a free place). What lies further back than that is not in any journal.
 */
const ROWS = 2 ** 32 - 1

export function shortRow(row_id: number): number {
  return (row_id % ROWS) + 1
}

/** How many rows before `last_row` an entry's row is. */
export function rowsBack(short: number, last_row: number): number {
  return ((last_row % ROWS) - (short - 1) + ROWS) % ROWS
}
