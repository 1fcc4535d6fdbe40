import { z } from '@hono/zod-openapi'
import { MODES } from '../db/schema.ts'
import { MAX_TARGETS } from '../gateway/fallback.ts'
import { customerText } from '../http/input/identifiers.ts'
import { idPageQuery, pageSchema } from '../http/input/pagination.ts'
import { CHANGES_SOMETHING } from '../http/input/validation.ts'

export const APIS = ['openai', 'anthropic', 'google'] as const
const ON_AMBIGUOUS = ['next', 'stop'] as const
const MAX_TIMEOUT_S = 600

const targetSchema = z
  .strictObject({
    provider_key: customerText().optional().openapi({
      description:
        'The name of a stored provider key. Without it, the attempt uses the key and the URL of the call.',
      example: 'Backup',
    }),
    model: customerText().optional().openapi({
      description: 'Replaces the model in the request. Default: the model of the call.',
      example: 'gpt-4o-mini',
    }),
  })
  .openapi('GatewayTarget')

const seconds = (description: string) =>
  z
    .int()
    .min(1, 'must be at least 1')
    .max(MAX_TIMEOUT_S, `must be at most ${MAX_TIMEOUT_S}`)
    .optional()
    .openapi({ description })

const timeoutsSchema = z
  .strictObject({
    headers_seconds: seconds(
      "The maximum time in seconds until the provider's headers arrive, and then for the rest of a response that is not a stream.",
    ),
    first_chunk_seconds: seconds(
      'The maximum time in seconds from the headers until the first chunk of a stream or of speech.',
    ),
    idle_seconds: seconds('The maximum time in seconds between two chunks of a stream or of speech.'),
  })
  .openapi('GatewayTimeouts')

const fields = {
  name: customerText().openapi({ example: 'Chat with a backup' }),
  model: customerText()
    .refine((model) => !model.slice(0, -1).includes('*'), 'may have * only at its end')
    .openapi({
      description: 'The models to match: a model name, a prefix followed by `*`, or `*` for all models.',
      example: 'gpt-4o*',
    }),
  targets: z
    .array(targetSchema)
    .min(1, 'must have at least one target')
    .max(MAX_TARGETS, `must have at most ${MAX_TARGETS} targets`)
    .openapi({ description: 'The attempts after the first one, in order.' }),
  on_ambiguous: z.enum(ON_AMBIGUOUS).openapi({
    description:
      'The action after an attempt with an unknown outcome, for example a timeout or a lost connection. With `next`, another attempt is made, and the provider can charge for both. With `stop`, the call ends.',
  }),
  timeouts: timeoutsSchema,
  enabled: z.boolean(),
}

export const gatewayRouteDraftSchema = z
  .strictObject({
    name: fields.name,
    api: z.enum(APIS).openapi({ description: 'The API of the calls. All attempts use this API.' }),
    model: fields.model.default('*'),
    targets: fields.targets,
    on_ambiguous: fields.on_ambiguous.default('next'),
    timeouts: fields.timeouts.optional(),
    enabled: fields.enabled.default(true),
  })
  .openapi('GatewayRouteDraft')

export const gatewayRouteChangeSchema = z
  .strictObject({
    name: fields.name.optional(),
    model: fields.model.optional(),
    targets: fields.targets.optional(),
    on_ambiguous: fields.on_ambiguous.optional(),
    timeouts: fields.timeouts.optional(),
    enabled: fields.enabled.optional(),
  })
  .refine(...CHANGES_SOMETHING)
  .openapi('GatewayRouteChange')

export const gatewayRoutePath = z.object({
  id: customerText().openapi({
    param: { name: 'id', in: 'path' },
    example: 'gr_01m82kr9vnj1qk2s67ndqm186w',
  }),
})

export const gatewayRoutesQuery = z.strictObject(idPageQuery('gr'))

const nullable = z.string().nullable()
const limit = z.int().nullable()

export const gatewayRouteSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    api: z.enum(APIS),
    model: z.string(),
    targets: z.array(z.object({ provider_key: nullable, model: nullable })),
    on_ambiguous: z.enum(ON_AMBIGUOUS),
    timeouts: z
      .object({ headers_seconds: limit, first_chunk_seconds: limit, idle_seconds: limit })
      .openapi({ description: "The time limits. A limit is null if the gateway's default applies." }),
    enabled: z.boolean(),
    mode: z.enum(MODES),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi('GatewayRoute')

export const gatewayRoutesSchema = pageSchema(gatewayRouteSchema).openapi('GatewayRoutesPage')
