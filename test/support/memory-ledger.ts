import { applyEvent, type BurnOutcome } from '../../src/ledger/burns/burn.ts'
import type { BurnContext } from '../../src/ledger/burns/rate.ts'
import { type Counters, Draft, type GivenBack, type LedgerReader } from '../../src/ledger/commit/draft.ts'
import { applyCredit, type CreditOutcome } from '../../src/ledger/credits/credit.ts'
import type { KeyUse } from '../../src/ledger/idempotency/check.ts'
import { FORMAT } from '../../src/ledger/journal/packed-entry.ts'
import type { Entry, JournalRecord } from '../../src/ledger/model/journal.ts'
import { LedgerIds } from '../../src/ledger/model/ledger-ids.ts'
import {
  ALL_FEATURES,
  type Entitlement,
  type LimitCounter,
  type Subject,
} from '../../src/ledger/model/limits.ts'
import type { Lot } from '../../src/ledger/model/lots.ts'
import type { CreditMessage } from '../../src/ledger/model/messages/credits.ts'
import type { IngestItem } from '../../src/ledger/model/messages/events.ts'
import type { Idempotency, WalletOwner } from '../../src/ledger/model/vocabulary.ts'
import { assertWallet, unusedLots, type Wallet, walletKey } from '../../src/ledger/model/wallet.ts'
import { defaultBurnTable } from '../../src/pricing/burn-table/table.ts'

/** The default burn table of the tests: 1,000 credits per USD and a markup of 100 %. `costOf` uses the same values. */
const TABLE = defaultBurnTable({ credits_per_usd_micro: 1_000_000_000n, markup_percent_micro: 100_000_000n })

export const CONTEXT: BurnContext = {
  tables: { at: () => TABLE },
  ids: new LedgerIds('00000000', 0),
  default_entitlement: 'allow',
  events_a_month: null,
  quotas: { changes_a_month: null, metadata_mb: 1_000_000 },
}

/**
 * A ledger with the same rules as the real one, but with maps in place of SQLite. Committed state is frozen, so a draft
 * that changes committed objects throws an error.
 */
export class MemoryLedger implements LedgerReader {
  readonly records: JournalRecord[] = []
  private counters: Counters = {
    entry: 0,
    lot: 0,
    wallet: 0,
    hold: 0,
    at_ms: 0,
    month_events: 0,
    notification: 0,
  }
  private readonly wallets = new Map<string, Wallet>()
  private readonly keys = new Map<string, KeyUse>()
  private readonly closedLots = new Map<number, Lot | null>()
  private readonly givenBacks = new Map<number, GivenBack>()
  private readonly limitCounters = new Map<number, LimitCounter>()
  /**
   * The entitlements, which tests add. Entitlements of users come first, then those of teams, then those of the
   * customer.
   */
  readonly entitlements: Entitlement[] = []

  constructor() {
    this.commit(0, (draft) => draft.createWallet({ kind: 'customer' }))
  }

  get entries(): Entry[] {
    return this.records.filter((record) => record.kind === 'entry')
  }

  wallet(key: string): Wallet | undefined {
    return this.wallets.get(key)
  }

  /** Returns the wallet of an owner. Throws if the owner has no wallet. */
  walletOf(owner: WalletOwner = { kind: 'customer' }): Wallet {
    const wallet = this.wallets.get(walletKey(owner))
    if (!wallet) throw new Error(`no wallet of ${walletKey(owner)}`)
    return wallet
  }

  walletByNumber(number: number): Wallet | undefined {
    return [...this.wallets.values()].find((wallet) => wallet.number === number)
  }

  walletOfLot(number: number): Wallet | undefined {
    return [...this.wallets.values()].find((wallet) =>
      unusedLots(wallet).some((lot) => lot.number === number),
    )
  }

  closedLot(number: number): Lot | undefined {
    return this.closedLots.get(number) ?? undefined
  }

  givenBack(entry: number): GivenBack | undefined {
    return this.givenBacks.get(entry)
  }

  entitlementsOf({ feature_id, user_id, team_id, model }: Subject, key_id?: string): Entitlement[] {
    const owners = [
      ...(user_id === undefined ? [] : [`user:${user_id}`]),
      ...(team_id === undefined ? [] : [`team:${team_id}`]),
      ...(key_id === undefined ? [] : [`key:${key_id}`]),
      ...(model === undefined ? [] : [`model:${model}`]),
      'customer',
    ]
    return owners.flatMap((key) =>
      this.entitlements.filter(
        (row) => [feature_id, ALL_FEATURES].includes(row.feature_id) && walletKey(row.owner) === key,
      ),
    )
  }

  limitCounter(counter: number): LimitCounter | undefined {
    return this.limitCounters.get(counter)
  }

  unratedEvent(): undefined {
    return undefined
  }

  unpaidEvents(): [] {
    return []
  }

  amendment(): undefined {
    return undefined
  }

  payment(): undefined {
    return undefined
  }

  paymentIntent(): undefined {
    return undefined
  }

  payer(): undefined {
    return undefined
  }

  lastPaymentNumber(): number {
    return 0
  }

  usedKeys(idempotencies: readonly Idempotency[]): Map<string, KeyUse> {
    const used = new Map<string, KeyUse>()
    for (const { key } of idempotencies) {
      const use = this.keys.get(key)
      if (use) used.set(key, use)
    }
    return used
  }

  keysAreFull(): boolean {
    return false
  }

  /** Applies `change` to a new draft, and commits the draft. Returns the result of `change`. */
  commit<T>(now_ms: number, change: (draft: Draft) => T): T {
    const draft = new Draft(this, this.counters, now_ms)
    const result = change(draft)
    if (draft.isEmpty && draft.wallets.size === 0) return result
    for (const [key, wallet] of draft.wallets) {
      assertWallet(wallet)
      for (const lot of wallet.lots) Object.freeze(lot)
      Object.freeze(wallet.lots)
      this.wallets.set(key, Object.freeze(wallet))
    }
    for (const record of draft.records) {
      this.records.push(Object.freeze(record))
      const { idempotency } = record
      if (!idempotency) continue
      if (this.keys.has(idempotency.key)) throw new Error(`the key ${idempotency.key} was used twice`)
      const { fingerprint } = idempotency
      this.keys.set(idempotency.key, { fingerprint, read: () => ({ format: FORMAT, record }) })
    }
    for (const [number, lot] of draft.closedLots) this.closedLots.set(number, lot && Object.freeze(lot))
    for (const [entry, given] of draft.givenBacks) this.givenBacks.set(entry, given)
    for (const [counter, state] of draft.limitCounters) this.limitCounters.set(counter, state)
    this.counters = draft.counters
    return result
  }

  /** Returns the result of `read` on a new draft, which is not committed. */
  look<T>(now_ms: number, read: (draft: Draft) => T): T {
    return read(new Draft(this, this.counters, now_ms))
  }

  burn(now_ms: number, item: IngestItem): BurnOutcome {
    return this.commit(now_ms, (draft) => applyEvent(draft, item, CONTEXT))
  }

  credit(now_ms: number, message: CreditMessage): CreditOutcome {
    return this.commit(now_ms, (draft) => applyCredit(draft, message))
  }
}
