import { z } from '@hono/zod-openapi'
import { decimalText } from '../http/input/amounts.ts'
import { customerText } from '../http/input/identifiers.ts'
import { pageQuery, pageSchema } from '../http/input/pagination.ts'
import { timeInput } from '../http/input/times.ts'
import { CHANGES_SOMETHING } from '../http/input/validation.ts'
import {
  AMOUNT_DECIMALS,
  MAX_RATES,
  MAX_RULES,
  MAX_TIERS,
  ON_UNPRICED,
  PERIODS,
  QUANTITY_DECIMALS,
  ROUNDING_MODES,
  TIER_MODES,
} from '../pricing/burn-table/definition.ts'
import { CREDIT_DECIMALS } from '../pricing/money.ts'

/**
 * The schemas of burn tables. `checkBurnTable` makes the checks that a schema cannot express: the conditions of rules,
 * the names of units, the order of tiers, and ambiguous rules.
 */

const MAX_AMOUNT = 8_000_000_000
const MAX_UNITS = 1_000_000_000_000_000

const amountInput = () => decimalText(AMOUNT_DECIMALS, MAX_AMOUNT)
const unitsInput = () => decimalText(QUANTITY_DECIMALS, MAX_UNITS)

function aboveZero(input: ReturnType<typeof decimalText>) {
  return input.refine((text) => text !== '0', 'must be above 0')
}

/**
 * Returns the schema of a rule. The parameters are functions that return the schemas of amounts and quantities: these
 * are decimal strings in parsed requests and numbers in responses.
 */
function ruleSchema<A extends z.ZodType, Q extends z.ZodType, P extends z.ZodType, L extends z.ZodType>(of: {
  readonly amount: () => A
  readonly units: () => Q
  /** Returns the schema of a quantity that must be above 0. */
  readonly size: () => P
  /** Returns the schema of the end of a tier, which is null in the last tier. */
  readonly end: () => L
}) {
  const { amount, units, size, end } = of
  const match = z
    .strictObject({
      feature: customerText().optional(),
      provider: customerText().optional(),
      model: customerText().optional(),
    })
    .default({})
    .openapi({
      description:
        'The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything.',
    })
  const unit = z.string()
  const costPlus = z.strictObject({
    match,
    method: z.literal('cost_plus'),
    markup_percent: amount(),
    fixed: amount().optional(),
  })
  const perUnit = z.strictObject({
    match,
    method: z.literal('per_unit'),
    rates: z
      .record(z.string(), z.strictObject({ amount: amount(), per: size() }))
      .refine((rates) => Object.keys(rates).length > 0, 'must have at least one rate')
      .refine((rates) => Object.keys(rates).length <= MAX_RATES, `must have at most ${MAX_RATES} rates`),
  })
  const flat = z.strictObject({
    match,
    method: z.literal('flat'),
    amount: amount(),
    unit: unit.optional(),
  })
  const tiered = z.strictObject({
    match,
    method: z.literal('tiered'),
    mode: z.enum(TIER_MODES),
    unit,
    free: units().optional(),
    period: z.enum(PERIODS).default('MONTHLY'),
    tiers: z
      .array(
        z.strictObject({
          up_to: end(),
          unit_amount: amount(),
          flat_amount: amount().optional(),
        }),
      )
      .min(1, 'must have at least one tier')
      .max(MAX_TIERS, `must have at most ${MAX_TIERS} tiers`),
  })
  const packages = z.strictObject({
    match,
    method: z.literal('package'),
    unit,
    size: size(),
    amount: amount(),
  })
  return z.discriminatedUnion('method', [costPlus, perUnit, flat, tiered, packages], {
    error: (issue) =>
      issue.code === 'invalid_union' ? 'must be cost_plus, per_unit, flat, tiered or package' : undefined,
  })
}

const ruleInput = ruleSchema({
  amount: amountInput,
  units: unitsInput,
  size: () => aboveZero(unitsInput()),
  end: () =>
    unitsInput()
      .nullable()
      .openapi({ type: ['number', 'string', 'null'] }),
})

const fields = {
  name: customerText(),
  credits_per_usd: aboveZero(amountInput()).openapi({
    description:
      'The number of credits for one USD. Default for a new table: the value in the configuration of the deployment.',
  }),
  rounding: z.strictObject({
    mode: z.enum(ROUNDING_MODES).default('half_even'),
    step: aboveZero(decimalText(CREDIT_DECIMALS, MAX_AMOUNT)).default('0.000001'),
  }),
  min_charge: decimalText(CREDIT_DECIMALS, MAX_AMOUNT),
  on_unpriced: z.enum(ON_UNPRICED),
  rules: z
    .array(ruleInput, 'must be an array of rules')
    .max(MAX_RULES, `must have at most ${MAX_RULES} rules`),
}

const timeFields = {
  effective_from: timeInput()
    .optional()
    .openapi({ description: 'The time when the table starts to apply. Default for a new table: now.' }),
  effective_to: timeInput().nullable().optional().openapi({
    description: 'The time when the table stops applying (exclusive). Default for a new table: never.',
  }),
}

const newFields = {
  ...fields,
  credits_per_usd: fields.credits_per_usd.optional(),
  rounding: fields.rounding.default({ mode: 'half_even', step: '0.000001' }),
  min_charge: fields.min_charge.default('0'),
  on_unpriced: fields.on_unpriced.default('flag'),
  rules: fields.rules.default([]),
  ...timeFields,
}

export const burnTableSchema = z.strictObject(newFields).openapi('BurnTable')

/** The schema of a burn table in a simulation. The name and the effective times have no effect. */
export const draftTableSchema = z
  .strictObject({ ...newFields, name: fields.name.default('Draft') })
  .openapi('BurnTableDraft')

/** The schema of an edit of a burn table. Each field of the request replaces the same field of the table as a whole. */
export const burnTablePatchSchema = z
  .strictObject({ ...fields, ...timeFields })
  .partial()
  .refine(...CHANGES_SOMETHING)
  .openapi('BurnTablePatch')

export const burnTablePath = z.object({ id: z.string().max(64) })

export const burnTableQuery = z.strictObject({
  version: z
    .string()
    .regex(/^[1-9]\d{0,8}$/, 'must be a whole number above 0')
    .transform(Number)
    .optional()
    .openapi({ type: 'integer', description: 'The version number. Default: the last version of the table.' }),
})

export const burnTablesQuery = z.strictObject(pageQuery)

const number = () => z.number()
const time = z.string().openapi({ format: 'date-time' })

export const burnTableAnswerSchema = z
  .object({
    id: z
      .string()
      .nullable()
      .openapi({ description: "The id of the table; null for the deployment's default table." }),
    version: z.int().openapi({
      description:
        'The version number that ledger entries refer to. It is counted over all tables of the customer.',
    }),
    name: z.string(),
    credits_per_usd: z.number(),
    rounding: z.object({ mode: z.enum(ROUNDING_MODES), step: z.number() }),
    min_charge: z.number(),
    on_unpriced: z.enum(ON_UNPRICED),
    rules: z.array(
      ruleSchema({ amount: number, units: number, size: number, end: () => z.number().nullable() }),
    ),
    effective_from: time.nullable(),
    effective_to: time.nullable(),
    active: z.boolean().openapi({ description: 'False for all versions of a deactivated table.' }),
    created_at: time.nullable(),
    updated_at: time.nullable().openapi({ description: 'The time when this version was saved.' }),
    deactivated_at: time.nullable(),
  })
  .openapi('BurnTableVersion')

export const burnTablesSchema = pageSchema(burnTableAnswerSchema)
