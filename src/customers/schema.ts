import { z } from '@hono/zod-openapi'
import { CUSTOMER_STATUSES, TIERS } from '../db/schema.ts'
import { customerText } from '../http/input/identifiers.ts'
import { REGIONS } from '../ledger/client/test-ledger.ts'

export const registrationSchema = z
  .strictObject({
    name: customerText().openapi({ example: 'Acme AI' }),
    /** RFC 5321 allows 254 characters in all. */
    email: z
      .email({ error: (issue) => (issue.input === undefined ? 'required' : 'must be an email address') })
      .max(254, 'must have at most 254 characters')
      .openapi({ example: 'dev@acme.example' }),
    tier: z
      .enum(TIERS)
      .default('STARTER')
      .openapi({ description: 'Tiers other than STARTER require the operator token.' }),
    region: z.enum(REGIONS, { error: `must be one of ${REGIONS.join(', ')}` }).optional(),
    jurisdiction: z
      .string()
      .refine(() => false, 'this deployment has no database in a jurisdiction: omit the field')
      .optional(),
  })
  .openapi('Registration')

export type Registration = z.output<typeof registrationSchema>

export const registeredSchema = z
  .object({
    customer_id: z.string(),
    api_key: z.string().openapi({ description: 'Shown only once and not stored.' }),
    name: z.string(),
    email: z.string(),
    tier: z.enum(TIERS),
    created_at: z.iso.datetime(),
  })
  .openapi('RegisteredCustomer')

export const customerSchema = z
  .object({
    customer_id: z.string(),
    name: z.string(),
    email: z.string(),
    tier: z.enum(TIERS),
    status: z.enum(CUSTOMER_STATUSES),
    created_at: z.iso.datetime(),
  })
  .openapi('Customer')
