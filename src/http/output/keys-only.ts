import type { z } from '@hono/zod-openapi'

/**
 * A field of an answer that portal tokens do not get, because it is not for end users. Answers to API keys always have
 * it; the types of the SDK depend on this mark.
 */
export function keysOnly<T extends z.ZodType>(schema: T) {
  return schema
    .optional()
    .openapi({ description: 'Absent in answers to portal tokens.', 'x-keys-only': true })
}
