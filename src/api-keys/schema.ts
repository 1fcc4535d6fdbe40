import { z } from '@hono/zod-openapi'
import { MODES } from '../db/schema.ts'
import { customerText } from '../http/input/identifiers.ts'
import { idPageQuery, pageSchema } from '../http/input/pagination.ts'
import { timeInput } from '../http/input/times.ts'
import { SCOPES } from './authentication/scopes.ts'

const MAX_OVERLAP_S = 604_800

const scopesInput = z
  .array(z.enum(SCOPES, { error: `must be one of ${SCOPES.join(', ')}` }))
  .min(1, 'must name at least one scope')
  .max(SCOPES.length, `must name at most ${SCOPES.length} scopes`)
  .refine((scopes) => new Set(scopes).size === scopes.length, 'must not contain a scope twice')

const draftFields = {
  name: customerText().openapi({ example: 'Billing worker' }),
  expires_at: timeInput()
    .optional()
    .openapi({ description: 'The time when the key expires. It must be in the future.' }),
}

export const apiKeyDraftSchema = z
  .strictObject({
    ...draftFields,
    scopes: scopesInput
      .optional()
      .openapi({ description: 'The scopes of the key. Default: all scopes of the calling key.' }),
    mode: z.enum(MODES).optional().openapi({
      description:
        'The mode of the key. Default: the mode of the calling key. A live key can create live and test keys. A test key can create only test keys. Test keys use a separate ledger.',
    }),
  })
  .openapi('ApiKeyDraft')

/**
 * The request body with which the operator issues a key. By default, the key has the scopes and the mode of a
 * customer's first key.
 */
export const issuedKeySchema = z
  .strictObject({
    ...draftFields,
    scopes: scopesInput.optional().openapi({ description: 'The scopes of the key. Default: all scopes.' }),
    mode: z.enum(MODES).default('live'),
  })
  .openapi('IssuedApiKeyDraft')

export const rotationSchema = z
  .strictObject({
    overlap_seconds: z.int().min(0).max(MAX_OVERLAP_S).default(0).openapi({
      description: 'The time in seconds during which the old key still works, at most 7 days.',
    }),
  })
  .openapi('ApiKeyRotation')

export const apiKeyPath = z.object({
  id: customerText().openapi({
    param: { name: 'id', in: 'path' },
    example: 'key_01m82kr9vnj1qk2s67ndqm186w',
  }),
})

export const apiKeysQuery = z.strictObject(idPageQuery('key'))

const time = z.iso.datetime()

export const apiKeySchema = z
  .object({
    key_id: z.string().openapi({
      description:
        'The id of the key. The text of the key contains the 26 characters that follow `key_` in the id.',
    }),
    name: z.string(),
    mode: z.enum(MODES),
    scopes: z.array(z.enum(SCOPES)),
    status: z.enum(['active', 'expired', 'revoked']),
    created_at: time,
    expires_at: time.nullable(),
    revoked_at: time.nullable().openapi({
      description: 'The time when the key was deleted, or when it stops working after a rotation.',
    }),
    last_used_at: time.nullable().openapi({
      description:
        'The approximate time of the last use, at most one hour too early. Null if no use was recorded.',
    }),
  })
  .openapi('ApiKey')

export const apiKeysSchema = pageSchema(apiKeySchema).openapi('ApiKeysPage')

export const createdKeySchema = apiKeySchema
  .extend({
    api_key: z.string().openapi({ description: 'The text of the key. Only this response contains it.' }),
  })
  .openapi('CreatedApiKey')

export const rotatedKeySchema = createdKeySchema
  .extend({
    replaces: z
      .object({ key_id: z.string(), revoked_at: time })
      .openapi({ description: 'The old key and the time when it stops working.' }),
  })
  .openapi('RotatedApiKey')
