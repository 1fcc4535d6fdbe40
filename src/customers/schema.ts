import { z } from '@hono/zod-openapi'
import { CUSTOMER_STATUSES, TIERS } from '../db/schema.ts'
import { customerText } from '../http/input/identifiers.ts'
import { REGIONS } from '../ledger/client/test-ledger.ts'

export const registrationSchema = z
  .strictObject({
    name: customerText().openapi({ example: 'Acme AI' }),
    /** The email address of the customer. RFC 5321 allows at most 254 characters. */
    email: z
      .email({ error: (issue) => (issue.input === undefined ? 'required' : 'must be an email address') })
      .max(254, 'must have at most 254 characters')
      .openapi({ example: 'dev@acme.example' }),
    tier: z.enum(TIERS).default('STARTER').openapi({
      description: 'The tier of the customer. A tier other than STARTER requires the operator token.',
    }),
    region: z.enum(REGIONS, { error: `must be one of ${REGIONS.join(', ')}` }).optional(),
    jurisdiction: z
      .string()
      .refine(() => false, 'must be omitted: this deployment has no database in a jurisdiction')
      .optional(),
  })
  .openapi('Registration')

export type Registration = z.output<typeof registrationSchema>

export const registeredSchema = z
  .object({
    customer_id: z.string(),
    api_key: z.string().openapi({ description: 'The first API key. Only this response contains it.' }),
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
