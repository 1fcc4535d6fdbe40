import { z } from '@hono/zod-openapi'
import { MODES } from '../db/schema.ts'
import { customerText } from '../http/input/identifiers.ts'
import { idPageQuery, pageSchema } from '../http/input/pagination.ts'

/**
 * The maximum length of a provider key, in characters. The longest known keys, which are access tokens of Google Cloud,
 * are shorter.
 */
export const MAX_KEY_CHARS = 4_096
/** The pattern of a provider key: printable ASCII characters without spaces, which an HTTP header can contain. */
export const KEY_TEXT = /^[\x21-\x7e]+$/

export const providerKeyDraftSchema = z
  .strictObject({
    provider: customerText().openapi({
      example: 'OPENAI',
      description: 'A provider of the catalogue. Case, `_` and `-` are ignored.',
    }),
    name: customerText().openapi({
      example: 'Production',
      description: 'A name of your choice for the key. It must be unique among the keys of the provider.',
    }),
    key: z
      .string()
      .min(1, 'must not be empty')
      .max(MAX_KEY_CHARS, `must have at most ${MAX_KEY_CHARS} characters`)
      .regex(KEY_TEXT, 'must have only printable ASCII characters, without spaces')
      .openapi({
        description: "The provider's key. Stored encrypted and never returned.",
        format: 'password',
      }),
    base_url: z.string().optional().openapi({
      example: 'https://api.groq.com/openai/v1',
      description:
        "The https address of the provider's API, including its version. Required for providers without a default address, such as Azure, Vertex or your own servers. Other providers need it only for another region. It must not lead to a private address, unless the operator allows its host (`PRIVATE_UPSTREAMS`).",
    }),
  })
  .openapi('ProviderKeyDraft')

export const providerKeyPath = z.object({
  id: customerText().openapi({
    param: { name: 'id', in: 'path' },
    example: 'pk_01m82kr9vnj1qk2s67ndqm186w',
  }),
})

export const providerKeysQuery = z.strictObject(idPageQuery('pk'))

export const providerKeySchema = z
  .object({
    id: z.string(),
    provider: z.string(),
    name: z.string(),
    last_four: z.string().openapi({
      description: 'The last four characters of the key, but at most half of it.',
    }),
    base_url: z
      .string()
      .nullable()
      .openapi({ description: 'The address of the API; null for the default address of the provider.' }),
    mode: z.enum(MODES),
    created_at: z.iso.datetime(),
  })
  .openapi('ProviderKey')

export const providerKeysSchema = pageSchema(providerKeySchema).openapi('ProviderKeysPage')
