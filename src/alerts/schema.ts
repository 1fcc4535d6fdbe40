import { z } from '@hono/zod-openapi'
import { decimalText } from '../http/input/amounts.ts'
import { customerId, ownerOf, refuseTwoOwners, subjectFields } from '../http/input/identifiers.ts'
import { idPageQuery, pageSchema } from '../http/input/pagination.ts'
import { timeJson } from '../http/input/times.ts'
import { CHANGES_SOMETHING } from '../http/input/validation.ts'
import { exactNumber } from '../http/output/json.ts'
import { defaultRearm, directionOf } from '../ledger/alerts/edge.ts'
import {
  ALERT_PERIODS,
  ALERT_TYPES,
  type Alert,
  type AlertRules,
  type AlertType,
  THRESHOLD_DECIMALS,
  THRESHOLD_UNITS,
  type ThresholdUnit,
  UNITS_OF,
} from '../ledger/model/alerts.ts'
import type { LedgerName } from '../ledger/model/vocabulary.ts'
import { formatDecimal, parseDecimal } from '../pricing/money.ts'
import { DAY_MS } from '../time/durations.ts'

const MAXIMA: Readonly<Record<ThresholdUnit, number>> = {
  credits: 8_000_000_000,
  percent: 1_000,
  days: 3_650,
}
const MAX_COOLDOWN_SECONDS = (31 * DAY_MS) / 1000

const thresholdInput = z
  .strictObject({
    credits: decimalText(THRESHOLD_DECIMALS.credits, MAXIMA.credits).optional(),
    percent: decimalText(THRESHOLD_DECIMALS.percent, MAXIMA.percent).optional(),
    days: decimalText(THRESHOLD_DECIMALS.days, MAXIMA.days).optional(),
  })
  .refine((threshold) => THRESHOLD_UNITS.filter((unit) => threshold[unit] !== undefined).length === 1, {
    message: 'must have exactly one of credits, percent and days',
  })

const settings = {
  rearm_at: decimalText(THRESHOLD_DECIMALS.credits, MAXIMA.credits).optional().openapi({
    description:
      'A fired alert is armed again when its value passes this value in the opposite direction. It has the unit of the threshold. Not allowed with `lot_expiring`. Default: 10 % above the threshold for an alert on a falling value, and 10 % below the threshold for an alert on a rising value.',
  }),
  cooldown_seconds: z.int().min(0).max(MAX_COOLDOWN_SECONDS).optional().openapi({
    description:
      'The minimum time in seconds between two notifications of the alert. Default: 0. It has no effect with `lot_expiring`.',
  }),
  enabled: z.boolean().optional(),
}

export const alertSchema = z
  .strictObject({
    type: z.enum(ALERT_TYPES),
    threshold: thresholdInput,
    ...subjectFields,
    feature_id: customerId().optional().openapi({
      description:
        'The id of a feature. `limit_used` requires the feature of the limit. With `spend_above`, only spending on this feature counts.',
    }),
    period: z.enum(ALERT_PERIODS).optional().openapi({
      description: 'The period in which `spend_above` adds up the spending, in UTC. Default: MONTHLY.',
    }),
    ...settings,
  })
  .superRefine(refuseTwoOwners)
  .superRefine((alert, ctx) => {
    for (const [path, message] of problemsOf(alert)) ctx.addIssue({ code: 'custom', path: [path], message })
  })
  .openapi('NewAlert')

export const alertChangeSchema = z
  .strictObject({ threshold: thresholdInput.optional(), ...settings })
  .refine(...CHANGES_SOMETHING)
  .openapi('AlertChange')

type NewAlert = z.infer<typeof alertSchema>
type AlertPatch = z.infer<typeof alertChangeSchema>

function problemsOf({ type, threshold, feature_id, period, rearm_at }: NewAlert): [string, string][] {
  const problems: [string, string][] = []
  if (type === 'limit_used' && feature_id === undefined)
    problems.push(['feature_id', 'required with limit_used'])
  if (feature_id !== undefined && type !== 'limit_used' && type !== 'spend_above') {
    problems.push(['feature_id', `is not allowed with ${type}`])
  }
  if (period !== undefined && type !== 'spend_above') problems.push(['period', `is not allowed with ${type}`])
  return [...problems, ...problemsOfThreshold(type, threshold, rearm_at)]
}

function problemsOfThreshold(
  type: AlertType,
  threshold: NewAlert['threshold'],
  rearm_at: string | undefined,
): [string, string][] {
  const { unit, value } = readThreshold(threshold)
  if (!UNITS_OF[type].includes(unit))
    return [['threshold', `must be in ${UNITS_OF[type].join(' or ')} with ${type}`]]
  if (value === 0 && type !== 'balance_below') return [['threshold', 'must be above 0']]
  if (rearm_at === undefined) return []
  if (type === 'lot_expiring')
    return [['rearm_at', 'is not allowed with lot_expiring, which reports each lot once']]
  const rearm = parseDecimal(rearm_at, THRESHOLD_DECIMALS[unit])
  if (typeof rearm !== 'bigint')
    return [['rearm_at', `must have at most ${THRESHOLD_DECIMALS[unit]} decimals`]]
  const is_down = directionOf(type) === 'down'
  if (is_down ? rearm >= BigInt(value) : rearm <= BigInt(value)) return []
  return [['rearm_at', is_down ? 'must not be below the threshold' : 'must not be above the threshold']]
}

function readThreshold(threshold: NewAlert['threshold']): { unit: ThresholdUnit; value: number } {
  const unit = THRESHOLD_UNITS.find((one) => threshold[one] !== undefined) ?? 'credits'
  return { unit, value: units(threshold[unit] ?? '0', unit) }
}

function units(text: string, unit: ThresholdUnit): number {
  const value = parseDecimal(text, THRESHOLD_DECIMALS[unit])
  if (typeof value !== 'bigint') throw new Error(`${text} is not a valid number of ${unit}`)
  return Number(value)
}

export function rulesOf(input: NewAlert): AlertRules {
  const { type, threshold, feature_id, period = 'MONTHLY', rearm_at } = input
  const { unit, value } = readThreshold(threshold)
  return {
    type,
    unit,
    threshold: value,
    rearm_at: rearm_at === undefined ? defaultRearm(type, value) : units(rearm_at, unit),
    owner: ownerOf(input),
    ...(feature_id !== undefined && { feature_id }),
    ...(type === 'spend_above' && { period }),
    cooldown_ms: (input.cooldown_seconds ?? 0) * 1000,
    enabled: input.enabled ?? true,
  }
}

/** Returns the rules of an alert after a change. Returns the problems if the changed fields are not valid. */
export function changedRules(
  { id: _id, state: _state, created_at_ms: _created, updated_at_ms: _updated, ...rules }: Alert,
  change: AlertPatch,
): { readonly rules: AlertRules } | { readonly problems: readonly (readonly [string, string])[] } {
  const { threshold = { [rules.unit]: inUnit(rules.unit, rules.threshold) }, rearm_at } = change
  const problems = problemsOfThreshold(rules.type, threshold, rearm_at)
  if (problems.length > 0) return { problems }
  const { unit, value } = readThreshold(threshold)
  const kept = change.threshold === undefined ? rules.rearm_at : defaultRearm(rules.type, value)
  return {
    rules: {
      ...rules,
      unit,
      threshold: value,
      rearm_at: rearm_at === undefined ? kept : units(rearm_at, unit),
      cooldown_ms: change.cooldown_seconds === undefined ? rules.cooldown_ms : change.cooldown_seconds * 1000,
      enabled: change.enabled ?? rules.enabled,
    },
  }
}

export const alertPath = z.object({ id: z.string().max(64) })
export const alertsQuery = z.strictObject(idPageQuery('alr'))

const time = z.string().openapi({ format: 'date-time' })

export const alertAnswerSchema = z
  .object({
    id: z.string(),
    type: z.enum(ALERT_TYPES),
    threshold: z.object({
      credits: z.number().optional(),
      percent: z.number().optional(),
      days: z.number().optional(),
    }),
    rearm_at: z.number(),
    user_id: z.string().nullable(),
    team_id: z.string().nullable(),
    feature_id: z.string().nullable(),
    period: z.enum(ALERT_PERIODS).nullable(),
    cooldown_seconds: z.int(),
    enabled: z.boolean(),
    state: z.enum(['armed', 'fired']),
    fired_at: time.nullable(),
    mode: z.enum(['live', 'test']),
    created_at: time,
    updated_at: time,
  })
  .openapi('Alert')

export const alertsSchema = pageSchema(alertAnswerSchema)

/**
 * Returns the JSON of an alert, in format 1. A replay must return the same JSON, so a change of the JSON requires a new
 * format number.
 */
export function renderAlert(alert: Alert, { mode }: LedgerName): object {
  const { id, type, unit, threshold, rearm_at, owner, feature_id, period, cooldown_ms, enabled, state } =
    alert
  return {
    id,
    type,
    threshold: { [unit]: exactNumber(inUnit(unit, threshold)) },
    rearm_at: exactNumber(inUnit(unit, rearm_at)),
    user_id: owner.kind === 'user' ? owner.id : null,
    team_id: owner.kind === 'team' ? owner.id : null,
    feature_id: feature_id ?? null,
    period: period ?? null,
    cooldown_seconds: cooldown_ms / 1000,
    enabled,
    state: state.fired && type !== 'lot_expiring' ? 'fired' : 'armed',
    fired_at: state.fired_at_ms === null ? null : timeJson(state.fired_at_ms),
    mode,
    created_at: timeJson(alert.created_at_ms),
    updated_at: timeJson(alert.updated_at_ms),
  }
}

function inUnit(unit: ThresholdUnit, value: number): string {
  return formatDecimal(BigInt(value), THRESHOLD_DECIMALS[unit])
}
