import type { KeyHash } from './hash.ts'

/** A journal row, and how many keys the ledger had recorded up to and with it. */
export interface KeyPosition {
  readonly row: number
  readonly keys_total: number
}

/**
 * Entries as stored in runs and buckets, 12 bytes each: a key's hash and the short number of the journal row that holds
 * the key. The blob has all low halves, then all high halves, then all rows, in little-endian order (the byte order of
 * every machine that workerd runs on).
 */
export interface KeyEntries {
  readonly length: number
  readonly low: Uint32Array
  readonly high: Uint32Array
  readonly row: Uint32Array
}

export const ENTRY_BYTES = 12

export function readEntries(blob: SqlStorageValue | undefined): KeyEntries {
  if (!(blob instanceof ArrayBuffer)) throw new Error('stored key entries are not a blob')
  const length = blob.byteLength / ENTRY_BYTES
  if (!Number.isInteger(length)) {
    throw new Error(`stored key entries have ${blob.byteLength} bytes, not a multiple of ${ENTRY_BYTES}`)
  }
  return {
    length,
    low: new Uint32Array(blob, 0, length),
    high: new Uint32Array(blob, 4 * length, length),
    row: new Uint32Array(blob, 8 * length, length),
  }
}

/** Appends to `rows` the row of each entry with this hash. */
export function rowsOf(entries: KeyEntries, { low, high }: KeyHash, rows: number[]): void {
  // Entries are unsorted: `indexOf` scans a thousand of them in a tenth of a microsecond.
  for (let at = entries.low.indexOf(low); at !== -1; at = entries.low.indexOf(low, at + 1)) {
    if (entries.high[at] === high) rows.push(entries.row[at] ?? 0)
  }
}

/** A growing list of entries. */
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
 * Row numbers of a busy ledger pass 2^32, and an entry has 32 bits for one. It stores the row's number modulo 2^32 - 1,
 * plus 1, since 0 marks a free slot of the index. No journal holds 2^32 rows at once, so the number is unambiguous.
 */
const ROWS = 2 ** 32 - 1

export function shortRow(row_id: number): number {
  return (row_id % ROWS) + 1
}

/** Returns how many rows before `last_row` the row with this short number is. */
export function rowsBack(short: number, last_row: number): number {
  const back = (last_row % ROWS) - (short - 1)
  return back < 0 ? back + ROWS : back
}
