import { timeJson, timeOrNull } from '../http/input/times.ts'
import { creditsExact, creditsJson, exactNumber, jsonOf, metadataJson, usdJson } from '../http/output/json.ts'
import { quantityText } from '../ledger/entitlements/limits.ts'
import type { CheckAnswer, CheckReason, LimitAnswer } from '../ledger/model/answers.ts'
import {
  ALL_FEATURES,
  type Entitlement,
  type EntitlementPeriod,
  freeJsonOf,
  type RollingLength,
} from '../ledger/model/limits.ts'
import { LEVEL_NAMES } from '../ledger/model/refusal.ts'
import { picoUsd } from '../pricing/money.ts'

/**
 * Returns the JSON of an entitlement, in format 1. A replay must return the same JSON, so a change of the JSON requires
 * a new format number.
 */
export function renderEntitlement(entitlement: Entitlement): object {
  const { owner, limit, unit, anchor_ms, time_zone, rolling } = entitlement
  const { value, metadata } = freeJsonOf(entitlement)
  return {
    id: entitlement.id,
    feature_id: entitlement.feature_id === ALL_FEATURES ? null : entitlement.feature_id,
    user_id: owner.kind === 'user' ? owner.id : null,
    team_id: owner.kind === 'team' ? owner.id : null,
    ...(owner.kind === 'key' && { key_id: owner.id }),
    ...(owner.kind === 'model' && { model: owner.id }),
    limit_type: entitlement.limit_type,
    limit_value: limit === null ? null : exactNumber(quantityText(unit, BigInt(limit))),
    unit,
    period: entitlement.period,
    anchor: timeOrNull(anchor_ms),
    ...(rolling && { rolling }),
    // A stored result from an earlier version has no time zone.
    ...(time_zone !== undefined && { time_zone }),
    value: value === undefined ? null : jsonOf(value),
    enabled: entitlement.enabled,
    metadata: metadataJson(metadata),
    created_at: timeJson(entitlement.created_at_ms),
    updated_at: timeJson(entitlement.updated_at_ms),
  }
}

/**
 * Returns the JSON of a check, in format 1. `origin` is the origin of the API. The links of the actions begin with it.
 */
export function renderCheck(answer: CheckAnswer, origin: string): object {
  return {
    allowed: answer.allowed,
    reason: answer.reason,
    message: messageOf(answer),
    estimated_cost_credits: creditsExact(BigInt(answer.credits_micro)),
    estimated_cost_usd: usdJson(picoUsd(BigInt(answer.price_pico))),
    current_balance: creditsJson(answer.balance),
    limit: answer.limit && renderLimit(answer.limit),
    ...(answer.hold_id !== undefined && { hold_id: answer.hold_id }),
    actions: actionsOf(answer, origin),
  }
}

function renderLimit(limit: LimitAnswer): object {
  return {
    level: limit.level,
    ...(limit.key_id !== undefined && { key_id: limit.key_id }),
    ...(limit.model !== undefined && { model: limit.model }),
    value: exactNumber(limit.value),
    used: exactNumber(limit.used),
    remaining: exactNumber(limit.remaining),
    period: limit.period,
    ...(limit.rolling && { rolling: limit.rolling }),
    resets_at: timeOrNull(limit.resets_at_ms),
    unit: limit.unit,
  }
}

function messageOf({ reason, limit }: CheckAnswer): string {
  switch (reason) {
    case null:
      return 'Allowed.'
    case 'feature_not_enabled':
      return 'This feature is not enabled: no entitlement allows it.'
    case 'feature_disabled':
      return 'This feature is disabled.'
    case 'limit_reached':
      return `The use would exceed the ${limitText(limit)}.`
    case 'soft_limit_reached':
      return `The use is allowed, but it exceeds the ${limitText(limit)}.`
    case 'insufficient_credits':
      return 'The wallet has fewer available credits than the estimated cost.'
    case 'low_credits':
      return 'Allowed, but credits are running low.'
  }
}

function limitText(limit: LimitAnswer | null): string {
  if (!limit) return 'limit'
  const { level, value, unit, used, period, rolling } = limit
  const name = unit === 'usd' ? 'USD' : unit
  const window = rolling ? `in any ${lengthText(rolling)}` : WINDOWS[period]
  return `${LEVEL_NAMES[level]}'s limit of ${value} ${name} ${window}, of which ${used} are used or held`
}

const WINDOWS: Readonly<Record<EntitlementPeriod, string>> = {
  HOURLY: 'an hour',
  DAILY: 'a day',
  WEEKLY: 'a week',
  MONTHLY: 'a month',
  TOTAL: 'in total',
  ROLLING: 'in a rolling window',
}

function lengthText(rolling: RollingLength): string {
  const [count, unit] = 'hours' in rolling ? [rolling.hours, 'hour'] : [rolling.days, 'day']
  return count === 1 ? unit : `${count} ${unit}s`
}

const ACTIONS: Readonly<Record<CheckReason, readonly ActionType[]>> = {
  feature_not_enabled: ['upgrade'],
  feature_disabled: ['upgrade'],
  limit_reached: ['increase_limit', 'upgrade'],
  soft_limit_reached: ['increase_limit'],
  insufficient_credits: ['purchase'],
  low_credits: ['purchase'],
}

type ActionType = 'upgrade' | 'purchase' | 'increase_limit'

/** Returns the actions with which the customer can remove the reason. Each action has a link to a route of this API. */
function actionsOf({ reason, limit }: CheckAnswer, origin: string): object[] {
  return reason === null ? [] : ACTIONS[reason].map((type) => actionOf(type, origin, limit))
}

function actionOf(type: ActionType, origin: string, limit: LimitAnswer | null): object {
  switch (type) {
    case 'upgrade':
      return { type, label: 'Enable the feature', url: `${origin}/v1/entitlements` }
    case 'purchase':
      return { type, label: 'Buy credits', url: `${origin}/v1/credits/purchase` }
    case 'increase_limit':
      return {
        type,
        label: 'Raise the limit',
        url: `${origin}/v1/entitlements/${limit?.entitlement_id ?? ''}`,
      }
  }
}
