import { dereference, type OutputUnit, type Schema, validate } from '@cfworker/json-schema'
import { inject } from 'vitest'
import { codesOf } from '../../src/http/output/problem-schemas.ts'
import { isRecord } from '../../src/ledger/model/json.ts'

/**
 * Throws if the OpenAPI document does not describe a response. Compares the path, the method, the status, the content
 * type, the headers and the body. All requests of tests use this function (`api.ts`), so a test fails if it gets an
 * undocumented response.
 */
export async function expectDocumented(request: Request, response: Response): Promise<void> {
  const problem = await whatIsUndocumented(request, response)
  if (problem === undefined) return
  const body = await response.clone().text()
  throw new Error(
    `not in the OpenAPI document: ${request.method} ${new URL(request.url).pathname} returned ${response.status}, and ${problem}\n${body.slice(0, 2000)}`,
  )
}

type Json = Readonly<Record<string, unknown>>

/** The OpenAPI document of the Worker. */
export const document: Json = JSON.parse(inject('openapi'))
/**
 * The OpenAPI document without its examples, because fields of examples, such as `id` and `type`, have another meaning
 * in JSON Schema.
 */
const rules: Json = JSON.parse(inject('openapi'), (name, value) => (name === 'examples' ? undefined : value))
const schemas = dereference(rules)

export interface Operation {
  readonly method: string
  readonly path: string
  readonly operation: Json
}

export const operations: readonly Operation[] = Object.entries(objectAt(rules, 'paths')).flatMap(
  ([path, item]) =>
    Object.entries(asObject(item)).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation: asObject(operation),
    })),
)

/**
 * The operations in an order in which fixed paths precede paths with parameters: `/v1/burn-tables/active` is before
 * `/v1/burn-tables/{id}`, as in the router.
 */
const routes = operations
  .map((operation) => ({ ...operation, pattern: patternOf(operation.path) }))
  .toSorted((a, b) => a.path.split('{').length - b.path.split('{').length)

export function operationOf(method: string, pathname: string): Operation | undefined {
  const wanted = method === 'HEAD' ? 'GET' : method
  const path = routes.find((route) => route.pattern.test(pathname))?.path
  return routes.find((route) => route.method === wanted && route.path === path)
}

async function whatIsUndocumented(request: Request, response: Response): Promise<string | undefined> {
  const { pathname } = new URL(request.url)
  if (request.method === 'OPTIONS') return undefined
  const found = operationOf(request.method, pathname)
  // Does not check the responses from the gateway, because they have the formats of the providers.
  if (!found && pathname.startsWith('/gateway/') && response.status === 403) return undefined
  if (!found) return outsideOfTheDocument(response)
  const documented = objectAt(found.operation, 'responses')[String(response.status)]
  if (!isRecord(documented)) return 'the route has no such status'
  return wrongHeaders(documented, response) ?? (await wrongBody(documented, request, response))
}

/**
 * Checks the response to a request for a route that is not in the document. Returns an error if the request is not
 * refused.
 */
async function outsideOfTheDocument(response: Response): Promise<string | undefined> {
  if (![401, 403, 404, 405, 429].includes(response.status)) return 'there is no such route'
  if (response.status === 405 && !response.headers.has('Allow')) return 'a 405 names the methods in Allow'
  const code: unknown = (await response.clone().json<Json>()).code
  const known = [
    'missing_api_key',
    'invalid_api_key',
    'insufficient_scope',
    'not_found',
    'method_not_allowed',
    'rate_limited',
  ]
  return known.includes(String(code)) ? undefined : `there is no such route, and the code is ${String(code)}`
}

/** The general response headers for HTTP, browsers and CORS, which the routes in the document do not list. */
const GENERAL = new Set([
  'access-control-allow-origin',
  'access-control-expose-headers',
  'cache-control',
  'content-encoding',
  'content-length',
  'content-security-policy',
  'content-type',
  'cross-origin-resource-policy',
  'date',
  'referrer-policy',
  'strict-transport-security',
  'vary',
  'x-content-type-options',
])

function wrongHeaders(documented: Json, response: Response): string | undefined {
  const known = new Map<string, Json>()
  for (const [name, header] of Object.entries(asObject(documented.headers ?? {}))) {
    known.set(name.toLowerCase(), resolve(header))
  }
  for (const [name, value] of response.headers) {
    const header = known.get(name)
    if (!header && !GENERAL.has(name)) return `the header ${name} is not there`
    const problem = header && wrongValue(value, asObject(header.schema))
    if (problem !== undefined) return `the header ${name}: ${problem}`
  }
  for (const [name, { required }] of known) {
    if (required === true && !response.headers.has(name)) return `the response lacks the header ${name}`
  }
  return undefined
}

/** Matches the content types of binary bodies, which are not parsed as text or JSON. */
const BINARY = /protobuf$/

async function wrongBody(
  documented: Json,
  request: Request,
  response: Response,
): Promise<string | undefined> {
  const [sent_type = ''] = (response.headers.get('Content-Type') ?? '').split(';')
  if (BINARY.test(sent_type)) {
    const declared = documented.content
    return isRecord(declared) && declared[sent_type] ? undefined : `the content type is ${sent_type}`
  }
  const text = await response.clone().text()
  if (request.method === 'HEAD' && text === '') return undefined
  const content = documented.content
  if (!isRecord(content)) return text === '' ? undefined : 'it should have no body'
  const [type = ''] = (response.headers.get('Content-Type') ?? '').split(';')
  const media = content[type]
  if (!isRecord(media)) return `the content type is ${type}`
  if (!/[/+]json$/.test(type)) return wrongValue(text, asObject(media.schema))
  const body: unknown = JSON.parse(text)
  const codes = codesOf(documented)
  if (codes.length > 0 && isRecord(body) && !codes.some((code) => code === body.code)) {
    return `the status has the codes ${codes.join(', ')}`
  }
  return wrongValue(body, asObject(media.schema))
}

/**
 * Returns the errors of a value against a JSON Schema; undefined for a valid value. Returns the most deeply nested
 * errors, because they contain the name of the field.
 */
function wrongValue(value: unknown, schema: Json): string | undefined {
  const { valid, errors } = validate(value, asSchema(schema), '2020-12', schemas, true)
  if (valid) return undefined
  const deepest = errors.toSorted((a: OutputUnit, b: OutputUnit) => depth(b) - depth(a)).slice(0, 4)
  return deepest.map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`).join('; ')
}

function depth({ instanceLocation }: OutputUnit): number {
  return instanceLocation.split('/').length
}

function patternOf(path: string): RegExp {
  const literal = path.replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&').replaceAll(/\{\w+\}/g, '[^/]+')
  return new RegExp(`^${literal}/?$`)
}

/** Returns the object that `$ref` refers to; without `$ref`, returns the object itself. */
export function resolve(value: unknown): Json {
  const object = asObject(value)
  if (typeof object.$ref !== 'string') return object
  return object.$ref
    .slice('#/'.length)
    .split('/')
    .reduce<Json>((inner, key) => objectAt(inner, key.replaceAll('~1', '/').replaceAll('~0', '~')), rules)
}

export function objectAt(value: Json, key: string): Json {
  return asObject(value[key])
}

export function asObject(value: unknown): Json {
  if (!isRecord(value)) throw new Error(`not an object of the document: ${JSON.stringify(value)}`)
  return value
}

/**
 * Returns the same object with the type of a schema. A copy would not work, because `dereference` has marked the
 * original object.
 */
function asSchema(schema: Json): Schema {
  return schema
}
