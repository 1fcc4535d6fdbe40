import { type MicroCredits, microCredits, ZERO_CREDITS } from '../../pricing/money.ts'
import { type BoundedWindow, windowOf } from '../../time/windows.ts'
import { type KeyCheck, type KeyUse, MISMATCH, NO_ROOM, UNUSED } from '../idempotency/check.ts'
import { FORMAT } from '../journal/packed-entry.ts'
import type { Alert } from '../model/alerts.ts'
import type { BurnTableRow } from '../model/burn-tables.ts'
import type { Entry, JournalRecord, NewEntry, RecordedPayment } from '../model/journal.ts'
import { currentCounters, type Entitlement, type LimitCounter, type Subject } from '../model/limits.ts'
import type { Lot } from '../model/lots.ts'
import { MAX_NOTIFICATION_LENGTH, type Notice } from '../model/notifications.ts'
import type { Payer, Payment } from '../model/payments.ts'
import type { Amendment, UnratedEvent } from '../model/unrated.ts'
import type { Idempotency, ProviderCharge, WalletOwner } from '../model/vocabulary.ts'
import { copyWallet, newWallet, unusedLots, type Wallet, walletKey } from '../model/wallet.ts'

/**
 * A unit of work. The requests of a group are applied to the draft in order, so each request builds on the changes of
 * the earlier requests. Nothing outside the draft changes until the draft is written. A dropped draft has no effect.
 */
export class Draft {
  readonly at_ms: number
  readonly records: JournalRecord[] = []
  readonly wallets = new Map<string, Wallet>()
  /** The lots that were used up or expired, by number; null for a lot that was opened again. */
  readonly closedLots = new Map<number, Lot | null>()
  /** The returned parts of each burn, by the number of the burn's entry. */
  readonly givenBacks = new Map<number, GivenBack>()
  /** The state of limit counters, by the number of the counter. */
  readonly limitCounters = new Map<number, LimitCounter>()
  /**
   * The entitlements that this commit creates, replaces or deletes. Burns of the same commit use the earlier
   * entitlements.
   */
  readonly entitlements: Entitlement[] = []
  /** The limits that this commit's uses or holds reach, in the order in which they are reached. */
  readonly reachedLimits: ReachedLimit[] = []
  /**
   * The times at which limits were last reached and notified, by the number of the counter. For a fixed window, the
   * time is the start of the window.
   */
  readonly limitMarks = new Map<number, number>()
  /** The changed alerts by id; null for a deleted alert. */
  readonly alerts = new Map<string, Alert | null>()
  /** The prices of unrated events that cannot be charged yet, by the number of the entry. */
  readonly unpaidCharges = new Map<number, ProviderCharge>()
  /**
   * The ratings of unrated events that are rated in this commit, by the number of the entry; null for a voided event.
   */
  readonly closedUnrated = new Map<number, Amendment | null>()
  /** The payments of this commit's purchases, by reference. */
  readonly payments = new Map<string, RecordedPayment>()
  /** The payments through Stripe that this commit makes or changes, by number. */
  readonly paymentIntents = new Map<number, Payment>()
  /** The payers of wallets, by the wallet's key. */
  readonly payers = new Map<string, Payer>()
  /**
   * The times when the alarm decides about the top-ups of wallets, by the wallet's key; null if no decision is due.
   */
  readonly payersDue = new Map<string, number | null>()
  /** The new versions of burn tables. */
  readonly burnTables: BurnTableRow[] = []
  /** The versions whose tables end at the time of the commit. */
  readonly endedBurnTables: number[] = []
  /** The keys that were looked up or recorded. */
  private readonly keys = new Map<string, KeyState>()
  private entry: number
  private lot: number
  private walletNumber: number
  private hold: number
  private paymentNumber = 0
  private monthEvents: number
  private notification: number
  private readonly committed_notification: number

  private readonly committed: LedgerReader

  constructor(committed: LedgerReader, counters: Counters, now_ms: number) {
    this.committed = committed
    // Ids and pages sort by time, so the ledger's time must not run backwards, even if the machine's clock does.
    this.at_ms = Math.max(now_ms, counters.at_ms)
    this.entry = counters.entry
    this.lot = counters.lot
    this.walletNumber = counters.wallet
    this.hold = counters.hold
    this.monthEvents = eventsInMonth(counters, this.at_ms)
    this.notification = counters.notification
    this.committed_notification = counters.notification
  }

  /** The number of events that were accepted in the UTC month of this draft. */
  get month_events(): number {
    return this.monthEvents
  }

  get counters(): Counters {
    const { entry, lot, walletNumber: wallet, hold, at_ms, monthEvents: month_events, notification } = this
    return { entry, lot, wallet, hold, at_ms, month_events, notification }
  }

  /** Reports whether the commit has a notification. */
  get notifies(): boolean {
    return this.notification > this.committed_notification
  }

  get isEmpty(): boolean {
    const { records, wallets, burnTables, endedBurnTables, entitlements, unpaidCharges, alerts } = this
    const lists = [records, burnTables, endedBurnTables, entitlements]
    const maps = [wallets, unpaidCharges, alerts, this.paymentIntents, this.payers, this.payersDue]
    return lists.every(({ length }) => length === 0) && maps.every(({ size }) => size === 0)
  }

  /** Looks up many keys together. `checkKey` then answers from memory. */
  loadKeys(idempotencies: readonly Idempotency[]): void {
    const { keys } = this
    const open = idempotencies.filter(({ key }) => !keys.has(key))
    if (open.length === 0) return
    const used = this.committed.usedKeys(open)
    for (const { key } of open) keys.set(key, { used: used.get(key), record: undefined })
  }

  /**
   * Returns whether the key is unused, was used for the same request, or was used for a different request. When the
   * ledger stores the maximum number of keys, only new keys of batches are accepted, because one batch key covers up
   * to a thousand events.
   */
  checkKey(idempotency: Idempotency | undefined, of: 'request' | 'batch' = 'request'): KeyCheck {
    if (!idempotency) return UNUSED
    const { key, fingerprint } = idempotency
    if (!this.keys.has(key)) this.loadKeys([idempotency])
    const { record, used } = this.keys.get(key) ?? UNKNOWN_KEY
    if (record) {
      const same = record.idempotency?.fingerprint === fingerprint
      return same ? { kind: 'replay', format: FORMAT, record } : MISMATCH
    }
    if (!used) return of === 'request' && this.committed.keysAreFull() ? NO_ROOM : UNUSED
    return used.fingerprint === fingerprint ? { kind: 'replay', ...used.read() } : MISMATCH
  }

  /** Returns the owner's wallet for reading; undefined if the owner has no wallet. */
  wallet(owner: WalletOwner): Wallet | undefined {
    const key = walletKey(owner)
    return this.wallets.get(key) ?? this.committed.wallet(key)
  }

  walletByNumber(number: number): Wallet | undefined {
    for (const wallet of this.wallets.values()) if (wallet.number === number) return wallet
    return this.committed.walletByNumber(number)
  }

  /**
   * Returns the wallet that has an open lot; undefined if the lot is closed or never existed. The stored wallets are
   * searched only if the lot is open.
   */
  walletOfLot(number: number): Wallet | undefined {
    for (const wallet of this.wallets.values()) {
      if (unusedLots(wallet).some((lot) => lot.number === number)) return wallet
    }
    if (number < 1 || number > this.lot || this.closedLot(number)) return undefined
    return this.committed.walletOfLot(number)
  }

  /** Returns a closed lot; undefined if the lot is open or never existed. */
  closedLot(number: number): Lot | undefined {
    const known = this.closedLots.get(number)
    return known === undefined ? this.committed.closedLot(number) : (known ?? undefined)
  }

  givenBack(entry: number): GivenBack {
    return (
      this.givenBacks.get(entry) ?? this.committed.givenBack(entry) ?? { amount: ZERO_CREDITS, voided: false }
    )
  }

  entitlementsOf(subject: Subject, key_id?: string): readonly Entitlement[] {
    return this.committed.entitlementsOf(subject, key_id)
  }

  limitCounter(counter: number): LimitCounter | undefined {
    return this.limitCounters.get(counter) ?? this.committed.limitCounter(counter)
  }

  /**
   * Returns an event that was recorded without a price and is not rated yet; undefined if it was rated or voided.
   */
  unratedEvent(entry: number): UnratedEvent | undefined {
    return this.closedUnrated.has(entry) ? undefined : this.committed.unratedEvent(entry)
  }

  /** Returns a page of a wallet's unpaid events after `after_entry`, oldest first. */
  unpaidEvents(wallet_number: number, after_entry: number): UnratedEvent[] {
    const events = this.committed.unpaidEvents(wallet_number, after_entry)
    return events.filter(({ entry }) => !this.closedUnrated.has(entry.number))
  }

  closeUnrated(entry: number, amendment: Amendment | null): void {
    this.unpaidCharges.delete(entry)
    this.closedUnrated.set(entry, amendment)
  }

  /** Returns the final rating of an event that was recorded without a price. */
  amendment(entry: number): Amendment | undefined {
    return this.closedUnrated.get(entry) ?? this.committed.amendment(entry)
  }

  /** Returns the purchase that recorded a payment. */
  payment(reference: string): RecordedPayment | undefined {
    return this.payments.get(reference) ?? this.committed.payment(reference)
  }

  /** Returns a payment through Stripe. */
  paymentIntent(number: number): Payment | undefined {
    return this.paymentIntents.get(number) ?? this.committed.paymentIntent(number)
  }

  payer(owner: WalletOwner): Payer | undefined {
    return this.payerByKey(walletKey(owner))
  }

  payerByKey(wallet_key: string): Payer | undefined {
    return this.payers.get(wallet_key) ?? this.committed.payer(wallet_key)
  }

  nextPaymentNumber(): number {
    this.paymentNumber = Math.max(this.paymentNumber, this.committed.lastPaymentNumber()) + 1
    return this.paymentNumber
  }

  /** Returns the draft's own copy of a wallet, which may be changed. */
  change(wallet: Wallet): Wallet {
    const key = walletKey(wallet.owner)
    const known = this.wallets.get(key)
    if (known) return known
    const copy = copyWallet(wallet)
    if (copy.counters) copy.counters = currentCounters(copy.counters, this.at_ms)
    this.wallets.set(key, copy)
    return copy
  }

  /** Creates an empty wallet for an owner without a wallet. */
  createWallet(owner: WalletOwner): Wallet {
    const wallet = newWallet(++this.walletNumber, owner, this.at_ms)
    this.wallets.set(walletKey(owner), wallet)
    return wallet
  }

  nextHoldNumber(): number {
    return ++this.hold
  }

  nextLotNumber(): number {
    return ++this.lot
  }

  /** Changes a wallet's balance by the entry's amount, and appends the entry. The caller moves the lots. */
  append(wallet: Wallet, entry: NewEntry): Entry {
    wallet.balance = microCredits(wallet.balance + entry.amount)
    if (isAcceptedEvent(entry)) this.monthEvents += 1
    const { number: wallet_number, balance: balance_after, owner, announced } = wallet
    wallet.announced = true
    const number = ++this.entry
    const { at_ms } = this
    // The spread comes first, because it is several times slower after other fields.
    const appended: Entry = announced
      ? { ...entry, kind: 'entry', number, wallet: wallet_number, at_ms, balance_after }
      : { ...entry, kind: 'entry', number, wallet: wallet_number, at_ms, balance_after, owner }
    this.record(appended)
    return appended
  }

  /**
   * Adds a notification to the commit. It costs no additional row in the object, and one row in D1. The number of
   * notifications of a request is bounded, because a change of many lots or events adds only one.
   */
  notify({ type, data }: Notice, idempotency?: Idempotency): void {
    const length = JSON.stringify(data).length
    if (length > MAX_NOTIFICATION_LENGTH)
      throw new Error(
        `the data of a ${type} has ${length} characters: the maximum is ${MAX_NOTIFICATION_LENGTH}`,
      )
    const sequence = ++this.notification
    const record = { kind: 'notification', sequence, type, data, at_ms: this.at_ms } as const
    this.record(idempotency ? { ...record, idempotency } : record)
  }

  record(record: JournalRecord): void {
    this.records.push(record)
    if (!record.idempotency) return
    const { key } = record.idempotency
    const state = this.keys.get(key)
    if (state) state.record = record
    else this.keys.set(key, { used: undefined, record })
  }
}

/** A key that a draft looked up or recorded. One map holds both values, because two maps take a third longer. */
interface KeyState {
  /** The key's use by an earlier commit. */
  readonly used: KeyUse | undefined
  /** The key's record in this draft. */
  record: JournalRecord | undefined
}

const UNKNOWN_KEY: KeyState = { used: undefined, record: undefined }

/** A limit that a use or a hold of the commit has reached. */
export interface ReachedLimit {
  readonly entitlement: Entitlement
  readonly window: { readonly start_ms: number; readonly resets_at_ms: number | null }
  readonly limit: bigint
  readonly used: bigint
}

/** The last used numbers and the last time of a ledger. They are part of every commit. */
export interface Counters {
  readonly entry: number
  readonly lot: number
  readonly wallet: number
  readonly hold: number
  readonly at_ms: number
  /** The number of events accepted in the UTC month of `at_ms`. */
  readonly month_events: number
  /** The sequence number of the last notification. */
  readonly notification: number
}

/**
 * The committed state that a draft reads. Returned wallets are shared, so a draft copies a wallet before it changes
 * it.
 */
export interface LedgerReader {
  wallet(key: string): Wallet | undefined
  walletByNumber(number: number): Wallet | undefined
  /** Returns the wallet with this open lot. Reads wallet after wallet until it finds the lot. */
  walletOfLot(number: number): Wallet | undefined
  closedLot(number: number): Lot | undefined
  givenBack(entry: number): GivenBack | undefined
  /** Returns the entitlements that apply to a use, the most specific first. `key_id` is the API key of the use. */
  entitlementsOf(subject: Subject, key_id?: string): readonly Entitlement[]
  limitCounter(counter: number): LimitCounter | undefined
  unratedEvent(entry: number): UnratedEvent | undefined
  unpaidEvents(wallet_number: number, after_entry: number): readonly UnratedEvent[]
  amendment(entry: number): Amendment | undefined
  /** Returns the purchase that recorded a payment. */
  payment(reference: string): RecordedPayment | undefined
  paymentIntent(number: number): Payment | undefined
  payer(wallet_key: string): Payer | undefined
  /** Returns the number of the last payment; 0 before the first payment. */
  lastPaymentNumber(): number
  usedKeys(idempotencies: readonly Idempotency[]): Map<string, KeyUse>
  /** Reports whether the store has its maximum number of keys. */
  keysAreFull(): boolean
}

/** The part of a burn that voids and refunds returned. */
export interface GivenBack {
  readonly amount: MicroCredits
  readonly voided: boolean
}

/**
 * Returns the number of events that were accepted in the UTC month of `now_ms`, by arrival. The count is written with
 * the entry of each event in one transaction, so it is exact after any crash.
 */
export function eventsInMonth({ at_ms, month_events }: Counters, now_ms: number): number {
  return monthOf(now_ms).start_ms <= at_ms ? month_events : 0
}

/**
 * Reports whether an entry counts against the monthly quota. Late ratings do not count. Voids and refunds do not
 * reduce the count.
 */
export function isAcceptedEvent({ type, event }: NewEntry): boolean {
  return type === 'BURN' && event !== undefined && !event.rerates
}

export function monthOf(at_ms: number): BoundedWindow {
  return windowOf('MONTHLY', null, at_ms)
}
