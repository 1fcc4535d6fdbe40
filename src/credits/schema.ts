import { z } from '@hono/zod-openapi'
import { creditsAmount, creditsLimit, usdAmount } from '../http/input/amounts.ts'
import { customerText, refuseTwoOwners, subjectFields } from '../http/input/identifiers.ts'
import { metadataInput } from '../http/input/metadata.ts'
import { pageQuery, pageSchema, placeCursor, placePageQuery } from '../http/input/pagination.ts'
import { timeInput, timeQuery } from '../http/input/times.ts'
import { keysOnly } from '../http/output/keys-only.ts'
import { ENTRY_TYPES } from '../ledger/model/journal.ts'
import type { ListedLotPlace } from '../ledger/model/lots.ts'
import { LOT_KINDS } from '../ledger/model/vocabulary.ts'
import { RECURRING_PERIODS } from '../ledger/model/wallet.ts'

const lotFields = {
  ...subjectFields,
  amount: creditsAmount(),
  starts_at: timeInput().optional().openapi({
    description:
      'The time when the lot begins. It must be in the future. Before this time, the balance includes the credits of the lot, but they cannot be used. Default: now.',
  }),
  expires_at: timeInput()
    .optional()
    .openapi({ description: 'The time when the lot expires. It must be in the future. Default: never.' }),
  priority: z
    .int()
    .min(0)
    .max(100)
    .default(50)
    .openapi({ description: 'The burn order of the lot. Lots with a lower priority are burned first.' }),
  metadata: metadataInput().optional(),
}

/** Adds an issue if a lot expires before it begins or at the same time. */
function refuseWrongTimes(
  { starts_at, expires_at }: { starts_at?: number | undefined; expires_at?: number | undefined },
  ctx: z.RefinementCtx,
): void {
  if (starts_at === undefined || expires_at === undefined || expires_at > starts_at) return
  ctx.addIssue({ code: 'custom', path: ['expires_at'], message: 'must be later than starts_at' })
}

const recurringInput = z
  .strictObject({
    every: z.enum(RECURRING_PERIODS),
    rollover_max: creditsLimit().optional().openapi({
      description:
        'The maximum amount of unreserved credits from earlier lots of this grant that remains at a recurrence. The rest expires. Default: no limit.',
    }),
    target_balance: creditsAmount().optional().openapi({
      description:
        'The target for the available credits of this grant. A recurrence grants only the difference between this target and the available credits of this grant, or nothing if the target is reached. Default: each recurrence grants `amount`. Cannot be combined with `rollover_max`.',
    }),
  })
  .superRefine(({ rollover_max, target_balance }, ctx) => {
    if (rollover_max === undefined || target_balance === undefined) return
    ctx.addIssue({
      code: 'custom',
      path: ['target_balance'],
      message: 'cannot be combined with rollover_max',
    })
  })
  .openapi({
    description:
      'Repeats the grant once in every period, starting now. In a month that lacks the day of the first grant, the grant is made on the last day of the month.',
  })

export const grantSchema = z
  .strictObject({
    ...lotFields,
    reason: customerText().optional(),
    kind: z.enum(LOT_KINDS).default('promo'),
    recurring: recurringInput.optional(),
  })
  .superRefine(refuseTwoOwners)
  .superRefine(refuseWrongTimes)
  .superRefine(({ starts_at, recurring }, ctx) => {
    if (starts_at === undefined || recurring === undefined) return
    ctx.addIssue({ code: 'custom', path: ['starts_at'], message: 'cannot be combined with recurring' })
  })
  .openapi('Grant')

export const purchaseSchema = z
  .strictObject({
    ...lotFields,
    price_usd: usdAmount(),
    payment_reference: customerText().optional(),
  })
  .superRefine(refuseTwoOwners)
  .superRefine(refuseWrongTimes)
  .openapi('Purchase')

export const walletQuery = z.strictObject(subjectFields).superRefine(refuseTwoOwners)

const lotPlace = z
  .tuple([
    z.int().min(0),
    z.int().min(0).max(100),
    z.int().min(0).nullable(),
    z.enum(LOT_KINDS),
    z.int().min(1),
    z.int().min(0).nullable(),
  ])
  .transform(
    ([as_of_ms, priority, expires_at_ms, kind, number, starts_at_ms]): ListedLotPlace => ({
      as_of_ms,
      priority,
      expires_at_ms,
      kind,
      number,
      starts_at_ms,
    }),
  )

export function lotCursor(place: ListedLotPlace): string {
  const { as_of_ms, priority, expires_at_ms, kind, number, starts_at_ms } = place
  return placeCursor([as_of_ms, priority, expires_at_ms, kind, number, starts_at_ms])
}

export const lotsQuery = z
  .strictObject({ ...placePageQuery(lotPlace), ...subjectFields })
  .superRefine(refuseTwoOwners)

export const recurringGrantsQuery = z
  .strictObject({ ...pageQuery, ...subjectFields })
  .superRefine(refuseTwoOwners)

export const transactionsQuery = z
  .strictObject({
    ...pageQuery,
    ...subjectFields,
    type: z.enum(ENTRY_TYPES).optional(),
    from: timeQuery()
      .optional()
      .openapi({ description: 'The start of the range of `created_at`, inclusive.' }),
    to: timeQuery().optional().openapi({ description: 'The end of the range of `created_at`, exclusive.' }),
  })
  .superRefine(refuseTwoOwners)

const amount = z.number().openapi({ description: 'Credits, with at most 6 decimals.' })
const time = z.string().openapi({ format: 'date-time' })

export const creditSchema = z
  .object({
    transaction_id: z.string(),
    wallet_id: z.string(),
    lot_id: z.string(),
    recurring_grant_id: z.string().optional(),
    starts_at: time
      .optional()
      .openapi({ description: 'The time when the lot begins. Absent if the lot began when it was added.' }),
    amount,
    balance_after: amount,
    already_recorded: z.literal(true).optional().openapi({
      description:
        'Present if the payment reference was already used. The response then describes the first purchase, and no credits were added.',
    }),
  })
  .openapi('Credited')

export const balanceSchema = z
  .object({
    customer_id: z.string(),
    wallet_id: z.string(),
    balance: amount,
    reserved_balance: amount,
    available_balance: amount,
    pending_balance: amount.optional().openapi({
      description: 'The part of `balance` in lots that have not begun yet. Absent if all lots have begun.',
    }),
    currency: z.literal('credits'),
    overdraft_limit: amount,
    expiring_next: z.object({ amount, at: time }).nullable(),
  })
  .openapi('Balance')

export const lotsSchema = pageSchema(
  z
    .object({
      lot_id: z.string(),
      kind: z.enum(LOT_KINDS),
      amount,
      remaining: amount,
      reserved: amount,
      priority: z.int(),
      starts_at: time.optional().openapi({
        description: 'The time when the lot begins. Absent if the lot began when it was added.',
      }),
      expires_at: time.nullable(),
      created_at: time,
    })
    .openapi('Lot'),
)

export const transactionSchema = z
  .object({
    id: z.string(),
    type: z.enum(ENTRY_TYPES),
    wallet_id: z.string(),
    amount,
    balance_before: amount,
    balance_after: amount,
    description: z.string().nullable(),
    event_id: z.string().optional(),
    payment_reference: z.string().optional(),
    price_usd: z.number().optional(),
    lots: z.array(
      z.object({
        lot_id: z.string().nullable().openapi({ description: 'The id of the lot; null for the overdraft.' }),
        amount,
      }),
    ),
    metadata: keysOnly(z.record(z.string(), z.unknown())),
    created_at: time,
  })
  .openapi('Transaction')

export const transactionsSchema = pageSchema(transactionSchema)

export const recurringGrantSchema = z
  .object({
    recurring_grant_id: z.string(),
    wallet_id: z.string(),
    user_id: z.string().nullable(),
    team_id: z.string().nullable(),
    amount,
    kind: z.enum(LOT_KINDS),
    priority: z.int(),
    every: z.enum(RECURRING_PERIODS),
    rollover_max: amount.nullable(),
    target_balance: amount.nullable(),
    reason: z.string().nullable(),
    next_at: time,
    created_at: time,
  })
  .openapi('RecurringGrant')

export const recurringGrantsSchema = pageSchema(recurringGrantSchema)

export const recurringGrantPath = z.object({ id: z.string().max(64) })

export const stoppedSchema = z.object({ recurring_grant_id: z.string(), stopped: z.literal(true) })
