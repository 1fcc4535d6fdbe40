import { z } from '@hono/zod-openapi'
import { type DecimalInput, decimalInput } from '../http/input/amounts.ts'
import { InexactNumber } from '../http/input/exact-json.ts'
import {
  customerId,
  customerText,
  ownerOf,
  refuseTwoOwners,
  subjectFields,
} from '../http/input/identifiers.ts'
import { JsonSource, MAX_FREE_JSON_BYTES } from '../http/input/json-source.ts'
import { metadataInput } from '../http/input/metadata.ts'
import { pageQuery } from '../http/input/pagination.ts'
import { timeInput, timeZoneInput } from '../http/input/times.ts'
import {
  ENTITLEMENT_PERIODS,
  type EntitlementRules,
  LIMIT_TYPES,
  LIMIT_UNITS,
  type LimitOwner,
  type LimitUnit,
  MAX_ROLLING_DAYS,
  MAX_ROLLING_HOURS,
  type RollingLength,
  UNIT_DECIMALS,
} from '../ledger/model/limits.ts'
import { EVENT_TYPES } from '../ledger/model/vocabulary.ts'
import { parseDecimal } from '../pricing/money.ts'
import { MAX_QUANTITY } from '../pricing/usage.ts'
import { countInput, quantityInput } from '../rating/schema.ts'
import { UTC } from '../time/zones.ts'

/** The maximum limit for each unit: 8e9 credits or USD, 1e13 tokens or events. */
const MAX_LIMITS: Readonly<Record<LimitUnit, number>> = {
  credits: 8_000_000_000,
  usd: 8_000_000_000,
  tokens: MAX_QUANTITY,
  events: MAX_QUANTITY,
}

/** The format of the id of an API key, as `newId('key')` creates it. */
const KEY_ID = /^key_[0-9a-hjkmnp-tv-z]{26}$/

const limitSubjects = {
  ...subjectFields,
  key_id: z.string().regex(KEY_ID, 'must be the id of an API key').optional().openapi({
    description:
      'The id of an API key. The limit counts the usage of requests with this key, and the captures of holds that this key opened. After a rotation, the new key has another id.',
  }),
  model: customerText().optional().openapi({
    description:
      'The name of a model, exactly as events contain it. The limit applies to this model name at every provider.',
  }),
}

type LimitSubjects = z.infer<z.ZodObject<typeof limitSubjects>>

/** Adds an issue if the input contains more than one subject. */
function refuseTwoSubjects(subjects: LimitSubjects, ctx: z.RefinementCtx): void {
  refuseTwoOwners(subjects, ctx)
  const { user_id, team_id, key_id, model } = subjects
  const others = [user_id, team_id].filter((id) => id !== undefined).length
  const message = 'cannot be combined: send only one of user_id, team_id, key_id and model'
  if (key_id !== undefined && others > 0) ctx.addIssue({ code: 'custom', path: ['key_id'], message })
  if (model !== undefined && (others > 0 || key_id !== undefined)) {
    ctx.addIssue({ code: 'custom', path: ['model'], message })
  }
}

/** Returns the subject whose usage an entitlement limits. Returns the customer if the input contains no subject. */
export function limitOwnerOf({ key_id, model, ...owner }: LimitSubjects): LimitOwner {
  if (key_id !== undefined) return { kind: 'key', id: key_id }
  return model === undefined ? ownerOf(owner) : { kind: 'model', id: model }
}

const rollingInput = z
  .strictObject({
    hours: z.int().min(1).max(MAX_ROLLING_HOURS).optional(),
    days: z.int().min(1).max(MAX_ROLLING_DAYS).optional(),
  })
  .transform(({ hours, days }, ctx): RollingLength => {
    if (hours !== undefined && days === undefined) return { hours }
    if (days !== undefined && hours === undefined) return { days }
    ctx.addIssue({ code: 'custom', message: 'must have either hours or days' })
    return z.NEVER
  })

const ruleFields = {
  limit_type: z.enum(LIMIT_TYPES),
  limit_value: decimalInput(UNIT_DECIMALS.usd, { minimum: 0, maximum: MAX_LIMITS.tokens })
    .optional()
    .openapi({ description: 'The limit of the usage in one window, in `unit`.' }),
  unit: z.enum(LIMIT_UNITS).default('credits'),
  period: z.enum(ENTITLEMENT_PERIODS).optional(),
  rolling: rollingInput.optional().openapi({
    description:
      'The length of a ROLLING window in hours or days, at most 31 days. Usage counts for at least this time, and for at most 1/60 longer.',
  }),
  anchor: timeInput().optional().openapi({
    description:
      'A time at which a window begins. All other windows follow from it. By default, windows are calendar hours, days, weeks or months.',
  }),
  time_zone: timeZoneInput().optional().openapi({
    type: 'string',
    description:
      'The IANA time zone of the windows, including daylight saving time. Without `anchor`, windows begin at midnight or at full hours in this time zone. Default: UTC.',
    example: 'Europe/Berlin',
  }),
  value: z
    .unknown()
    .transform((value, ctx) => {
      const source = value === undefined ? undefined : valueSource(value)
      if (source && source.bytes > MAX_FREE_JSON_BYTES) {
        ctx.addIssue({ code: 'custom', message: `must have at most ${MAX_FREE_JSON_BYTES} bytes as JSON` })
      }
      return source?.text
    })
    .optional()
    .openapi({ description: 'Configuration for your application: any JSON value of up to 16 KB.' }),
  enabled: z.boolean().default(true),
  metadata: metadataInput().optional(),
}

/** Returns the JSON text of a value. A number keeps its exact value. */
function valueSource(value: unknown): JsonSource {
  if (value instanceof JsonSource) return value
  return JsonSource.read(value instanceof InexactNumber ? value.source : JSON.stringify(value))
}

const rulesSchema = z.strictObject(ruleFields)
type Rules = z.infer<typeof rulesSchema>

export const entitlementSchema = z
  .strictObject({
    feature_id: customerId().optional().openapi({
      description:
        'The id of the feature. Required if `key_id` and `model` are absent. With `key_id` or `model`, omit it to cover all features.',
    }),
    ...limitSubjects,
    ...ruleFields,
  })
  .superRefine(refuseTwoSubjects)
  .superRefine(({ feature_id, key_id, model }, ctx) => {
    if (feature_id !== undefined || key_id !== undefined || model !== undefined) return
    ctx.addIssue({ code: 'custom', path: ['feature_id'], message: 'required without key_id and model' })
  })
  .superRefine(refuseWrongRules)
  .openapi('Entitlement')

/**
 * The request body that replaces an entitlement. The feature and the subject cannot change, so the body can omit them.
 */
export const entitlementPutSchema = z
  .strictObject({ feature_id: customerId().optional(), ...limitSubjects, ...ruleFields })
  .superRefine(refuseTwoSubjects)
  .superRefine(refuseWrongRules)
  .openapi('EntitlementReplacement')

function refuseWrongRules(rules: Rules, ctx: z.RefinementCtx): void {
  for (const [field, message] of problemsOf(rules)) ctx.addIssue({ code: 'custom', path: [field], message })
}

function problemsOf(rules: Rules): [keyof Rules, string][] {
  const { limit_type, limit_value, unit, period, rolling, anchor, time_zone } = rules
  const problems: [keyof Rules, string][] = []
  const limits = limit_type !== 'NONE'
  if (limits && limit_value === undefined) problems.push(['limit_value', `required with ${limit_type}`])
  if (limits && limit_value !== undefined && period === undefined) {
    problems.push(['period', 'required with limit_value'])
  }
  if (limit_value !== undefined) {
    const limit = readLimit(limit_value, unit)
    if (typeof limit === 'string') problems.push(['limit_value', limit])
  }
  for (const [field, value] of [
    ['anchor', anchor],
    ['time_zone', time_zone],
  ] as const) {
    if (value === undefined) continue
    if (period === undefined) problems.push(['period', `required with ${field}`])
    if (period === 'TOTAL') problems.push([field, 'requires a period with windows: TOTAL has no windows'])
    if (period === 'ROLLING') {
      problems.push([field, 'requires a period with fixed windows: ROLLING has moving windows'])
    }
  }
  if (period === 'ROLLING' && rolling === undefined) problems.push(['rolling', 'required with ROLLING'])
  if (period !== 'ROLLING' && rolling !== undefined) problems.push(['rolling', 'requires the period ROLLING'])
  return problems
}

/** Returns a limit in the smallest part of its unit, or an error text if the limit is invalid. */
function readLimit(input: DecimalInput, unit: LimitUnit): bigint | string {
  const value = input instanceof InexactNumber ? input.source : input
  const decimals = UNIT_DECIMALS[unit]
  if (typeof value === 'string' && !/^\d+(\.\d+)?$/.test(value)) {
    return value.startsWith('-')
      ? 'must not be negative'
      : 'must be a number, or a string with a plain decimal'
  }
  const limit = parseDecimal(value, decimals)
  if (limit === 'not_a_decimal') return 'must be a number, or a string with a plain decimal'
  if (limit === 'too_many_decimals') {
    return decimals === 0 ? 'must be a whole number' : `must have at most ${decimals} decimals`
  }
  if (limit < 0n) return 'must not be negative'
  const most = BigInt(MAX_LIMITS[unit])
  return limit > most * 10n ** BigInt(decimals) ? `must be at most ${most}` : limit
}

/** Returns the rules of an entitlement in the form that the ledger stores. */
export function rulesOf({
  limit_value,
  period,
  rolling,
  anchor,
  time_zone,
  ...rules
}: Rules): EntitlementRules {
  const { limit_type, unit, enabled, value, metadata } = rules
  return {
    limit_type,
    limit: limit_value === undefined ? null : readLimit(limit_value, unit).toString(),
    unit,
    period: period ?? null,
    ...(rolling && { rolling }),
    anchor_ms: anchor ?? null,
    time_zone: time_zone?.name ?? UTC,
    enabled,
    ...(value !== undefined && { value_text: value }),
    ...(metadata !== undefined && { metadata_text: metadata }),
  }
}

export const entitlementPath = z.object({ id: z.string().max(64) })

export const entitlementsQuery = z
  .strictObject({ ...pageQuery, feature_id: customerId().optional(), ...limitSubjects })
  .superRefine(refuseTwoSubjects)

const actionType = z
  .string()
  .transform((type) => type.toUpperCase())
  .pipe(z.enum(EVENT_TYPES))
  .openapi({ type: 'string', description: 'The event type of the planned use, case-insensitive.' })

export const checkSchema = z
  .strictObject({
    feature_id: customerId(),
    ...subjectFields,
    action: z
      .strictObject({
        type: actionType,
        provider: customerText().optional(),
        model: customerText().optional(),
        estimated_input_tokens: countInput().optional(),
        estimated_output_tokens: countInput().optional(),
        estimated_count: countInput().optional(),
        estimated_duration_seconds: quantityInput().optional(),
      })
      .optional()
      .openapi({
        description:
          'The planned use. If it is absent, the check estimates no cost, and checks only the feature, its limits and whether credits are available.',
      }),
    hold: z.boolean().default(false).openapi({
      description:
        'Whether to hold the estimated credits for ten minutes. No hold is opened if the use is not allowed, has no `action` or costs no credits. Requires the scope credits:write.',
    }),
  })
  .openapi('EntitlementCheck')

export type CheckInput = z.infer<typeof checkSchema>
