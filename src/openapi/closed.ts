import { isRecord } from '../ledger/model/json.ts'

/**
 * Adds `additionalProperties: false` to each object schema that lists its properties and does not declare
 * `additionalProperties`. Strict zod schemas refuse other fields in requests, and the tests compare responses with the
 * document. Maps, such as `metadata`, and schemas that accept other fields stay open.
 */

type Json = Readonly<Record<string, unknown>>

/** A function that returns the generated schema to which a `$ref` points. */
export type Lookup = (ref: string) => unknown

const LISTS = ['oneOf', 'anyOf', 'allOf', 'prefixItems']
const SINGLE = ['items', 'additionalProperties', 'not', 'propertyNames']

export function closeObjects(schema: unknown, lookup: Lookup): unknown {
  if (!isRecord(schema)) return schema
  const whole = extended(schema, lookup) ?? schema
  const closed: Record<string, unknown> = { ...whole }
  const close = (inner: unknown) => closeObjects(inner, lookup)
  for (const key of LISTS) if (Array.isArray(whole[key])) closed[key] = whole[key].map(close)
  for (const key of SINGLE) if (key in whole) closed[key] = close(whole[key])
  if (!isRecord(whole.properties)) return closed
  closed.properties = Object.fromEntries(
    Object.entries(whole.properties).map(([name, property]) => [name, close(property)]),
  )
  if (!('additionalProperties' in whole)) closed.additionalProperties = false
  return closed
}

/**
 * Merges the parts of an `allOf` into one object schema. Zod generates an `allOf` if a named schema is extended. If
 * each part were closed separately, it would refuse the fields of the other parts. Returns undefined for a schema
 * without `allOf`, and if a part is not an object with properties.
 */
function extended(schema: Json, lookup: Lookup): Json | undefined {
  if (!Array.isArray(schema.allOf)) return undefined
  const { allOf, ...rest } = schema
  const parts = allOf.map((part) => {
    const named = isRecord(part) && typeof part.$ref === 'string' ? lookup(part.$ref) : part
    return isRecord(named) ? (extended(named, lookup) ?? named) : undefined
  })
  const all: Json[] = []
  for (const part of parts) {
    if (part === undefined || !isRecord(part.properties)) return undefined
    all.push(part)
  }
  return {
    ...rest,
    type: 'object',
    properties: Object.assign({}, ...all.map((part) => part.properties)),
    required: [...new Set(all.flatMap((part) => (Array.isArray(part.required) ? part.required : [])))],
  }
}
