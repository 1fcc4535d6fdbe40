import type { z } from '@hono/zod-openapi'

/**
 * Returns the schema for a field that answers to portal tokens do not contain, because it is not for end users.
 * Answers to API keys always contain it. The types of the SDK depend on `x-keys-only`.
 */
export function keysOnly<T extends z.ZodType>(schema: T) {
  return schema
    .optional()
    .openapi({ description: 'Absent in answers to portal tokens.', 'x-keys-only': true })
}
