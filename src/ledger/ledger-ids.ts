import { ledgerId, parseLedgerId } from '../ids.ts'

/**
 * The ids of one ledger. Entries carry the time of their commit; wallets and lots, which are only ever met by their
 * number, carry the time at which the ledger was opened, and so still sort by creation.
 */
export class LedgerIds {
  readonly tag: string
  readonly opened_at_ms: number

  constructor(tag: string, opened_at_ms: number) {
    this.tag = tag
    this.opened_at_ms = opened_at_ms
  }

  wallet(number: number): string {
    return ledgerId('wal', this.opened_at_ms, number, this.tag)
  }

  lot(number: number): string {
    return ledgerId('lot', this.opened_at_ms, number, this.tag)
  }

  transaction(entry: { at_ms: number; number: number }): string {
    return ledgerId('txn', entry.at_ms, entry.number, this.tag)
  }

  /** An event's id is its burn's, under another prefix. */
  event(entry: { at_ms: number; number: number }): string {
    return ledgerId('evt', entry.at_ms, entry.number, this.tag)
  }

  /** The entry number in an event's id; undefined when the id is not one of this ledger's. */
  entryOfEvent(id: string): number | undefined {
    return parseLedgerId('evt', id, this.tag)?.number
  }

  entryOfTransaction(id: string): number | undefined {
    return parseLedgerId('txn', id, this.tag)?.number
  }
}
