import { z } from '@hono/zod-openapi'
import { CUSTOMER_STATUSES, TIERS } from '../../db/schema.ts'
import { customerText } from '../../http/input/identifiers.ts'
import { idPageQuery, pageSchema } from '../../http/input/pagination.ts'
import { CHANGES_SOMETHING } from '../../http/input/validation.ts'

/** The statuses that the operator may set. Only a registration sets PENDING. */
const SETTABLE = [
  'ACTIVE',
  'SUSPENDED',
  'CLOSED',
] as const satisfies readonly (typeof CUSTOMER_STATUSES)[number][]

export const customerPath = z.object({
  id: customerText().openapi({
    param: { name: 'id', in: 'path' },
    example: 'cust_01m82kr9vnj1qk2s67ndqm186w',
  }),
})

export const customersQuery = z.strictObject({
  ...idPageQuery('cust'),
  status: z.enum(CUSTOMER_STATUSES).optional(),
  tier: z.enum(TIERS).optional(),
  email: customerText()
    .optional()
    .openapi({ description: 'The complete email address of the customer. The filter ignores case.' }),
})

export const accountChangeSchema = z
  .strictObject({ tier: z.enum(TIERS).optional(), status: z.enum(SETTABLE).optional() })
  .refine(...CHANGES_SOMETHING)
  .openapi('AccountChange')

export const adminCustomerSchema = z
  .object({
    customer_id: z.string(),
    name: z.string(),
    email: z.string(),
    tier: z.enum(TIERS),
    status: z.enum(CUSTOMER_STATUSES),
    region: z.string().nullable().openapi({
      description: 'The region that was requested for the ledgers; null if no region was requested.',
    }),
    created_at: z.iso.datetime(),
  })
  .openapi('AdminCustomer')

export const adminCustomersSchema = pageSchema(adminCustomerSchema).openapi('AdminCustomersPage')
