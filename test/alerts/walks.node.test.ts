import fc from 'fast-check'
import { expect, inject, it } from 'vitest'
import { applyAlert } from '../../src/ledger/alerts/changes.ts'
import { AlertRows } from '../../src/ledger/alerts/rows.ts'
import { watch } from '../../src/ledger/alerts/watch.ts'
import { applyIngest } from '../../src/ledger/burns/ingest.ts'
import type { Draft } from '../../src/ledger/commit/draft.ts'
import { applyCredit } from '../../src/ledger/credits/credit.ts'
import { applyMovement } from '../../src/ledger/credits/movement.ts'
import { applyHold } from '../../src/ledger/holds/holds.ts'
import type { AlertRules } from '../../src/ledger/model/alerts.ts'
import type { NotificationType } from '../../src/ledger/model/notifications.ts'
import type { Wallet } from '../../src/ledger/model/wallet.ts'
import { type CommittedState, notifyOfChanges } from '../../src/ledger/notifications/changes.ts'
import { settle } from '../../src/ledger/wallets/settle.ts'
import { microCredits } from '../../src/pricing/money.ts'
import { DAY_MS, HOUR_MS } from '../../src/time/durations.ts'
import { CONTEXT, MemoryLedger } from '../support/memory-ledger.ts'
import { eventItem, grant, single } from '../support/messages.ts'

/**
 * Tests alerts with random walks of a wallet's balance around the thresholds. The steps are burns, voids, refunds, new
 * credits, expiry, holds and an overdraft. A simple model predicts the notifications from the available credits and the
 * spending after each step. `FC_RUNS=1000` runs more walks.
 */

const START_MS = Date.UTC(2026, 10, 30, 20)
const CUSTOMER = { kind: 'customer' } as const

class WatchedLedger extends MemoryLedger implements CommittedState {
  readonly alerts = new AlertRows(() => [])
  /** The version is constant, because no walk changes an entitlement. */
  readonly entitlementsVersion = 0

  hasUnrated(): boolean {
    return false
  }

  reachedAt(): undefined {
    return undefined
  }

  override commit<T>(now_ms: number, change: (draft: Draft) => T): T {
    let changed: Draft['alerts'] = new Map()
    const result = super.commit(now_ms, (draft) => {
      const answer = change(draft)
      if (!draft.isEmpty && this.alerts) {
        notifyOfChanges(draft, CONTEXT.ids, this)
        watch(draft, CONTEXT.ids, this)
      }
      changed = draft.alerts
      return answer
    })
    if (changed.size > 0) this.alerts.publish(changed)
    return result
  }
}

type Step =
  | { readonly op: 'burn' | 'grant' | 'hold' | 'refund' | 'overdraft'; readonly amount: number }
  | { readonly op: 'lot'; readonly amount: number; readonly hours: number }
  | { readonly op: 'void' | 'release'; readonly pick: number }
  | { readonly op: 'clock'; readonly hours: number }

const AMOUNT = fc.integer({ min: 1, max: 60 })
const STEP: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant('burn' as const), amount: AMOUNT }) },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constantFrom('grant', 'hold', 'refund', 'overdraft'), amount: AMOUNT }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('lot' as const),
      amount: AMOUNT,
      hours: fc.integer({ min: 1, max: 12 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constantFrom('void', 'release'), pick: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('clock' as const), hours: fc.integer({ min: 1, max: 20 }) }),
  },
)

interface Rules {
  readonly below: number
  readonly rearm: number
  readonly cooldown_hours: number
  readonly spend: number
}

const RULES: fc.Arbitrary<Rules> = fc.record({
  below: fc.integer({ min: 1, max: 80 }),
  rearm: fc.integer({ min: 0, max: 30 }),
  cooldown_hours: fc.constantFrom(0, 0, 3),
  spend: fc.integer({ min: 1, max: 200 }),
})

/** The model of an alert. It fires if it is armed, the value has passed the threshold, and the cooldown is over. */
class Model {
  private armed: boolean
  private fired_ms = Number.NEGATIVE_INFINITY
  fired = 0
  private readonly isPast: (value: number) => boolean
  private readonly isSafe: (value: number) => boolean
  private readonly cooldown_ms: number

  constructor(
    first: number,
    isPast: (value: number) => boolean,
    isSafe: (value: number) => boolean,
    cooldown_ms = 0,
  ) {
    this.isPast = isPast
    this.isSafe = isSafe
    this.cooldown_ms = cooldown_ms
    this.armed = !isPast(first)
  }

  see(value: number, at_ms: number): void {
    if (!this.armed) this.armed = this.isSafe(value)
    else if (this.isPast(value) && at_ms >= this.fired_ms + this.cooldown_ms) {
      this.armed = false
      this.fired_ms = at_ms
      this.fired++
    }
  }

  arm(): void {
    this.armed = true
  }
}

const MICRO = 1_000_000

class Walk {
  private readonly ledger = new WatchedLedger()
  private readonly low: Model
  private readonly spend: Model
  private readonly empty = new Model(
    0,
    (value) => value <= 0,
    (value) => value > 0,
  )
  private now_ms = START_MS
  private spent = 0
  private seen = 0

  constructor({ below, rearm, cooldown_hours, spend }: Rules) {
    const common = {
      owner: CUSTOMER,
      cooldown_ms: cooldown_hours * HOUR_MS,
      enabled: true,
      unit: 'credits',
    } as const
    this.alert('alr_low', {
      ...common,
      type: 'balance_below',
      threshold: below * MICRO,
      rearm_at: (below + rearm) * MICRO,
    })
    this.alert('alr_spend', {
      ...common,
      type: 'spend_above',
      period: 'DAILY',
      cooldown_ms: 0,
      threshold: spend * MICRO,
      rearm_at: 0,
    })
    this.low = new Model(
      0,
      (value) => value < below,
      (value) => value > below + rearm,
      cooldown_hours * HOUR_MS,
    )
    this.spend = new Model(
      0,
      (value) => value > spend,
      () => false,
    )
  }

  step(step: Step): void {
    const { ledger, now_ms } = this
    const before_ms = now_ms
    switch (step.op) {
      case 'burn':
        ledger.commit(now_ms, (draft) => applyIngest(draft, single(eventItem(step.amount * MICRO)), CONTEXT))
        break
      case 'grant':
        ledger.commit(now_ms, (draft) => applyCredit(draft, grant(step.amount * MICRO)))
        break
      case 'lot': {
        const lot = grant(step.amount * MICRO, { expires_at_ms: now_ms + step.hours * HOUR_MS })
        ledger.commit(now_ms, (draft) => applyCredit(draft, lot))
        break
      }
      case 'hold': {
        const request = {
          op: 'open',
          feature_id: 'chat',
          lifetime_ms: 2 * HOUR_MS,
          size: { kind: 'credits', credits: microCredits(step.amount * MICRO) },
        } as const
        ledger.commit(now_ms, (draft) => applyHold(draft, { request }, CONTEXT))
        break
      }
      case 'release': {
        const [hold] = ledger.walletOf().holds.slice(step.pick % 3)
        if (!hold) break
        const ref = { number: hold.number, wallet: 1, created_at_ms: hold.created_at_ms }
        ledger.commit(now_ms, (draft) => applyHold(draft, { request: { op: 'release', hold: ref } }, CONTEXT))
        break
      }
      case 'void':
        this.giveBack('VOID', step.pick)
        break
      case 'refund':
        this.giveBack('REFUND', step.amount)
        break
      case 'overdraft': {
        const limit = microCredits((step.amount % 3) * 10 * MICRO)
        ledger.commit(now_ms, (draft) =>
          applyMovement(draft, { movement: { type: 'OVERDRAFT', owner: CUSTOMER, limit } }, CONTEXT.ids),
        )
        break
      }
      case 'clock':
        this.now_ms += step.hours * HOUR_MS
        ledger.commit(this.now_ms, (draft) => settle(draft, ledger.walletOf()))
    }
    this.look(before_ms)
  }

  fired(type: NotificationType): number {
    return this.ledger.records.filter((record) => record.kind === 'notification' && record.type === type)
      .length
  }

  expectAgreement() {
    const numbers = this.ledger.records.flatMap((record) =>
      record.kind === 'notification' ? record.sequence : [],
    )
    expect(numbers).toEqual(numbers.map((_, i) => i + 1))
    const fired = {
      low: this.fired('credits.low'),
      spend: this.fired('spend.above'),
      empty: this.fired('credits.exhausted'),
    }
    expect(fired).toEqual({ low: this.low.fired, spend: this.spend.fired, empty: this.empty.fired })
    return fired
  }

  /** Voids one of the last five burns, or refunds it completely. */
  private giveBack(type: 'VOID' | 'REFUND', pick: number): void {
    const burns = this.ledger.entries.filter((entry) => entry.type === 'BURN')
    const entry = burns.at(-1 - (pick % Math.max(1, Math.min(burns.length, 5))))
    if (!entry?.event) return
    const { number, wallet, at_ms, amount, lots, event } = entry
    const past = { number, type: entry.type, wallet, at_ms, amount, lots, used: event }
    const movement = type === 'VOID' ? ({ type, past } as const) : ({ type, past, amount: null } as const)
    this.ledger.commit(this.now_ms, (draft) => applyMovement(draft, { movement }, CONTEXT.ids))
  }

  private alert(id: string, rules: AlertRules): void {
    this.ledger.commit(this.now_ms, (draft) =>
      applyAlert(draft, this.ledger.alerts, { change: { kind: 'create', id, rules } }),
    )
  }

  /**
   * Updates the models after a step with the values that a client would see: the available credits and the spending of
   * the day.
   */
  private look(before_ms: number): void {
    const { balance, holds } = this.ledger.walletOf()
    const held = holds.flatMap(({ parts }) => parts).reduce((sum, [, amount]) => sum + amount, 0)
    const free = (balance - held) / MICRO
    const entries = this.ledger.entries.slice(this.seen)
    this.seen += entries.length
    if (Math.floor(before_ms / DAY_MS) !== Math.floor(this.now_ms / DAY_MS)) {
      this.spent = 0
      this.spend.arm()
    }
    for (const { type, amount, reverses } of entries) {
      if (type === 'BURN' || reverses) this.spent = Math.max(0, this.spent - amount / MICRO)
    }
    const wallet = this.ledger.walletOf()
    if (wallet === this.last) return
    this.last = wallet
    this.low.see(free, this.now_ms)
    this.empty.see(free, this.now_ms)
    this.spend.see(this.spent, this.now_ms)
  }

  private last: Wallet | undefined
}

it('fires each alert exactly when the model does', () => {
  const { seed, runs } = inject('fuzz')
  const fired = { low: 0, spend: 0, empty: 0 }
  fc.assert(
    fc.property(RULES, fc.array(STEP, { minLength: 10, maxLength: 60 }), (rules, steps) => {
      const walk = new Walk(rules)
      walk.step({ op: 'grant', amount: 100 })
      for (const step of steps) walk.step(step)
      const { low, spend, empty } = walk.expectAgreement()
      fired.low += low
      fired.spend += spend
      fired.empty += empty
    }),
    { numRuns: runs ?? 200, ...(seed !== undefined && { seed }) },
  )
  expect(Math.min(fired.low, fired.spend, fired.empty)).toBeGreaterThan(20)
})
