import type { MicroCredits } from '../../pricing/money.ts'
import { type BoundedWindow, windowOf } from '../../time/windows.ts'
import type { KeyUse } from '../idempotency/check.ts'
import type { Entitlement } from '../model/entitlements.ts'
import type { NewEntry, RecordedPayment } from '../model/journal.ts'
import type { LimitCounter, Subject } from '../model/limits.ts'
import type { Lot } from '../model/lots.ts'
import type { Amendment, UnratedEvent } from '../model/unrated.ts'
import type { Idempotency } from '../model/vocabulary.ts'
import type { Wallet } from '../model/wallet.ts'

/** The last numbers given, and the last time seen: part of every commit. */
export interface Counters {
  readonly entry: number
  readonly lot: number
  readonly wallet: number
  readonly hold: number
  readonly at_ms: number
  /** Events accepted so far in the UTC month of `at_ms`. */
  readonly month_events: number
}

/** The committed state, as a draft reads it. Wallets it returns are shared: a draft copies before it changes one. */
export interface LedgerReader {
  wallet(key: string): Wallet | undefined
  walletByNumber(number: number): Wallet | undefined
  /** The wallet that has the lot open. Reads the wallets one after the other until it finds the lot. */
  walletOfLot(number: number): Wallet | undefined
  closedLot(number: number): Lot | undefined
  givenBack(entry: number): GivenBack | undefined
  /** The rows that apply to a use, the most specific first. */
  entitlementsOf(subject: Subject): readonly Entitlement[]
  limitCounter(counter: number): LimitCounter | undefined
  unratedEvent(entry: number): UnratedEvent | undefined
  unpaidEvents(wallet_number: number, after_entry: number): readonly UnratedEvent[]
  amendment(entry: number): Amendment | undefined
  /** The purchase that recorded a payment. */
  payment(reference: string): RecordedPayment | undefined
  usedKeys(idempotencies: readonly Idempotency[]): Map<string, KeyUse>
  /** Whether as many keys are remembered as may be. */
  keysAreFull(): boolean
}

/** The part of a burn that voids and refunds gave back. */
export interface GivenBack {
  readonly amount: MicroCredits
  readonly voided: boolean
}

/**
 * Events that the UTC month of `now_ms` has accepted so far, by arrival: 0 in a new month. The count is written with the
 * entry of each event in one transaction, so it is exact after any crash.
 */
export function eventsInMonth({ at_ms, month_events }: Counters, now_ms: number): number {
  return monthOf(now_ms).start_ms <= at_ms ? month_events : 0
}

/** Whether an entry counts against the monthly quota: late ratings do not, and a void or a refund gives nothing back. */
export function isAcceptedEvent({ type, event }: NewEntry): boolean {
  return type === 'BURN' && event !== undefined && !event.rerates
}

export function monthOf(at_ms: number): BoundedWindow {
  return windowOf('MONTHLY', null, at_ms)
}
