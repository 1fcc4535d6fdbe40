import { z } from '@hono/zod-openapi'
import { isRecord, type JsonText } from '../../ledger/model/json.ts'
import { isInexact } from './exact-json.ts'
import { JsonSource, MAX_FREE_JSON_BYTES } from './json-source.ts'

const MAX_KEYS = 50

/** The customer's own JSON object, kept as text: up to 50 keys and 16 KB as UTF-8 JSON. */
export function metadataInput() {
  return z
    .custom<object>(isObject, 'must be an object')
    .transform((metadata, ctx): JsonText => {
      const source = metadata instanceof JsonSource ? metadata : JsonSource.of(metadata)
      const message = isInexact(metadata) ? INEXACT : problemOf(source)
      if (message !== undefined) ctx.addIssue({ code: 'custom', message })
      return source.text
    })
    .openapi({ type: 'object', additionalProperties: true, maxProperties: MAX_KEYS })
}

/** The text of a value that `metadataInput` accepts; undefined for a value that only `metadataInput` can decide. */
export function plainMetadata(value: unknown): JsonText | undefined {
  return value instanceof JsonSource && value.isObject && problemOf(value) === undefined
    ? value.text
    : undefined
}

// Not a `z.record`, because zod copies a record without `__proto__`, which is a valid name here.
function isObject(value: unknown): boolean {
  if (value instanceof JsonSource) return value.isObject
  return isRecord(value)
}

/** Applies only to metadata whose field name is written with escapes, which no serializer does. */
const INEXACT = 'has a number with more digits than JSON numbers keep: send it as a string'

function problemOf({ bytes, keys = 0 }: JsonSource): string | undefined {
  if (keys > MAX_KEYS) return `must have at most ${MAX_KEYS} keys`
  if (bytes <= MAX_FREE_JSON_BYTES) return undefined
  return `must have at most ${MAX_FREE_JSON_BYTES} bytes as JSON, not ${bytes}`
}
