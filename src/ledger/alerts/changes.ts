import type { Draft } from '../commit/draft.ts'
import { done, keepAnswer, replayedAnswer } from '../commit/replay.ts'
import {
  type Alert,
  type AlertRules,
  type AlertState,
  isTimed,
  MAX_ALERTS,
  MAX_ALERTS_A_WALLET,
  MAX_TIMED_ALERTS,
} from '../model/alerts.ts'
import type {
  AlertChange,
  AlertResult,
  AlertsMessage,
  AlertsResult,
  ChangeAlertMessage,
} from '../model/messages/alerts.ts'
import { notFound, type Refused, refused } from '../model/refusal.ts'
import { walletKey } from '../model/wallet.ts'
import { isPast, step } from './edge.ts'
import type { AlertRows } from './rows.ts'
import {
  balanceValue,
  checkRunway,
  limitOf,
  limitValue,
  spendingKey,
  spendingOf,
  spendingWindow,
} from './values.ts'

/**
 * Creates, replaces or deletes an alert. Refuses an unknown alert, and a new alert above a maximum. Adds no
 * notification, even if the value is already past the threshold, because no change of the value has crossed the
 * threshold.
 */
export function applyAlert(
  draft: Draft,
  rows: AlertRows,
  { change, idempotency }: ChangeAlertMessage,
): AlertResult {
  const replayed = replayedAnswer(draft, idempotency, 'alert')
  if (replayed) return replayed.kind === 'refused' ? replayed : { ...replayed, answer: replayed.answer.alert }
  const changed = changedAlert(draft, rows, change)
  if ('kind' in changed) return changed
  draft.alerts.set(changed.id, change.kind === 'delete' ? null : changed)
  keepAnswer(draft, idempotency, { of: 'alert', alert: changed })
  return done(changed)
}

function changedAlert(draft: Draft, rows: AlertRows, change: AlertChange): Alert | Refused {
  const known = rows.all().get(change.id)
  if (change.kind === 'create') {
    const full = fullRefusal(rows, change.rules)
    if (full) return full
    const state = stateOf(draft, change.rules, { fired: false, fired_at_ms: null })
    return { id: change.id, ...change.rules, created_at_ms: draft.at_ms, updated_at_ms: draft.at_ms, state }
  }
  if (!known) return notFound(`Alert ${change.id}`)
  if (change.kind === 'delete') return known
  return {
    ...known,
    ...change.rules,
    updated_at_ms: draft.at_ms,
    state: stateOf(draft, change.rules, known.state),
  }
}

function fullRefusal(rows: AlertRows, { owner, ...rules }: AlertRules): Refused | undefined {
  const all = [...rows.all().values()]
  const tooMany = (limit: number) => refused({ code: 'too_many_open', what: 'alerts', limit })
  if (all.length >= MAX_ALERTS) return tooMany(MAX_ALERTS)
  if (isTimed(rules) && all.filter(isTimed).length >= MAX_TIMED_ALERTS) return tooMany(MAX_TIMED_ALERTS)
  const key = walletKey(owner)
  const own = all.filter((alert) => walletKey(alert.owner) === key)
  return own.length >= MAX_ALERTS_A_WALLET ? tooMany(MAX_ALERTS_A_WALLET) : undefined
}

/**
 * Returns the state of a new alert, or of an alert whose rules change. An alert on a balance, on spending or on a limit
 * counts as fired if its value is past the threshold. An alert that fired in the current window stays fired until its
 * value is beyond `rearm_at`.
 */
function stateOf(draft: Draft, rules: AlertRules, last: AlertState): AlertState {
  const { at_ms } = draft
  const wallet = draft.wallet(rules.owner)
  const with_value = (state: AlertState, value: number): AlertState => {
    const next = step(rules, state, value, at_ms)
    return { ...state, fired: isPast(rules, value) || (state.fired && next.kind !== 'arms') }
  }
  switch (rules.type) {
    case 'balance_below':
      return with_value(last, balanceValue(rules, wallet))
    case 'spend_above': {
      const period = rules.period ?? 'MONTHLY'
      const spent = spendingOf(wallet?.counters, spendingKey(period, rules.feature_id), at_ms)
      const { start_ms: window_start_ms } = spendingWindow(period, at_ms)
      const is_same = last.window_start_ms === window_start_ms
      return with_value({ ...last, fired: is_same && last.fired, window_start_ms }, Number(spent))
    }
    case 'limit_used': {
      const limit = limitOf(draft, rules)
      const used = limit && limitValue(limit, draft.limitCounter(limit.counter), at_ms)
      if (!used) return { ...last, fired: false }
      const { window_start_ms } = used
      const is_same = window_start_ms === null || last.window_start_ms === window_start_ms
      const state = {
        ...last,
        fired: is_same && last.fired,
        ...(window_start_ms !== null && { window_start_ms }),
      }
      return with_value(state, used.value)
    }
    case 'lot_expiring':
      return last
    case 'runway_below': {
      if (last.runway) return last
      const total = spendingOf(wallet?.counters, spendingKey('TOTAL'), at_ms)
      return { ...last, runway: checkRunway({ spent: [] }, total, wallet, at_ms) }
    }
  }
}

/** Returns one alert, or all alerts of the ledger, newest first. Refuses an unknown alert. */
export function readAlerts(rows: AlertRows, { id }: AlertsMessage): AlertsResult {
  if (id === undefined) return { kind: 'done', answer: [...rows.all().values()].reverse() }
  const alert = rows.all().get(id)
  return alert ? { kind: 'done', answer: [alert] } : notFound(`Alert ${id}`)
}
