import { microCredits } from '../pricing/money.ts'
import {
  burnTableAudited,
  creditAudited,
  deactivationAudited,
  entitlementAudited,
  moveAudited,
} from './audited.ts'
import { burnTableAnswer, readBurnTables, savedAnswer } from './burn-tables/answers.ts'
import { applyIngest } from './burns/ingest.ts'
import { quote } from './burns/quote.ts'
import { applyRerate, payUnpaid, type RerateOutcome } from './burns/rerate.ts'
import { sealAnswer } from './client/envelope.ts'
import type { Draft } from './commit/draft.ts'
import { applyCredit, creditAnswer } from './credits/credit.ts'
import { LedgerEngine, UNAVAILABLE } from './engine.ts'
import { checkAndHold, checkUse } from './entitlements/check.ts'
import { readEntitlements } from './entitlements/entitlements.ts'
import { booksOf, projectionState } from './flush/books.ts'
import { applyHold } from './holds/holds.ts'
import { readHolds } from './holds/lists.ts'
import { readUnflushed } from './journal/unflushed.ts'
import type { Account } from './model/account.ts'
import type { BalanceAnswer, LotAnswer, RecurringAnswer } from './model/answers.ts'
import type { BurnTableSnapshot } from './model/burn-tables.ts'
import type { Entitlement } from './model/entitlements.ts'
import type {
  BurnTableResult,
  BurnTablesMessage,
  BurnTablesResult,
  DeactivateBurnTableMessage,
  QuoteMessage,
  QuoteResult,
  SaveBurnTableMessage,
} from './model/messages/burn-tables.ts'
import type {
  CreditMessage,
  CreditResult,
  MovementMessage,
  MovementResult,
  RecurringMessage,
  WalletMessage,
  WalletResult,
} from './model/messages/credits.ts'
import type {
  ChangeEntitlementMessage,
  CheckAndHoldMessage,
  CheckMessage,
  CheckResult,
  EntitlementResult,
  EntitlementsMessage,
  EntitlementsResult,
} from './model/messages/entitlements.ts'
import type {
  IngestMessage,
  IngestResult,
  RerateMessage,
  RerateResult,
  UnratedMessage,
  UnratedResult,
} from './model/messages/events.ts'
import type { HoldMessage, HoldResult, HoldsMessage, HoldsResult } from './model/messages/holds.ts'
import type {
  CatchUpMessage,
  CatchUpResult,
  EntriesMessage,
  EntriesResult,
  EntryRange,
  EraseMessage,
  EraseResult,
  OpenMessage,
  ProjectionStateMessage,
  ProjectionStateResult,
} from './model/messages/ledger.ts'
import type { Refused } from './model/refusal.ts'
import type { Amendment } from './model/unrated.ts'
import { balanceAnswer, lotAnswers, recurringAnswers } from './wallets/answers.ts'

const MAX_ENTITLEMENTS_SHARED_AT_ONCE = 200

/**
 * One customer's ledger in one mode, single-threaded: whatever moves credits goes through here. These are its requests;
 * how they are admitted and committed is in `engine.ts`, the rules are in the pure modules beside it, the SQL in
 * `store.ts`.
 *
 * Each RPC method takes one JSON string and answers one (see `messages.ts`).
 */
export class CustomerLedger extends LedgerEngine {
  /** Makes the ledger, its customer's wallet and the sign-up grant; opened before, it only takes a newer account. */
  async open(json: string): Promise<string> {
    const { ledger, signup_grant_micro, account }: OpenMessage = JSON.parse(json)
    if (!this.store.identity) {
      this.commit(
        (draft) => {
          draft.createWallet({ kind: 'customer' })
          if (signup_grant_micro > 0) giveSignupGrant(draft, signup_grant_micro)
        },
        { ...ledger, opened_at_ms: Date.now() },
      )
    }
    // Durable together with the opening: there is no await in between.
    this.store.account.take(account)
    return sealAnswer({ kind: 'opened' })
  }

  ingest(json: string): Promise<string> {
    return this.handle<IngestMessage, IngestResult>(json, applyIngest)
  }

  credit(json: string): Promise<string> {
    return this.handle<CreditMessage, CreditResult>(json, (draft, message, context) => {
      const outcome = creditAudited(draft, message, context.ids)
      if (outcome.kind === 'refused') return outcome
      const answer = creditAnswer(context.ids, outcome.entry)
      if (outcome.kind === 'done') payUnpaid(draft, outcome.entry.wallet, context)
      return { kind: outcome.kind, format: outcome.format, answer }
    })
  }

  /** Rates events that were recorded without a price, each at most once. */
  rerate(json: string): Promise<string> {
    return this.handle<RerateMessage, RerateResult>(
      json,
      (draft, { items }, context) => {
        const outcomes = items.map((item) => applyRerate(draft, item, context))
        const count = (outcome: RerateOutcome) => outcomes.filter((one) => one === outcome).length
        return { kind: 'done', answer: { rated: count('rated'), unpaid: count('unpaid') } }
      },
      'upkeep',
    )
  }

  /** The events that have no price yet, and how some that had none were rated. */
  unrated(json: string): Promise<string> {
    const { unrated } = this.store
    return this.answer<UnratedMessage, UnratedResult>(
      json,
      'read',
      ({ before_entry, limit, amended, selection, models_limit }, { ids }) => ({
        kind: 'done',
        answer: {
          events: (selection
            ? unrated.selected(selection, before_entry ?? Number.MAX_SAFE_INTEGER, limit)
            : unrated.before(before_entry ?? Number.MAX_SAFE_INTEGER, limit)
          ).map(({ entry }) => entry),
          ...(models_limit !== undefined && { models: unrated.models(models_limit) }),
          amendments: amended.flatMap((entry): [number, Amendment][] => {
            const amendment = unrated.amendment(entry)
            return amendment ? [[entry, amendment]] : []
          }),
          opened_at_ms: ids.opened_at_ms,
        },
      }),
    )
  }

  /** Voids, refunds, transfers, adjustments, overdraft limits. */
  move(json: string): Promise<string> {
    return this.handle<MovementMessage, MovementResult>(json, (draft, message, { ids }) => {
      const { movement } = message
      if (!('past' in movement)) return moveAudited(draft, message, ids)
      const past = this.store.erasures.renamed(movement.past)
      return moveAudited(draft, { ...message, movement: { ...movement, past } }, ids)
    })
  }

  /** Opens, captures, releases and extends holds. */
  hold(json: string): Promise<string> {
    return this.handle<HoldMessage, HoldResult>(json, applyHold)
  }

  /** The open holds of the ledger or of one wallet, newest first. */
  holds(json: string): Promise<string> {
    return this.answer<HoldsMessage, HoldsResult>(json, 'read', (message, { ids }) => ({
      kind: 'done',
      answer: readHolds(this.store, this.draft(), ids, message),
    }))
  }

  balance(json: string): Promise<string> {
    return this.answer<WalletMessage, WalletResult<BalanceAnswer>>(json, 'read', (message, context) =>
      this.readWallet(message, context, balanceAnswer),
    )
  }

  /** The open lots of a wallet in burn order. */
  lots(json: string): Promise<string> {
    return this.answer<WalletMessage, WalletResult<LotAnswer[]>>(json, 'read', (message, context) =>
      this.readWallet(message, context, lotAnswers),
    )
  }

  /** The grants that come again, newest first. */
  recurringGrants(json: string): Promise<string> {
    return this.answer<RecurringMessage, WalletResult<RecurringAnswer[]>>(
      json,
      'read',
      ({ owner }, { ids }) => ({
        kind: 'done',
        answer: recurringAnswers(this.store, this.draft(), ids, owner),
      }),
    )
  }

  /** The entries that D1 may not have yet, newest first, and where D1's begin. */
  entries(json: string): Promise<string> {
    return this.answer<EntriesMessage, EntriesResult>(json, 'read', (message, { ids }) =>
      readUnflushed(this.store, ids, message),
    )
  }

  /** How much is committed, and how much of it D1 has: what analytics are as of. */
  projectionState(json: string): Promise<string> {
    return this.answer<ProjectionStateMessage, ProjectionStateResult>(
      json,
      'read',
      ({ with_wallets }, { ids }) => ({
        kind: 'done',
        answer: projectionState(this.store, ids, {
          now_ms: Date.now(),
          database_bytes: this.ctx.storage.sql.databaseSize,
          with_wallets,
        }),
      }),
    )
  }

  /** Saves a burn table or a new version of one: what is ingested next is rated by it. */
  saveBurnTable(json: string): Promise<string> {
    const { burnTables } = this.store
    return this.answer<SaveBurnTableMessage, BurnTableResult>(json, 'write', (message) => {
      const outcome = this.commit((draft) =>
        this.withRoom(draft, () => burnTableAudited(draft, burnTables, message, this.config)),
      )
      this.tables.refresh()
      if (outcome.kind === 'refused') return outcome
      const { kind, format } = outcome
      const answer =
        outcome.kind === 'done'
          ? burnTableAnswer(burnTables, outcome.row)
          : savedAnswer(burnTables, outcome.version)
      return { kind, format, answer }
    })
  }

  /** Ends a burn table now; events of earlier times still fall under it. */
  deactivateBurnTable(json: string): Promise<string> {
    return this.answer<DeactivateBurnTableMessage, BurnTableResult>(json, 'write', (message) => {
      const result = this.commit((draft) => deactivationAudited(draft, this.store.burnTables, message))
      this.tables.refresh()
      return result
    })
  }

  burnTables(json: string): Promise<string> {
    return this.answer<BurnTablesMessage, BurnTablesResult>(json, 'read', ({ question }) =>
      readBurnTables(this.store.burnTables, this.tables, question, Date.now()),
    )
  }

  /** What items would cost, each by the table of its time. Moves nothing. */
  quote(json: string): Promise<string> {
    return this.answer<QuoteMessage, QuoteResult>(json, 'read', ({ items }) => {
      const now_ms = Date.now()
      return { kind: 'done', quotes: items.map((item) => quote(this.tables, item, now_ms)) }
    })
  }

  /** All burn tables of a live ledger, for the test ledger of the same customer. */
  async burnTableSnapshot(): Promise<string> {
    return JSON.stringify(this.store.burnTables.snapshot())
  }

  /** Takes over the live ledger's burn tables; older ones, and those of a ledger that nobody opened, are left. */
  async acceptBurnTables(json: string): Promise<void> {
    if (!this.store.identity) return
    const snapshot: BurnTableSnapshot = JSON.parse(json)
    this.ctx.storage.transactionSync(() => this.store.burnTables.accept(snapshot))
    this.tables.refresh()
  }

  /** Makes, replaces or deletes an entitlement: what is ingested next is under it. */
  changeEntitlement(json: string): Promise<string> {
    return this.answer<ChangeEntitlementMessage, EntitlementResult>(json, 'write', (message) =>
      this.commit((draft) =>
        this.withRoom(draft, () => entitlementAudited(draft, this.store.entitlements, message)),
      ),
    )
  }

  entitlements(json: string): Promise<string> {
    return this.answer<EntitlementsMessage, EntitlementsResult>(json, 'read', ({ question }) => {
      const answer = readEntitlements(this.store.entitlements, question)
      return 'code' in answer ? { kind: 'refused', refusal: answer } : { kind: 'done', answer }
    })
  }

  /** Whether a use would go through now, on a draft that is dropped: nothing is written, whatever falls due in it. */
  checkEntitlement(json: string): Promise<string> {
    return this.answer<CheckMessage, CheckResult>(json, 'read', ({ question }, context) =>
      checkUse(this.draft(), question, context),
    )
  }

  /** The same with a hold on the estimate, which is a change. */
  checkAndHold(json: string): Promise<string> {
    return this.handle<CheckAndHoldMessage, CheckResult>(json, checkAndHold)
  }

  /** What changed of a live ledger's entitlements, for the test ledger of the same customer. */
  async entitlementsAfter(revision: number): Promise<string> {
    return JSON.stringify(this.store.entitlements.changedAfter(revision, MAX_ENTITLEMENTS_SHARED_AT_ONCE))
  }

  /** The last change of entitlements that this ledger has. */
  async entitlementRevision(): Promise<number> {
    return this.store.entitlements.last.revision
  }

  /** Takes over changes of the live ledger's entitlements, if this one was opened; whether there may be more. */
  async acceptEntitlements(json: string): Promise<boolean> {
    if (!this.store.identity) return false
    const changed: Entitlement[] = JSON.parse(json)
    this.ctx.storage.transactionSync(() => this.store.acceptEntitlements(changed))
    return changed.length === MAX_ENTITLEMENTS_SHARED_AT_ONCE
  }

  /** Brings D1 up to everything that is committed: whoever was mentioned is then found there. */
  catchUp(json: string): Promise<string> {
    return this.answer<CatchUpMessage, CatchUpResult>(json, 'read', () =>
      this.project(async () => ((await this.projector.catchUp()) ? { kind: 'done' } : UNAVAILABLE)),
    )
  }

  /** Erases a user or a team here and in D1, and keeps the ledger. */
  eraseSubject(json: string): Promise<string> {
    return this.answer<EraseMessage, EraseResult>(json, 'write', async ({ caller, kind, id }) => {
      const result = await this.project<EraseResult>(() => this.projector.erase(caller, kind, id))
      this.alarms.armForAll()
      return result
    })
  }

  /** Refuses a key from `at_ms` on. A later time than the one it has changes nothing. */
  async revokeKey(key_id: string, at_ms: number): Promise<void> {
    this.store.revoke(key_id, at_ms)
  }

  /** Takes over the customer's account if it is newer. A ledger that nobody opened gets its account when it is. */
  async setAccount(json: string): Promise<void> {
    if (!this.store.identity) return
    const account: Account = JSON.parse(json)
    this.store.account.take(account)
  }

  /** Brings D1 up to date and says what the books come to as far as it has them. For the operator and the cron. */
  async books(): Promise<string> {
    return JSON.stringify(
      // A tail that is too long to flush in one call is too long to be summed in one, too.
      await this.forOperator(async () =>
        (await this.projector.catchUp()) ? { kind: 'done', answer: booksOf(this.store) } : UNAVAILABLE,
      ),
    )
  }

  /** Writes D1's pages of a range of entries anew; `false` when the journal does not go back so far. */
  async rewritePages(json: string): Promise<string> {
    const range: EntryRange = JSON.parse(json)
    return JSON.stringify(
      await this.forOperator(async () => ({ kind: 'done', rewritten: await this.projector.rewrite(range) })),
    )
  }

  private forOperator<T>(work: () => Promise<T>): Promise<T | Refused> {
    return this.store.identity ? this.project(work) : Promise.resolve(UNAVAILABLE)
  }

  /**
   * Looks after a ledger that nobody may be using. `d1_row` is the last journal row that D1 says it has: less than the
   * object knows that it had is looked into. Arms the alarm for what is overdue, also where one was given up.
   */
  async wake(d1_row?: number): Promise<void> {
    if (d1_row !== undefined && d1_row < this.store.journal.flushedRow) {
      await this.alarms.attempt('flush', () => this.projector.realign())
    }
    await this.alarms.restore()
  }

  async ping(): Promise<'pong'> {
    return 'pong'
  }
}

function giveSignupGrant(draft: Draft, amount_micro: number): void {
  applyCredit(draft, {
    type: 'GRANT',
    owner: { kind: 'customer' },
    amount: microCredits(amount_micro),
    lot_kind: 'promo',
    priority: 50,
    expires_at_ms: null,
    reason: 'Sign-up grant',
  })
}
