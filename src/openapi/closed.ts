/**
 * Says of every object of the document whose fields are listed that it has no others. What comes in is refused by its
 * strict zod schema if it has; what goes out is compared with the document in every test. Maps, such as `metadata`,
 * stay open.
 */

type Json = Readonly<Record<string, unknown>>

/** What a `$ref` names, as it was generated. */
export type Lookup = (ref: string) => unknown

const LISTS = ['oneOf', 'anyOf', 'allOf', 'prefixItems']
const SINGLE = ['items', 'additionalProperties', 'not', 'propertyNames']

export function closeObjects(schema: unknown, lookup: Lookup): unknown {
  if (!isObject(schema)) return schema
  const whole = extended(schema, lookup) ?? schema
  const closed: Record<string, unknown> = { ...whole }
  const close = (inner: unknown) => closeObjects(inner, lookup)
  for (const key of LISTS) if (Array.isArray(whole[key])) closed[key] = whole[key].map(close)
  for (const key of SINGLE) if (key in whole) closed[key] = close(whole[key])
  if (!isObject(whole.properties)) return closed
  closed.properties = Object.fromEntries(
    Object.entries(whole.properties).map(([name, property]) => [name, close(property)]),
  )
  if (!('additionalProperties' in whole)) closed.additionalProperties = false
  return closed
}

/**
 * zod's `extend` of a schema with a name is generated as an `allOf` of the two. Each part closed would refuse the fields
 * of the other, so the fields of all parts are written out as one object. Undefined for what is no such thing.
 */
function extended(schema: Json, lookup: Lookup): Json | undefined {
  if (!Array.isArray(schema.allOf)) return undefined
  const { allOf, ...rest } = schema
  const parts = allOf.map((part) => {
    const named = isObject(part) && typeof part.$ref === 'string' ? lookup(part.$ref) : part
    return isObject(named) ? (extended(named, lookup) ?? named) : undefined
  })
  const all: Json[] = []
  for (const part of parts) {
    if (part === undefined || !isObject(part.properties)) return undefined
    all.push(part)
  }
  return {
    ...rest,
    type: 'object',
    properties: Object.assign({}, ...all.map((part) => part.properties)),
    required: [...new Set(all.flatMap((part) => (Array.isArray(part.required) ? part.required : [])))],
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
