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
 * Creates the public ids of one ledger. The id of an entry contains the time of its commit. The ids of wallets and
 * lots contain the time at which the ledger was opened, because wallets and lots are found only by their number. The
 * ids of each kind sort in the order of creation.
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

  /** Returns the id of an event. It differs from the transaction id of the event's burn only in the prefix. */
  event(entry: { at_ms: number; number: number }): string {
    return ledgerId('evt', entry.at_ms, entry.number, this.tag)
  }
}

/** Returns the tag at the end of the ids that `LedgerIds` creates for a ledger. */
export function tagOf(ledger: LedgerName): string {
  return ledgerTag(createHash('sha256').update(ledgerKey(ledger)).digest())
}

/**
 * Returns the number of the entry in the id of an event or a transaction; undefined if `id` is not such an id of this
 * ledger.
 */
export function entryNumberOf(prefix: 'evt' | 'txn', id: string, ledger: LedgerName): number | undefined {
  return parseLedgerId(prefix, id, tagOf(ledger))?.number
}

/** Returns the number in the id of a payment; undefined if `id` is not such an id of this ledger. */
export function paymentNumberOf(id: string, ledger: LedgerName): number | undefined {
  return parseLedgerId('pay', id, tagOf(ledger))?.number
}

/** Returns the number in the id of a lot; undefined if `id` is not such an id of this ledger. */
export function lotNumberOf(id: string, ledger: LedgerName): number | undefined {
  return parseLedgerId('lot', id, tagOf(ledger))?.number
}

/** Returns the parts of the id of a hold or a recurring grant; undefined if `id` is not such an id of this ledger. */
export function walletItemOf(
  prefix: WalletItemPrefix,
  id: string,
  ledger: LedgerName,
): WalletItemRef | undefined {
  const parsed = parseWalletItemId(prefix, id, tagOf(ledger))
  return parsed && { number: parsed.number, wallet: parsed.wallet, created_at_ms: parsed.at_ms }
}
