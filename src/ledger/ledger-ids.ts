import { createHash } from 'node:crypto'
import { ledgerKey } from '../db/ledger-db.ts'
import { holdId, ledgerId, ledgerTag, parseHoldId, parseLedgerId } from '../ids.ts'
import type { HoldRef, LedgerName } from './messages.ts'

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

  hold({ number, wallet, created_at_ms }: HoldRef): string {
    return holdId({ at_ms: created_at_ms, number, wallet }, this.tag)
  }

  transaction(entry: { at_ms: number; number: number }): string {
    return ledgerId('txn', entry.at_ms, entry.number, this.tag)
  }

  /** An event's id is its burn's, under another prefix. */
  event(entry: { at_ms: number; number: number }): string {
    return ledgerId('evt', entry.at_ms, entry.number, this.tag)
  }
}

/** The tag that the ids of a ledger end with. */
export function tagOf(ledger: LedgerName): string {
  return ledgerTag(createHash('sha256').update(ledgerKey(ledger)).digest())
}

/** The entry that an event's or a transaction's id names; undefined when it is not an id of this ledger. */
export function entryNumberOf(prefix: 'evt' | 'txn', id: string, ledger: LedgerName): number | undefined {
  return parseLedgerId(prefix, id, tagOf(ledger))?.number
}

/** The hold that an id names; undefined when it is not an id of this ledger. */
export function holdRefOf(id: string, ledger: LedgerName): HoldRef | undefined {
  const parsed = parseHoldId(id, tagOf(ledger))
  return parsed && { number: parsed.number, wallet: parsed.wallet, created_at_ms: parsed.at_ms }
}
