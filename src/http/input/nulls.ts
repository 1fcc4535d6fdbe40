import { z } from '@hono/zod-openapi'

/**
 * Removes the fields and record entries in which a null means "absent". These are optional fields whose schema does not
 * accept null, and entries of records whose values must not be null. Some clients write a null for every absent field,
 * and others send a response back as a request. After the removal, these nulls do not make the request invalid. Other
 * nulls are kept: in fields whose schema accepts null, such as `up_to`, and in metadata and other free JSON.
 */
export function withoutNulls(schema: z.ZodType, value: unknown): unknown {
  const clean = cleanerOf(schema)
  return clean ? clean(value) : value
}

/**
 * A function that removes nulls from a value. If there is no null to remove, it returns the same object. A schema has
 * no cleaner if none of its nulls can be removed.
 */
type Cleaner = (value: unknown) => unknown

interface Field {
  readonly removes_null: boolean
  readonly clean: Cleaner | undefined
}

const cleaners = new WeakMap<z.ZodType, { readonly cleaner: Cleaner | undefined }>()

function cleanerOf(schema: z.ZodType): Cleaner | undefined {
  const known = cleaners.get(schema)
  if (known) return known.cleaner
  const cleaner = makeCleaner(schema)
  cleaners.set(schema, { cleaner })
  return cleaner
}

function makeCleaner(schema: unknown): Cleaner | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return makeCleaner(schema.unwrap())
  }
  if (schema instanceof z.ZodPipe) return makeCleaner(schema.in)
  if (schema instanceof z.ZodUnion) return cleanerOfUnion(schema.options)
  if (schema instanceof z.ZodArray) return cleanerOfItems(makeCleaner(schema.element))
  if (schema instanceof z.ZodRecord) return cleanerOfValues(schema.valueType)
  return schema instanceof z.ZodObject ? cleanerOfFields(fieldsOf(schema)) : undefined
}

function fieldsOf({ shape }: z.ZodObject): Map<string, Field> {
  const fields = new Map<string, Field>()
  for (const [name, field] of Object.entries(shape)) {
    if (!(field instanceof z.ZodType)) continue
    const removes_null = field.safeParse(undefined).success && !field.safeParse(null).success
    const clean = makeCleaner(field)
    if (removes_null || clean) fields.set(name, { removes_null, clean })
  }
  return fields
}

/**
 * Returns the cleaner of a union. The cleaner removes a null from a field if the field is optional in at least one
 * alternative and no alternative accepts null in it. Returns undefined if there is nothing to remove.
 */
function cleanerOfUnion(options: readonly unknown[]): Cleaner | undefined {
  const objects = options.filter((option) => option instanceof z.ZodObject)
  const merged = new Map<string, Field>()
  for (const name of new Set(objects.flatMap(({ shape }) => Object.keys(shape)))) {
    const declared = objects.flatMap(({ shape }) => (shape[name] instanceof z.ZodType ? [shape[name]] : []))
    const removes_null =
      declared.some((field) => field.safeParse(undefined).success) &&
      !declared.some((field) => field.safeParse(null).success)
    const inner = declared.flatMap((field) => makeCleaner(field) ?? [])
    const clean: Cleaner | undefined =
      inner.length === 0 ? undefined : (value) => inner.reduce((cleaned, next) => next(cleaned), value)
    if (removes_null || clean) merged.set(name, { removes_null, clean })
  }
  return cleanerOfFields(merged)
}

const REMOVED = Symbol('removed')

function cleanerOfFields(fields: ReadonlyMap<string, Field>): Cleaner | undefined {
  if (fields.size === 0) return undefined
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    // The object is copied only if there is a null to remove.
    let cleaned: Map<string, unknown> | undefined
    for (const name in value) {
      const inner: unknown = Reflect.get(value, name)
      // Skips all values except null and objects, because no other value can contain null.
      if (typeof inner !== 'object') continue
      const field = fields.get(name)
      if (!field) continue
      const kept = inner === null && field.removes_null ? REMOVED : field.clean ? field.clean(inner) : inner
      if (kept === inner) continue
      cleaned ??= new Map(Object.entries(value))
      if (kept === REMOVED) cleaned.delete(name)
      else cleaned.set(name, kept)
    }
    return cleaned ? Object.fromEntries(cleaned) : value
  }
}

function cleanerOfItems(clean: Cleaner | undefined): Cleaner | undefined {
  if (!clean) return undefined
  return (value) => {
    if (!Array.isArray(value)) return value
    const cleaned = value.map((item) => clean(item))
    return cleaned.some((item, index) => item !== value[index]) ? cleaned : value
  }
}

/**
 * Returns the cleaner of a record. The cleaner removes every entry whose value is null, unless the schema of the values
 * accepts null. Returns undefined if there is nothing to remove.
 */
function cleanerOfValues(values: unknown): Cleaner | undefined {
  const removes_null = values instanceof z.ZodType && !values.safeParse(null).success
  const clean = makeCleaner(values)
  if (!removes_null && !clean) return undefined
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    const kept = Object.entries(value).flatMap(([name, inner]): [string, unknown][] =>
      inner === null && removes_null ? [] : [[name, clean ? clean(inner) : inner]],
    )
    const is_same =
      kept.length === Object.keys(value).length &&
      kept.every(([name, inner]) => Reflect.get(value, name) === inner)
    return is_same ? value : Object.fromEntries(kept)
  }
}
