import { microCredits } from '../../pricing/money.ts'
import type { Entry } from '../model/journal.ts'
import type { Amendment, UnratedEvent } from '../model/unrated.ts'
import type { ProviderCharge } from '../model/vocabulary.ts'
import type { Exec } from '../tables.ts'

/** Events without a price, and the ratings of those that got one. */
export class UnratedRows {
  private readonly exec: Exec

  constructor(exec: Exec) {
    this.exec = exec
  }

  get(entry: number): UnratedEvent | undefined {
    const [row] = this.exec('SELECT record, charge FROM unrated_events WHERE entry = ?', entry)
    return row && unratedEvent(row)
  }

  /** Those below an entry number, newest first. */
  before(entry: number, limit: number): UnratedEvent[] {
    return this.exec(
      'SELECT record, charge FROM unrated_events WHERE entry < ? ORDER BY entry DESC LIMIT ?',
      entry,
      limit,
    ).map(unratedEvent)
  }

  /** Those of a wallet whose price is known and that it could not pay, the oldest first. */
  unpaid(wallet_number: number, after_entry: number, limit: number): UnratedEvent[] {
    return this.exec(
      'SELECT record, charge FROM unrated_events WHERE wallet_number = ? AND charge IS NOT NULL AND entry > ? ORDER BY entry LIMIT ?',
      wallet_number,
      after_entry,
      limit,
    ).map(unratedEvent)
  }

  count(): number {
    const [row] = this.exec('SELECT count(*) AS count FROM unrated_events')
    return Number(row?.count ?? 0)
  }

  amendment(entry: number): Amendment | undefined {
    const [row] = this.exec('SELECT amendment FROM amendments WHERE entry = ?', entry)
    return row && JSON.parse(String(row.amendment))
  }

  add(entry: Entry): void {
    const { idempotency: _, ...kept } = entry
    this.exec(
      'INSERT INTO unrated_events (entry, wallet_number, record) VALUES (?, ?, ?)',
      entry.number,
      entry.wallet,
      JSON.stringify(kept),
    )
  }

  /** The price is known, and the wallet cannot pay: it will be tried again when credits come. */
  keepCharge(entry: number, charge: ProviderCharge): void {
    this.exec('UPDATE unrated_events SET charge = ? WHERE entry = ?', JSON.stringify(charge), entry)
  }

  /** The event is rated, or voided: `amendment` says how, if it was rated. */
  close(entry: number, amendment: Amendment | null): void {
    this.exec('DELETE FROM unrated_events WHERE entry = ?', entry)
    if (amendment) {
      this.exec('INSERT INTO amendments (entry, amendment) VALUES (?, ?)', entry, JSON.stringify(amendment))
    }
  }
}

function unratedEvent(row: Record<string, SqlStorageValue>): UnratedEvent {
  const entry: Entry = JSON.parse(String(row.record))
  return {
    entry: { ...entry, amount: microCredits(entry.amount) },
    charge: row.charge === null || row.charge === undefined ? null : JSON.parse(String(row.charge)),
  }
}
