import { Draft } from '../../src/ledger/commit/draft.ts'
import type { PackedKeysOptions } from '../../src/ledger/idempotency/store.ts'
import { JournalRows } from '../../src/ledger/journal/rows.ts'
import { type Exec, MetaTable } from '../../src/ledger/tables.ts'
import { NO_USAGE } from '../../src/usage/cells/cells.ts'

/** Limits of the idempotency store that are so low that a few keys fill the index, a bucket or a run. */
export const TINY = { memory_keys: 16, bucket_keys: 4, run_rows: 5, run_keys: 12 } as const

/**
 * A journal with the idempotency store of a ledger object, but without the rest of the ledger. It commits only
 * idempotency keys.
 */
export class KeysJournal {
  private readonly storage: DurableObjectStorage
  private readonly options: PackedKeysOptions
  private readonly committed: ConstructorParameters<typeof Draft>[0]
  journal: JournalRows
  /** The number of rows that were written since this instance was created. */
  rowsWritten = 0
  /** The number of rows that were read since this instance was created. */
  rowsRead = 0

  constructor(
    storage: DurableObjectStorage,
    committed: ConstructorParameters<typeof Draft>[0],
    options: PackedKeysOptions,
  ) {
    this.storage = storage
    this.committed = committed
    this.options = options
    this.journal = this.started()
  }

  /** Loads the state from the disk again, as after a restart of the object. */
  restart(): void {
    this.journal = this.started()
  }

  /**
   * Commits idempotency keys in one transaction. With `undo`, rolls the transaction back at its end, as if the disk
   * were full.
   */
  commit(keys: readonly string[], at_ms: number, undo = false): void {
    const draft = new Draft(this.committed, this.journal.counters, at_ms)
    for (const key of keys) {
      draft.record({
        kind: 'answer',
        at_ms,
        answer: { of: 'burn_table', version: 1 },
        idempotency: { key, fingerprint: `f:${key}@${at_ms}` },
      })
    }
    const written = this.transaction(() => this.journal.write(draft), undo)
    if (written) this.journal.publish(draft, written)
  }

  /** Deletes all rows before a time, as if D1 had all of them. With `undo`, rolls the deletion back. */
  forgetBefore(at_ms: number, undo = false): void {
    this.journal.writeCursor({ row: this.journal.lastRow, usage: NO_USAGE, hash: null })
    while (this.transaction(() => this.journal.forgetBefore(at_ms), undo)) {}
  }

  /** Returns those of the idempotency keys that are already used, each with the fingerprint of its request. */
  remembered(keys: readonly string[]): Map<string, string> {
    const used = this.journal.usedKeys(keys.map((key) => ({ key, fingerprint: '' })))
    return new Map(
      [...used].map(([key, { fingerprint, read }]) => {
        if (read().record.idempotency?.key !== key) throw new Error(`${key} leads to another record`)
        return [key, fingerprint]
      }),
    )
  }

  count(table: 'key_runs' | 'key_segments' | 'key_buckets'): number {
    return Number(this.storage.sql.exec(`SELECT count(*) AS rows FROM ${table}`).one().rows)
  }

  private started(): JournalRows {
    const exec: Exec = (query, ...bindings) => {
      const cursor = this.storage.sql.exec(query, ...bindings)
      const rows = cursor.toArray()
      this.rowsWritten += cursor.rowsWritten
      this.rowsRead += cursor.rowsRead
      return rows
    }
    const journal = new JournalRows(exec, new MetaTable(exec), this.options)
    journal.load()
    return journal
  }

  private transaction<T>(work: () => T, undo: boolean): T | undefined {
    try {
      return this.storage.transactionSync(() => {
        const result = work()
        if (undo) throw new Undone()
        return result
      })
    } catch (error) {
      if (error instanceof Undone) return undefined
      throw error
    }
  }
}

class Undone extends Error {}
