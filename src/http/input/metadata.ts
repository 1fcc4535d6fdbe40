import { z } from '@hono/zod-openapi'

const MAX_KEYS = 50
const MAX_BYTES = 16 * 1024

/** The customer's own JSON object, stored unchanged: up to 50 keys and 16 KB as UTF-8 JSON. */
export function metadataInput() {
  return z
    .record(z.string(), z.unknown(), { error: 'must be an object' })
    .superRefine((metadata, ctx) => {
      const message = problemOf(metadata)
      if (message !== undefined) ctx.addIssue({ code: 'custom', message })
    })
    .openapi({ type: 'object', additionalProperties: true, maxProperties: MAX_KEYS })
}

function problemOf(metadata: Readonly<Record<string, unknown>>): string | undefined {
  if (Object.keys(metadata).length > MAX_KEYS) return `must have at most ${MAX_KEYS} keys`
  const json = JSON.stringify(metadata)
  // A UTF-16 unit takes at most three bytes of UTF-8.
  if (json.length * 3 <= MAX_BYTES) return undefined
  const bytes = new TextEncoder().encode(json).length
  return bytes > MAX_BYTES ? `must have at most ${MAX_BYTES} bytes as JSON, and has ${bytes}` : undefined
}
