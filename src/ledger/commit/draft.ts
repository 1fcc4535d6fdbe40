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
 * the earlier requests. Nothing outside the draft changes until the draft is written. A draft that is not written has
 * no effect.
 */
export class Draft {
  readonly at_ms: number
  readonly records: JournalRecord[] = []
  readonly wallets = new Map<string, Wallet>()
  /**
   * The lots that this commit closes because they have no credits left, by the number of the lot; null for a lot that
   * the commit opens again.
   */
  readonly closedLots = new Map<number, Lot | null>()
  /** The credits of each burn that voids, refunds and late ratings have returned, by the number of the burn's entry. */
  readonly givenBacks = new Map<number, GivenBack>()
  /** The state of the counters of limits and quotas that this commit changes, by the number of the counter. */
  readonly limitCounters = new Map<number, LimitCounter>()
  /**
   * The entitlements that this commit creates, replaces or deletes. Burns of the same commit use the earlier
   * entitlements.
   */
  readonly entitlements: Entitlement[] = []
  /** The limits that this commit's uses or holds reach, in the order in which they are reached. */
  readonly reachedLimits: ReachedLimit[] = []
  /**
   * The times of the last notification that a limit was reached, by the number of the limit's counter. For a fixed
   * window, the time is the start of the window.
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
  /** The payments of this commit's purchases, by the reference of the payment. */
  readonly payments = new Map<string, RecordedPayment>()
  /** The payments through Stripe that this commit creates or changes, by number. */
  readonly paymentIntents = new Map<number, Payment>()
  /** The payers that this commit changes, by the key of their wallet. */
  readonly payers = new Map<string, Payer>()
  /**
   * The times at which the alarm decides whether to top up a wallet, by the wallet's key; null if no decision is due.
   */
  readonly payersDue = new Map<string, number | null>()
  /** The new versions of burn tables. */
  readonly burnTables: BurnTableRow[] = []
  /** The last versions of the burn tables that this commit ends. */
  readonly endedBurnTables: number[] = []
  /** The idempotency keys that this draft has looked up or recorded. */
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

  /** The number of events that the ledger has accepted in the UTC month of this draft. */
  get month_events(): number {
    return this.monthEvents
  }

  get counters(): Counters {
    const { entry, lot, walletNumber: wallet, hold, at_ms, monthEvents: month_events, notification } = this
    return { entry, lot, wallet, hold, at_ms, month_events, notification }
  }

  /** Whether the commit adds a notification. */
  get notifies(): boolean {
    return this.notification > this.committed_notification
  }

  get isEmpty(): boolean {
    const { records, wallets, burnTables, endedBurnTables, entitlements, unpaidCharges, alerts } = this
    const lists = [records, burnTables, endedBurnTables, entitlements]
    const maps = [wallets, unpaidCharges, alerts, this.paymentIntents, this.payers, this.payersDue]
    return lists.every(({ length }) => length === 0) && maps.every(({ size }) => size === 0)
  }

  /** Looks up many keys together. `checkKey` then reads them from memory. */
  loadKeys(idempotencies: readonly Idempotency[]): void {
    const { keys } = this
    const open = idempotencies.filter(({ key }) => !keys.has(key))
    if (open.length === 0) return
    const used = this.committed.usedKeys(open)
    for (const { key } of open) keys.set(key, { used: used.get(key), record: undefined })
  }

  /**
   * Returns whether the key is unused, was used for the same request, or was used for a different request. When the
   * ledger stores the maximum number of keys, refuses a new key, unless `of` is `batch`. One batch key covers up to a
   * thousand events.
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

  /** Returns the record of a used key, even if the key was used for another request; undefined for an unused key. */
  keyRecord(idempotency: Idempotency): JournalRecord | undefined {
    this.loadKeys([idempotency])
    const { record, used } = this.keys.get(idempotency.key) ?? UNKNOWN_KEY
    return record ?? used?.read().record
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
   * Returns the wallet that has a lot; undefined if the lot is closed or never existed. Searches the stored wallets
   * only if the lot exists and is not closed.
   */
  walletOfLot(number: number): Wallet | undefined {
    for (const wallet of this.wallets.values()) {
      if (unusedLots(wallet).some((lot) => lot.number === number)) return wallet
    }
    if (number < 1 || number > this.lot || this.closedLot(number)) return undefined
    return this.committed.walletOfLot(number)
  }

  /** Returns a closed lot; undefined if the lot is not closed or never existed. */
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
   * Returns an event that an earlier commit recorded without a price, if it has not been rated or voided; otherwise
   * undefined.
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

  /**
   * Returns the final rating of an event that was recorded without a price; undefined if the event has no final rating.
   */
  amendment(entry: number): Amendment | undefined {
    return this.closedUnrated.get(entry) ?? this.committed.amendment(entry)
  }

  /** Returns the purchase that recorded the payment with this reference; undefined if there is none. */
  payment(reference: string): RecordedPayment | undefined {
    return this.payments.get(reference) ?? this.committed.payment(reference)
  }

  /** Returns the payment through Stripe with this number; undefined if there is none. */
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

  /**
   * Returns the draft's own copy of a wallet, without the counters of ended periods. The caller can change the copy.
   */
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

  /**
   * Changes a wallet's balance by the entry's amount, and appends the entry. Counts an accepted event towards the
   * monthly quota. The caller must change the lots.
   */
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
   * Adds a notification to the commit. A notification usually costs no additional row in the object, and one row in D1.
   * Changes of many lots or events share notifications: see `notifyOfChanges`. Throws if the data is longer than
   * `MAX_NOTIFICATION_LENGTH`.
   */
  notify({ type, data }: Notice, idempotency?: Idempotency): void {
    const length = JSON.stringify(data).length
    if (length > MAX_NOTIFICATION_LENGTH)
      throw new Error(
        `the data of the notification ${type} has ${length} characters: the maximum is ${MAX_NOTIFICATION_LENGTH}`,
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

/**
 * An idempotency key that a draft looked up or recorded. One map holds `used` and `record`, because two maps take a
 * third longer.
 */
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

/** The last numbers that a ledger has used, and the time of its last commit. Every commit stores them. */
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
  /**
   * Returns the wallet that contains a lot; undefined if no wallet contains it. Reads the wallets one by one until it
   * finds the lot.
   */
  walletOfLot(number: number): Wallet | undefined
  closedLot(number: number): Lot | undefined
  givenBack(entry: number): GivenBack | undefined
  /** Returns the entitlements that apply to a use, the most specific first. `key_id` is the id of the API key. */
  entitlementsOf(subject: Subject, key_id?: string): readonly Entitlement[]
  limitCounter(counter: number): LimitCounter | undefined
  unratedEvent(entry: number): UnratedEvent | undefined
  unpaidEvents(wallet_number: number, after_entry: number): readonly UnratedEvent[]
  amendment(entry: number): Amendment | undefined
  /** Returns the purchase that recorded the payment with this reference; undefined if there is none. */
  payment(reference: string): RecordedPayment | undefined
  paymentIntent(number: number): Payment | undefined
  payer(wallet_key: string): Payer | undefined
  /** Returns the number of the newest payment; 0 if there is none. */
  lastPaymentNumber(): number
  usedKeys(idempotencies: readonly Idempotency[]): Map<string, KeyUse>
  /** Reports whether the ledger stores the maximum number of idempotency keys. */
  keysAreFull(): boolean
}

/** The credits of a burn that voids, refunds and a late rating have returned, and whether the burn is voided. */
export interface GivenBack {
  readonly amount: MicroCredits
  readonly voided: boolean
}

/**
 * Returns the number of accepted events that arrived in the UTC month of `now_ms`. One transaction writes the count and
 * the entry of an event, so the count is exact after a crash.
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
