import { z } from '@hono/zod-openapi'
import { isInexact } from './exact-json.ts'

const MAX_KEYS = 50
const MAX_BYTES = 16 * 1024

/** The customer's own JSON object, stored unchanged: up to 50 keys and 16 KB as UTF-8 JSON. */
export function metadataInput() {
  return z
    .custom<Readonly<Record<string, unknown>>>(isObject, 'must be an object')
    .superRefine((metadata, ctx) => {
      const message = problemOf(metadata)
      if (message !== undefined) ctx.addIssue({ code: 'custom', message })
    })
    .openapi({ type: 'object', additionalProperties: true, maxProperties: MAX_KEYS })
}

// Not a record: zod copies one without `__proto__`, which is a name like any other here.
function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function problemOf(metadata: Readonly<Record<string, unknown>>): string | undefined {
  if (Object.keys(metadata).length > MAX_KEYS) return `must have at most ${MAX_KEYS} keys`
  if (isInexact(metadata)) return 'has a number with more digits than JSON numbers keep: send it as a string'
  const json = JSON.stringify(metadata)
  // A UTF-16 unit takes at most three bytes of UTF-8.
  if (json.length * 3 <= MAX_BYTES) return undefined
  const bytes = new TextEncoder().encode(json).length
  return bytes > MAX_BYTES ? `must have at most ${MAX_BYTES} bytes as JSON, and has ${bytes}` : undefined
}
