import { formatUsdParts } from '../../pricing/money.ts'
import { exactNumber } from '../commit/audit.ts'
import type { Draft } from '../commit/draft.ts'
import { quantityText } from '../entitlements/limits.ts'
import { rollingMs } from '../entitlements/rolling.ts'
import type { Entry, HoldRecord } from '../model/journal.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import { ALL_FEATURES, type LimitOwner } from '../model/limits.ts'
import { creditsOf, creditsOfSum, type NotificationData, ownerFields } from '../model/notifications.ts'
import { available, type Wallet } from '../model/wallet.ts'

/** The committed state that determines the notifications of a commit. */
export interface CommittedState {
  wallet(key: string): Wallet | undefined
  /** Reports whether a model of a provider has events without a price. */
  hasUnrated(provider: string, model: string): boolean
  /**
   * Returns the time of the last notification that a limit was reached; undefined if there was none. For a fixed
   * window, returns the start of the window.
   */
  reachedAt(counter: number): number | undefined
}

/** The maximum number of ids that a notification lists. The notification also contains the total number. */
const MAX_LISTED = 10

/**
 * Adds the notifications of a commit's changes, without those of alerts. Runs after the last request of the commit. In
 * a commit, one notification covers all expired lots of a wallet, one covers all expired holds of a wallet, and one
 * covers all late ratings of a model. A burn adds a notification only if its event has no price or is rated late, or if
 * it uses up the available credits or reaches a limit.
 */
export function notifyOfChanges(draft: Draft, ids: LedgerIds, committed: CommittedState): void {
  new Changes(draft, ids, committed).notify()
}

class Changes {
  private readonly draft: Draft
  private readonly ids: LedgerIds
  private readonly committed: CommittedState
  private readonly expired: Entry[] = []
  private readonly ended: HoldRecord[] = []
  private readonly unrated = new Map<string, Entry>()
  private readonly rated: Entry[] = []
  private byNumber: ReadonlyMap<number, Wallet> | undefined

  constructor(draft: Draft, ids: LedgerIds, committed: CommittedState) {
    this.draft = draft
    this.ids = ids
    this.committed = committed
  }

  notify(): void {
    // The length is read first, because this loop adds records that it must not visit.
    const { length } = this.draft.records
    for (let i = 0; i < length; i++) {
      const record = this.draft.records[i]
      if (record?.kind === 'entry') this.take(record)
      else if (record?.kind === 'hold' && record.hold.status === 'expired') this.ended.push(record)
    }
    const expired = Map.groupBy(this.expired, ({ wallet }) => wallet)
    for (const [number, entries] of expired) this.notifyExpired(number, entries)
    const ended = Map.groupBy(this.ended, ({ hold }) => hold.wallet)
    for (const [number, records] of ended) this.notifyEnded(number, records)
    for (const entry of this.unrated.values()) this.notifyUnrated(entry)
    const rated = Map.groupBy(this.rated, ({ event }) => modelKey(event ?? {}))
    for (const entries of rated.values()) this.notifyRated(entries)
    for (const [key, wallet] of this.draft.wallets) this.notifyExhausted(key, wallet)
    this.notifyReached()
  }

  private take(entry: Entry): void {
    const { type, event } = entry
    if (event?.rerates) this.rated.push(entry)
    else if (type === 'BURN') {
      if (event?.unrated && !this.unrated.has(modelKey(event))) this.unrated.set(modelKey(event), entry)
    } else if (type === 'GRANT' || type === 'PURCHASE') this.notifyCredit(entry)
    else if (type === 'REFUND') this.notifyRefund(entry)
    else if (type === 'EXPIRATION') this.expired.push(entry)
  }

  private notifyCredit(entry: Entry): void {
    const [lot] = entry.new_lots ?? []
    if (!lot) return
    const { ids } = this
    this.draft.notify({
      type: entry.type === 'GRANT' ? 'credits.granted' : 'credits.purchased',
      data: {
        ...this.walletFields(entry.wallet),
        transaction_id: ids.transaction(entry),
        lot_id: ids.lot(lot.number),
        amount: creditsOf(entry.amount),
        balance_after: creditsOf(entry.balance_after),
        kind: lot.kind,
        expires_at: timeOf(lot.expires_at_ms),
        ...(lot.price && { price_usd: exactNumber(formatUsdParts(lot.price)) }),
      },
    })
  }

  private notifyRefund(entry: Entry): void {
    this.draft.notify({
      type: 'credits.refunded',
      data: {
        ...this.walletFields(entry.wallet),
        transaction_id: this.ids.transaction(entry),
        of: entry.reverses ? 'burn' : 'purchase',
        amount: creditsOf(entry.amount),
        balance_after: creditsOf(entry.balance_after),
      },
    })
  }

  private notifyExpired(wallet: number, entries: readonly Entry[]): void {
    const lots = new Set(entries.flatMap(({ lots }) => lots.map(([lot]) => lot)))
    this.draft.notify({
      type: 'credits.expired',
      data: {
        ...this.walletFields(wallet),
        amount: creditsOfSum(entries.map(({ amount }) => 0 - amount)),
        balance_after: creditsOf(entries.at(-1)?.balance_after ?? 0),
        lots: lots.size,
        lot_ids: [...lots].slice(0, MAX_LISTED).map((lot) => this.ids.lot(lot)),
      },
    })
  }

  private notifyEnded(wallet: number, records: readonly HoldRecord[]): void {
    this.draft.notify({
      type: 'hold.expired',
      data: {
        ...this.walletFields(wallet),
        holds: records.length,
        hold_ids: records.slice(0, MAX_LISTED).map(({ hold }) => this.ids.hold(hold)),
        released: creditsOfSum(records.map(({ hold }) => hold.credits - hold.captured)),
      },
    })
  }

  /**
   * Adds a notification for the first unrated event of a model. Adds the next one only if another unrated event arrives
   * after all events of the model have been rated or voided.
   */
  private notifyUnrated(entry: Entry): void {
    const { provider = '', model = '', feature_id } = entry.event ?? {}
    if (this.committed.hasUnrated(provider, model)) return
    this.draft.notify({
      type: 'event.unrated',
      data: {
        event_id: this.ids.event(entry),
        provider: provider === '' ? null : provider,
        model: model === '' ? null : model,
        feature_id: feature_id ?? null,
      },
    })
  }

  private notifyRated(entries: readonly Entry[]): void {
    const [first] = entries
    this.draft.notify({
      type: 'event.rated',
      data: {
        provider: first?.event?.provider ?? null,
        model: first?.event?.model ?? null,
        events: entries.length,
        amount: creditsOfSum(entries.map(({ amount }) => 0 - amount)),
      },
    })
  }

  private notifyExhausted(key: string, wallet: Wallet): void {
    const after = available(wallet)
    if (after > 0) return
    const known = this.committed.wallet(key)
    const before = known ? available(known) : 0
    if (before <= 0) return
    this.draft.notify({
      type: 'credits.exhausted',
      data: {
        ...this.fieldsOf(wallet),
        available_before: creditsOf(before),
        available_after: creditsOf(after),
        balance_after: creditsOf(wallet.balance),
      },
    })
  }

  /**
   * Adds notifications for the limits that the commit reaches: at most one in each fixed window, and at most one within
   * the length of a rolling window.
   */
  private notifyReached(): void {
    const { draft } = this
    for (const { entitlement, window, limit, used } of draft.reachedLimits) {
      const { counter, owner, rolling, feature_id, unit } = entitlement
      const last = draft.limitMarks.get(counter) ?? this.committed.reachedAt(counter)
      const is_known = rolling
        ? last !== undefined && last + rollingMs(rolling) > draft.at_ms
        : last === window.start_ms
      if (is_known) continue
      draft.limitMarks.set(counter, rolling ? draft.at_ms : window.start_ms)
      draft.notify({
        type: 'limit.reached',
        data: {
          entitlement_id: entitlement.id,
          feature_id: feature_id === ALL_FEATURES ? null : feature_id,
          level: owner.kind,
          ...levelFields(owner),
          limit_type: entitlement.limit_type,
          unit,
          limit: exactNumber(quantityText(unit, limit)),
          used: exactNumber(quantityText(unit, used)),
          resets_at: timeOf(window.resets_at_ms),
        },
      })
    }
  }

  private walletFields(number: number): NotificationData {
    this.byNumber ??= new Map([...this.draft.wallets.values()].map((wallet) => [wallet.number, wallet]))
    const wallet = this.byNumber.get(number)
    if (!wallet) throw new Error(`the commit has an entry of wallet ${number}, but not the changed wallet`)
    return this.fieldsOf(wallet)
  }

  private fieldsOf({ number, owner }: Wallet): NotificationData {
    return { wallet_id: this.ids.wallet(number), ...ownerFields(owner) }
  }
}

function levelFields(owner: LimitOwner): NotificationData {
  switch (owner.kind) {
    case 'key':
      return { key_id: owner.id }
    case 'model':
      return { model: owner.id }
    default:
      return ownerFields(owner)
  }
}

function timeOf(at_ms: number | null): string | null {
  return at_ms === null ? null : new Date(at_ms).toISOString()
}

function modelKey({
  provider = '',
  model = '',
}: {
  readonly provider?: string
  readonly model?: string
}): string {
  return `${provider}\n${model}`
}
