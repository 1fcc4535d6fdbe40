import type { z } from '@hono/zod-openapi'

/**
 * Returns the schema for a response field that end users must not see. Responses to requests with a portal token do not
 * contain the field. Responses to requests with an API key always contain it. The generator of the SDK's types reads
 * `x-keys-only`.
 */
export function keysOnly<T extends z.ZodType>(schema: T) {
  return schema
    .optional()
    .openapi({ description: 'Absent in responses to requests with a portal token.', 'x-keys-only': true })
}
