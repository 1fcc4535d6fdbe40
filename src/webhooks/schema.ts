import { z } from '@hono/zod-openapi'
import { MODES } from '../db/schema.ts'
import { customerText, objectId } from '../http/input/identifiers.ts'
import { idPageQuery, pageSchema } from '../http/input/pagination.ts'
import { timeInput } from '../http/input/times.ts'
import { CHANGES_SOMETHING } from '../http/input/validation.ts'
import { NOTIFICATION_TYPES } from '../ledger/model/notifications.ts'
import { DELIVERY_STATUSES } from './records/deliveries.ts'
import { DEFAULT_OVERLAP_SECONDS, MAX_OVERLAP_SECONDS } from './records/secrets.ts'
import { isSubscription, MAX_TYPES, OPERATOR_TYPES } from './types.ts'

/**
 * Defines the schemas of webhook endpoints and deliveries. Customers and the operator have different schemas for
 * requests, because their endpoints subscribe to different types of notifications.
 */

const MAX_URL_CHARS = 2_048
const MAX_DESCRIPTION_CHARS = 500

function subscriptions(known: readonly string[], examples: readonly [string, string]) {
  const message = `must be *, a type of notification such as ${examples[0]}, or a group such as ${examples[1]}`
  return z
    .array(
      z
        .string()
        .max(64)
        .refine((text) => isSubscription(text, known), message),
    )
    .min(1, 'must have at least one type')
    .max(MAX_TYPES, `must have at most ${MAX_TYPES} types`)
    .openapi({
      description: 'The notifications to send, as types or groups, or `*` for all.',
      example: [...examples],
    })
}

const fieldsWith = (types: ReturnType<typeof subscriptions>) => ({
  url: z.string().min(1).max(MAX_URL_CHARS).openapi({
    description:
      'An https URL, which is checked now and before each attempt. Its host must not be the host of this deployment, and must not resolve to a private address, unless the operator allows the host (`PRIVATE_UPSTREAMS`). In development, `http://localhost:PORT` and `http://127.0.0.1:PORT` are also allowed.',
    example: 'https://example.com/webhooks',
  }),
  types,
  description: z.string().max(MAX_DESCRIPTION_CHARS).openapi({ example: 'Low balances' }),
  enabled: z.boolean(),
  v1a: z.boolean().openapi({
    description: 'Whether messages also have Ed25519 signatures (`v1a`), which `public_key` verifies.',
  }),
})

function endpointSchemas(name: string, fields: ReturnType<typeof fieldsWith>) {
  const draft = z
    .strictObject({
      url: fields.url,
      types: fields.types,
      description: fields.description.optional(),
      enabled: fields.enabled.default(true),
      v1a: fields.v1a.default(false),
    })
    .openapi(`${name}Draft`)
  const change = z
    .strictObject({
      url: fields.url.optional(),
      types: fields.types.optional(),
      description: fields.description.nullable().optional(),
      enabled: fields.enabled.optional(),
      v1a: fields.v1a.optional(),
    })
    .refine(...CHANGES_SOMETHING)
    .openapi(`${name}Change`)
  return { draft, change }
}

export const endpointSchemasOf = {
  customer: endpointSchemas(
    'WebhookEndpoint',
    fieldsWith(subscriptions(NOTIFICATION_TYPES, ['credits.low', 'limit.*'])),
  ),
  operator: endpointSchemas(
    'OperatorWebhookEndpoint',
    fieldsWith(subscriptions(OPERATOR_TYPES, ['ops.flush_behind', 'ops.*'])),
  ),
}

export const endpointPath = z.object({
  id: customerText().openapi({
    param: { name: 'id', in: 'path' },
    example: 'we_01m82kr9vnj1qk2s67ndqm186w',
  }),
})

export const endpointsQuery = z.strictObject(idPageQuery('we'))

const optionalTime = z.iso.datetime().nullable()

export const endpointSchema = z
  .object({
    id: z.string(),
    url: z.string(),
    types: z.array(z.string()),
    description: z.string().nullable(),
    enabled: z.boolean(),
    disabled_reason: z.enum(['gone', 'failing']).nullable().openapi({
      description:
        '`gone`: the receiver responded with 410. `failing`: all attempts of five days failed. Null if the endpoint is enabled or was disabled by a request.',
    }),
    failing_since: optionalTime.openapi({
      description:
        'The time of the first failed attempt since the last success, or since the endpoint was enabled again. Null if no attempt has failed since then.',
    }),
    v1a: z.boolean(),
    public_key: z
      .string()
      .nullable()
      .openapi({ description: 'The key `whpk_…`, which verifies `v1a` signatures; null without `v1a`.' }),
    previous_secret_expires_at: optionalTime.openapi({
      description:
        'The time until which messages are also signed with the replaced secret; null if no replaced secret is in use.',
    }),
    mode: z
      .enum(MODES)
      .nullable()
      .openapi({ description: 'The mode of the ledger; null for an endpoint of the operator.' }),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi('WebhookEndpoint')

export const endpointWithSecretSchema = endpointSchema
  .extend({
    secret: z.string().openapi({
      description: 'The secret `whsec_…`, which verifies `v1` signatures. It is shown only once.',
    }),
  })
  .openapi('WebhookEndpointWithSecret')

export const endpointsSchema = pageSchema(endpointSchema).openapi('WebhookEndpointsPage')

export const rotateSchema = z
  .strictObject({
    overlap_seconds: z.int().min(0).max(MAX_OVERLAP_SECONDS).default(DEFAULT_OVERLAP_SECONDS).openapi({
      description: 'The time for which messages are also signed with the replaced secret.',
    }),
  })
  .openapi('WebhookSecretRotation')

export const replaySchema = z
  .strictObject({
    from: timeInput().openapi({
      description: 'The start of the range, inclusive. Notifications are kept for 30 days by default.',
    }),
    to: timeInput().optional().openapi({ description: 'The end of the range, exclusive. Default: now.' }),
    only_failed: z.boolean().default(false).openapi({
      description: 'Whether only notifications that the endpoint has not received are replayed.',
    }),
  })
  .openapi('WebhookReplay')

export const replayedSchema = z
  .object({
    deliveries: z.int().openapi({ description: 'The number of deliveries that the request started.' }),
    next_from: optionalTime.openapi({
      description:
        'The `from` of the next request, if the range has more notifications than one request replays. Null if the whole range was replayed.',
    }),
  })
  .openapi('WebhookReplayed')

const attemptSchema = z
  .object({
    at: z.iso.datetime(),
    status_code: z
      .int()
      .nullable()
      .openapi({ description: 'The HTTP status of the response; null if no response arrived.' }),
    error: z
      .enum(['timeout', 'connection_failed', 'address_refused', 'name_not_resolved'])
      .nullable()
      .openapi({ description: 'The reason why no response arrived; null if a response arrived.' }),
    duration_ms: z.int(),
    answer: z.string().openapi({
      description: 'The first 1 KB of the response body, or the part that arrived within a second.',
    }),
  })
  .openapi('WebhookAttempt')

export const deliverySchema = z
  .object({
    id: z.string(),
    endpoint_id: z.string(),
    notification_id: z.string(),
    type: z.string(),
    sequence: z
      .int()
      .openapi({ description: 'The sequence number of the notification; 0 for a test message.' }),
    status: z.enum(DELIVERY_STATUSES),
    next_attempt_at: optionalTime.openapi({
      description:
        'The time of the next attempt. While an attempt is running, it is the time after which the attempt is considered lost. Null if the delivery is not pending.',
    }),
    attempts: z.array(attemptSchema).openapi({ description: 'The last 20 attempts, oldest first.' }),
    mode: z.enum(MODES).nullable(),
    created_at: z.iso.datetime().openapi({ description: 'The time of the notification.' }),
  })
  .openapi('WebhookDelivery')

export const deliveriesSchema = pageSchema(deliverySchema).openapi('WebhookDeliveriesPage')

export const deliveryPath = z.object({
  id: customerText().openapi({
    param: { name: 'id', in: 'path' },
    example: 'dlv_01m82kr9vnj1qk2s67ndqm186w',
  }),
})

export const deliveriesQuery = z.strictObject({
  ...idPageQuery('dlv'),
  endpoint_id: objectId().optional(),
  status: z.enum(DELIVERY_STATUSES).optional(),
  type: z.string().max(64).optional().openapi({ example: 'credits.low' }),
})
