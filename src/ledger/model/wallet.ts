import {
  CREDIT_DECIMALS,
  formatCredits,
  formatDecimal,
  MAX_MICRO_CREDITS,
  type MicroCredits,
  microCredits,
  ZERO_CREDITS,
} from '../../pricing/money.ts'
import type { LedgerIds } from './ledger-ids.ts'
import type { Counted, LimitOwner, PeriodCounters, ReservedQuantity } from './limits.ts'
import { compareBurnOrder, type Lot, type LotPart, lotDueAt, MAX_OPEN_LOTS, OVERDRAFT } from './lots.ts'
import type { Refusal } from './refusal.ts'
import type { LotKind, RatedFields, WalletOwner } from './vocabulary.ts'

/** A wallet of credits. The ledger assigns the number, which is 1 for the customer's wallet. */
export interface Wallet {
  readonly number: number
  readonly owner: WalletOwner
  readonly created_at_ms: number
  /** Whether the journal has an entry of the wallet. The first entry of a wallet contains the owner. */
  announced: boolean
  /** The remaining credits of all lots minus the used overdraft. */
  balance: MicroCredits
  /** The maximum overdraft that burns and holds can use. */
  overdraft_limit: MicroCredits
  /** The amount by which the wallet is overdrawn, including `owed`. */
  overdrawn: MicroCredits
  /**
   * The part of the overdraft that refunds and disputes of payments took. The overdraft limit does not apply to it.
   * Absent if it is 0.
   */
  owed?: MicroCredits
  /** The open lots, in burn order. */
  lots: Lot[]
  /**
   * The lots that begin later, in the order of their creation. They are part of the balance, but cannot be burned or
   * held yet.
   */
  pending?: Lot[]
  /** The open holds, oldest first. */
  holds: Hold[]
  /** The active recurring grants. */
  recurring: RecurringGrant[]
  /**
   * The rollovers of each recurring grant with a `rollover_max`, by the grant's number, oldest first. A new rollover
   * replaces earlier rollovers with at least as much `room`. Rollovers are kept after the grant ends, because credits
   * of its lots can still be returned.
   */
  rollovers?: Readonly<Record<string, readonly Rollover[]>>
  /**
   * The amount of available credits below which the top-up rule charges the card. Absent without an enabled rule.
   * `noted` is set while the available credits are below this amount.
   */
  top_up?: { readonly below: MicroCredits; readonly noted?: true }
  /** The counters of burn table rules and of alerts on spending or the runway. Absent until use is first counted. */
  counters?: PeriodCounters
}

/** The maximum number of open holds in a wallet. It is limited because all holds are written with the wallet. */
export const MAX_OPEN_HOLDS = 1000

/** A reservation of credits that are not yet spent. Reserved credits stay in their lots until they are captured. */
export interface Hold {
  readonly number: number
  readonly feature_id: string
  readonly user_id?: string
  readonly team_id?: string
  /** The API key that opened the hold. Captures count as usage of this key. */
  readonly key_id?: string
  /** The model of the event that determined the size of the hold. Absent without such an event or its model. */
  readonly model?: string
  readonly created_at_ms: number
  /** The amount that was reserved when the hold was opened. */
  readonly credits: MicroCredits
  /** The credits for a million output tokens; absent if they were not computed when the hold was opened. */
  readonly output_rate?: MicroCredits
  /** The part of the hold for the input, if there is an `output_rate`. Captures use this part first. */
  readonly input_credits?: MicroCredits
  expires_at_ms: number
  captured: MicroCredits
  /** The credits that the hold still reserves, by lot, in burn order. */
  parts: LotPart[]
  /** The quantities that the hold still reserves in the counters of the limits that apply to it. */
  reserves?: readonly ReservedQuantity[]
  /**
   * The reservations of a hold from an earlier version, in place of `reserves`. Each counts only in the window that
   * it names.
   */
  limits?: readonly Counted[]
  /** The provider call for which the gateway opened the hold; absent for other holds. */
  call?: HeldCall
}

/** A running call to a provider. */
export interface HeldCall {
  /** The id of the message that opened the hold; absent if it had none. */
  readonly id?: string
  /** The number of output tokens that the hold covers; absent if an earlier version opened the hold. */
  readonly output_tokens?: number
  /** True if neither a price nor a rule of the burn table applied to the call when the hold was opened. */
  readonly unrated?: true
  /** The estimate that is charged if the hold expires; absent until an estimate is stored. */
  readonly noted?: {
    readonly credits: MicroCredits
    /** The event without its user and team, which the hold contains. */
    readonly record: Omit<RatedFields, 'user_id' | 'team_id'>
  }
}

/**
 * Returns the key of an owner's wallet or entitlements. Keys are unambiguous, because the kind ends at the first
 * colon.
 */
export function walletKey(owner: LimitOwner): string {
  return owner.kind === 'customer' ? 'customer' : `${owner.kind}:${owner.id}`
}

export function newWallet(number: number, owner: WalletOwner, created_at_ms: number): Wallet {
  return {
    number,
    owner,
    created_at_ms,
    announced: false,
    balance: ZERO_CREDITS,
    overdraft_limit: ZERO_CREDITS,
    overdrawn: ZERO_CREDITS,
    lots: [],
    holds: [],
    recurring: [],
  }
}

/** Returns a copy that can be changed without an effect on the original. */
export function copyWallet(wallet: Wallet): Wallet {
  return {
    ...wallet,
    lots: wallet.lots.map((lot) => ({ ...lot })),
    ...(wallet.pending && { pending: wallet.pending.map((lot) => ({ ...lot })) }),
    recurring: wallet.recurring.map((grant) => ({ ...grant })),
    holds: wallet.holds.map((hold) => ({ ...hold, parts: [...hold.parts] })),
  }
}

/** Returns the amount that a hold still reserves. */
export function remaining(hold: Hold): MicroCredits {
  return microCredits(hold.parts.reduce((sum, [, amount]) => sum + amount, 0))
}

/** Returns the part of a hold's input credits that no capture has used yet. */
export function inputLeft({
  input_credits = ZERO_CREDITS,
  captured,
}: Pick<Hold, 'input_credits' | 'captured'>): MicroCredits {
  return microCredits(Math.max(0, input_credits - captured))
}

/** Returns the credits that all open holds still reserve. */
export function reserved({ holds }: Wallet): MicroCredits {
  if (holds.length === 0) return ZERO_CREDITS
  return microCredits(holds.reduce((sum, hold) => sum + remaining(hold), 0))
}

/** Returns the credits of all lots that begin later. */
export function pendingCredits({ pending }: Wallet): MicroCredits {
  if (!pending) return ZERO_CREDITS
  return microCredits(pending.reduce((sum, lot) => sum + lot.left, 0))
}

/** Returns all lots that are not used up. Lots that begin later are last. */
export function unusedLots({ lots, pending = [] }: Wallet): readonly Lot[] {
  return [...lots, ...pending]
}

/** Returns the used and reserved part of the overdraft, without the owed part. */
export function usedOverdraft(wallet: Wallet): MicroCredits {
  const { overdrawn, owed = ZERO_CREDITS } = wallet
  return microCredits(overdrawn - owed + (heldByLot(wallet).get(OVERDRAFT) ?? 0))
}

/**
 * Returns the balance minus held credits and credits of lots that begin later. It can be below zero if the overdraft
 * is used or reserved.
 */
export function available(wallet: Wallet): MicroCredits {
  return microCredits(wallet.balance - reserved(wallet) - pendingCredits(wallet))
}

/**
 * Returns the credits that can be burned or held now, including the unused overdraft. Together with the held credits,
 * they are at most the maximum balance. Returns 0 if the refund or dispute of a payment has taken the wallet below its
 * overdraft limit, so that a use that costs nothing is not refused.
 */
export function spendable(wallet: Wallet): MicroCredits {
  const held = reserved(wallet)
  const free = wallet.balance - held - pendingCredits(wallet) + wallet.overdraft_limit
  return microCredits(Math.max(0, Math.min(free, MAX_MICRO_CREDITS - held)))
}

/**
 * Returns a refusal if `amount` more credits or `lots` more lots would exceed a maximum of the wallet; otherwise
 * undefined.
 */
export function fullRefusal(wallet: Wallet, amount: MicroCredits, lots: number): Refusal | undefined {
  if (unusedLots(wallet).length + lots > MAX_OPEN_LOTS) {
    return { code: 'too_many_open', what: 'lots', limit: MAX_OPEN_LOTS }
  }
  if (wallet.balance + amount <= MAX_MICRO_CREDITS) return undefined
  return {
    code: 'conflict',
    detail:
      'The balance of the wallet would exceed the maximum of 8000000000 credits. Use credits first, or add fewer.',
  }
}

/** Returns the time at which the next item of the wallet is due; null if no item will be due. */
export function walletDueAt(wallet: Wallet): number | null {
  // Builds no list of times, because this function runs for every event of a batch.
  let first: number | null = null
  for (const lot of wallet.lots) first = earlier(first, lotDueAt(lot))
  for (const lot of wallet.pending ?? NO_LOTS) first = earlier(first, startOf(lot))
  for (const hold of wallet.holds) first = earlier(first, hold.expires_at_ms)
  for (const grant of wallet.recurring) first = earlier(first, grant.next_at_ms)
  return first
}

const NO_LOTS: readonly Lot[] = []

function earlier(a: number | null, b: number | null): number | null {
  return a === null || (b !== null && b < a) ? b : a
}

/** Returns the time at which a lot begins: its creation or a later time. */
export function startOf({ starts_at_ms, created_at_ms }: Lot): number {
  return starts_at_ms ?? created_at_ms
}

/**
 * Asserts rules 1, 4 and 6 of `docs/design.md`, before a wallet is written and after it is read. Throws if a rule is
 * broken: this is a bug, and the commit must fail.
 */
export function assertWallet(wallet: Wallet): void {
  let left = 0
  const heldOf = heldByLot(wallet)
  let previous: Lot | undefined
  for (const lot of wallet.lots) {
    check(
      Number.isSafeInteger(lot.left) && lot.left > 0 && lot.left <= lot.amount,
      wallet,
      `lot ${lot.number} has ${lot.left} of ${lot.amount} left`,
    )
    check(!previous || compareBurnOrder(previous, lot) < 0, wallet, `lot ${lot.number} is out of burn order`)
    left += lot.left
    const held = heldOf.get(lot.number) ?? 0
    check(
      lot.held === held && held <= lot.left,
      wallet,
      `lot ${lot.number} has ${lot.held} held, but holds reserve ${held}`,
    )
    heldOf.delete(lot.number)
    previous = lot
  }
  for (const lot of wallet.pending ?? []) {
    const isWhole = Number.isSafeInteger(lot.left) && lot.left > 0 && lot.left <= lot.amount
    check(
      isWhole && lot.held === 0,
      wallet,
      `lot ${lot.number}, which begins later, has ${lot.left} left and ${lot.held} held`,
    )
    check(startOf(lot) > lot.created_at_ms, wallet, `lot ${lot.number} does not begin after its creation`)
    left += lot.left
  }
  const { balance, overdrawn, overdraft_limit, owed = ZERO_CREDITS } = wallet
  check(left <= MAX_MICRO_CREDITS, wallet, `its lots have ${left}, more than the maximum`)
  const used = overdrawn - owed + (heldOf.get(OVERDRAFT) ?? 0)
  heldOf.delete(OVERDRAFT)
  check(heldOf.size === 0, wallet, `holds reserve lots that are not open: ${[...heldOf.keys()]}`)
  check(
    owed >= 0 && owed <= overdrawn,
    wallet,
    `the wallet owes ${owed}, but is overdrawn by only ${overdrawn}`,
  )
  check(used <= overdraft_limit, wallet, `it uses ${used} of its overdraft limit of ${overdraft_limit}`)
  check(balance === left - overdrawn, wallet, `its balance is ${balance} and its lots hold ${left}`)
}

function heldByLot({ holds }: Wallet): Map<number, number> {
  const held = new Map<number, number>()
  for (const { parts } of holds) {
    for (const [lot, amount] of parts) held.set(lot, (held.get(lot) ?? 0) + amount)
  }
  return held
}

function check(holds: boolean, wallet: Wallet, what: string): void {
  if (!holds) throw new Error(`wallet ${wallet.number} is broken: ${what}`)
}

/**
 * Returns the refusal of a request that requires more credits than the wallet has. `required_micro` can exceed the
 * maximum balance.
 */
export function insufficientCredits(ids: LedgerIds, wallet: Wallet, required_micro: bigint): Refusal {
  return {
    code: 'insufficient_credits',
    wallet_id: ids.wallet(wallet.number),
    balance: formatCredits(wallet.balance),
    available_balance: formatCredits(available(wallet)),
    required: formatDecimal(required_micro, CREDIT_DECIMALS),
    ...(wallet.overdraft_limit > 0 && { overdraft_limit: formatCredits(wallet.overdraft_limit) }),
  }
}

export const HOLD_STATUSES = ['open', 'captured', 'released', 'expired'] as const

export type HoldStatus = (typeof HOLD_STATUSES)[number]

/** The form of a hold in results. The journal also stores closed holds in this form. */
export interface HoldState {
  readonly number: number
  readonly wallet: number
  readonly status: HoldStatus
  readonly feature_id: string
  readonly user_id?: string
  readonly team_id?: string
  readonly credits: MicroCredits
  readonly captured: MicroCredits
  readonly remaining: MicroCredits
  readonly output_rate?: MicroCredits
  readonly input_credits?: MicroCredits
  readonly created_at_ms: number
  readonly expires_at_ms: number
}

/**
 * A rollover of a recurring grant. `room` is the number of credits that can still be returned, without expiring, to
 * lots that are older than the rollover.
 */
export interface Rollover {
  readonly at_ms: number
  readonly room: MicroCredits
}

export const RECURRING_PERIODS = ['day', 'week', 'month', 'quarter', 'year'] as const

export type RecurringPeriod = (typeof RECURRING_PERIODS)[number]

/** A recurring grant. Its first period starts at the time of the first grant. */
export interface RecurringGrant {
  readonly number: number
  readonly every: RecurringPeriod
  readonly amount: MicroCredits
  readonly kind: LotKind
  readonly priority: number
  /** The lifetime of each lot; null for lots that do not expire. */
  readonly lifetime_ms: number | null
  /** The maximum number of unreserved credits that earlier lots keep at a recurrence; null for no limit. */
  readonly rollover_max: MicroCredits | null
  /**
   * The target of each recurrence, which grants only the difference between the target and the unreserved credits of
   * the grant's lots. If absent, each recurrence grants `amount`.
   */
  readonly target?: MicroCredits
  readonly reason?: string
  readonly created_at_ms: number
  next_at_ms: number
}
