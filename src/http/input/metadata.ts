import { z } from '@hono/zod-openapi'
import { isRecord, type JsonText } from '../../ledger/model/json.ts'
import { isInexact } from './exact-json.ts'
import { JsonSource, MAX_FREE_JSON_BYTES } from './json-source.ts'

const MAX_KEYS = 50

/**
 * Returns the schema for metadata: a JSON object of the customer's choice with up to 50 keys and 16 KB in UTF-8. The
 * output is JSON text.
 */
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

/**
 * Returns the JSON text of metadata that is clearly valid, without running a zod schema. Returns undefined if
 * `metadataInput` must check the value.
 */
export function plainMetadata(value: unknown): JsonText | undefined {
  return value instanceof JsonSource && value.isObject && problemOf(value) === undefined
    ? value.text
    : undefined
}

// `z.record` is not used, because zod drops the field `__proto__` when it copies a record. The name is valid in
// metadata.
function isObject(value: unknown): boolean {
  if (value instanceof JsonSource) return value.isObject
  return isRecord(value)
}

/**
 * The error text for metadata with a number that a double cannot represent. This error is rare: metadata that the scan
 * of the body keeps as text (`JsonSource`) never has it.
 */
const INEXACT = 'has a number with more digits than a double can hold: send the number as a string'

function problemOf({ bytes, keys = 0 }: JsonSource): string | undefined {
  if (keys > MAX_KEYS) return `must have at most ${MAX_KEYS} keys`
  if (bytes <= MAX_FREE_JSON_BYTES) return undefined
  return `must have at most ${MAX_FREE_JSON_BYTES} bytes as JSON, not ${bytes}`
}
