import type { KeyStore, UsedKey } from './idempotency.ts'
import type { Idempotency } from './messages.ts'
import type { Exec } from './tables.ts'

// Lists travel as one JSON parameter: a statement takes at most 100 bound ones.
const FIND = `
  SELECT idempotency_key, fingerprint, journal_row, journal_index FROM idempotency_keys
  WHERE idempotency_key IN (SELECT value FROM json_each(?))`

const RECORD = `
  INSERT INTO idempotency_keys (idempotency_key, fingerprint, journal_row, journal_index)
  SELECT value ->> 0, value ->> 1, ?, value ->> 2 FROM json_each(?)`

const FORGET = 'DELETE FROM idempotency_keys WHERE idempotency_key IN (SELECT value FROM json_each(?))'

/** The idempotency store as a table: a row for each key, exact by construction. */
export class KeyTable implements KeyStore {
  private readonly exec: Exec

  constructor(exec: Exec) {
    this.exec = exec
  }

  find(keys: readonly string[]): Map<string, UsedKey> {
    const used = new Map<string, UsedKey>()
    for (const row of this.exec(FIND, JSON.stringify(keys))) {
      used.set(String(row.idempotency_key), {
        fingerprint: String(row.fingerprint),
        row: Number(row.journal_row),
        index: Number(row.journal_index),
      })
    }
    return used
  }

  record(row: number, keys: readonly { index: number; idempotency: Idempotency }[]): void {
    if (keys.length === 0) return
    const list = keys.map(({ index, idempotency }) => [idempotency.key, idempotency.fingerprint, index])
    this.exec(RECORD, row, JSON.stringify(list))
  }

  forget(keys: readonly string[]): void {
    if (keys.length > 0) this.exec(FORGET, JSON.stringify(keys))
  }
}
