import path from 'node:path'
import openapiTS, { astToString } from 'openapi-typescript'

/**
 * The file with the types of the API, written by `npm run generate -w sdk`. A test compares it with the types of the
 * server's OpenAPI document.
 */
export const API_TYPES = path.join(import.meta.dirname, '..', 'src', 'api.ts')

/**
 * Returns the TypeScript types of the data that a client sends and gets: parameters, bodies, and successful responses.
 */
export async function apiTypes(document: string): Promise<string> {
  const slim: unknown = JSON.parse(document, (key, value) => {
    if (key === 'examples' || key === 'example' || key === 'headers') return undefined
    if (key === 'responses') return onlySuccess(value)
    if (key === 'parameters' && Array.isArray(value)) return value.filter(isOfClient)
    if (key === 'schemas') return withoutProblems(value)
    return isObject(value) ? withKeysOnly(value) : value
  })
  const nodes = await openapiTS(JSON.stringify(slim), { defaultNonNullable: false })
  return `// Made from the OpenAPI document by "npm run generate -w sdk". Do not edit.\n\n${astToString(nodes)}`
}

/**
 * Reports whether a parameter is an argument of a client's method. Excludes headers, which the client sets from its
 * options.
 */
function isOfClient(parameter: unknown): boolean {
  const text = JSON.stringify(parameter)
  return !text.includes('#/components/parameters/') && !text.includes('"in":"header"')
}

function onlySuccess(responses: object): object {
  return Object.fromEntries(Object.entries(responses).filter(([status]) => status.startsWith('2')))
}

/**
 * Returns a schema in which the fields with `x-keys-only` are required. Only responses to requests with portal tokens
 * lack these fields, and the types are for clients with an API key.
 */
function withKeysOnly(schema: Readonly<Record<string, unknown>>): object {
  const { properties, required } = schema
  if (!isObject(properties)) return schema
  const always = Object.entries(properties).flatMap(([name, field]) =>
    isObject(field) && field['x-keys-only'] === true ? [name] : [],
  )
  return always.length === 0 ? schema : { ...schema, required: [...listOf(required), ...always] }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function withoutProblems(schemas: object): object {
  return Object.fromEntries(Object.entries(schemas).filter(([name]) => !name.endsWith('Problem')))
}
