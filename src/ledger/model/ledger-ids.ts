import { createHash } from 'node:crypto'
import { ledgerKey } from '../../db/ledger-db.ts'
import {
  ledgerId,
  ledgerTag,
  parseLedgerId,
  parseWalletItemId,
  type WalletItemPrefix,
  walletItemId,
} from '../../ids.ts'
import type { LedgerName, WalletItemRef } from './vocabulary.ts'

/**
 * The ids of one ledger. The id of an entry contains the time of its commit. Wallets and lots are found only by number,
 * so their ids contain the time at which the ledger was opened, and sort by creation.
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

  hold({ number, wallet, created_at_ms }: WalletItemRef): string {
    return walletItemId('hold', { at_ms: created_at_ms, number, wallet }, this.tag)
  }

  recurringGrant({ number, wallet, created_at_ms }: WalletItemRef): string {
    return walletItemId('rg', { at_ms: created_at_ms, number, wallet }, this.tag)
  }

  transaction(entry: { at_ms: number; number: number }): string {
    return ledgerId('txn', entry.at_ms, entry.number, this.tag)
  }

  payment(payment: { created_at_ms: number; number: number }): string {
    return ledgerId('pay', payment.created_at_ms, payment.number, this.tag)
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

/** The number in a payment's id; undefined when it is not an id of this ledger. */
export function paymentNumberOf(id: string, ledger: LedgerName): number | undefined {
  return parseLedgerId('pay', id, tagOf(ledger))?.number
}

/** The lot that an id names; undefined when it is not an id of this ledger. */
export function lotNumberOf(id: string, ledger: LedgerName): number | undefined {
  return parseLedgerId('lot', id, tagOf(ledger))?.number
}

/** The hold or recurring grant that an id names; undefined when it is not an id of this ledger. */
export function walletItemOf(
  prefix: WalletItemPrefix,
  id: string,
  ledger: LedgerName,
): WalletItemRef | undefined {
  const parsed = parseWalletItemId(prefix, id, tagOf(ledger))
  return parsed && { number: parsed.number, wallet: parsed.wallet, created_at_ms: parsed.at_ms }
}
