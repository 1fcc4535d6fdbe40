import type { OpenAPIHono } from '@hono/zod-openapi'
import type { AppEnv } from '../http/env.ts'
import { dialectResponse } from '../http/output/dialects.ts'
import type { ProblemCode } from '../http/output/problem-codes.ts'
import { codesOf, problemCodes, problemSchema, problemSchemaName } from '../http/output/problem-schemas.ts'
import { createRouter, OPERATOR_SECURITY, problemsByStatus } from '../http/route.ts'
import { isRecord } from '../ledger/model/json.ts'
import { closeObjects, type Lookup } from './closed.ts'
import { withExamples } from './examples.ts'
import {
  type Access,
  headersOf,
  problemsBefore,
  type RouteShape,
  readsIdempotencyKey,
  SHARED_COMPONENTS,
} from './shared.ts'
import { ALL_TAGS, INFO, operationIdOf, tagOf } from './words.ts'

type Json = Readonly<Record<string, unknown>>
type Router = OpenAPIHono<AppEnv>

export interface OpenApiDocument extends Json {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Json>>>>
  readonly components: Json & { readonly schemas: Json }
}

/**
 * Generates the OpenAPI document of an app from the zod schemas that validate its requests. Adds the parameters,
 * headers and problems of the middleware to each route.
 */
export function openApiDocument(app: Router): OpenApiDocument {
  const { paths, schemas } = generated(app)
  const lookup: Lookup = (ref) => schemas[ref.slice('#/components/schemas/'.length)]
  const described_paths = Object.fromEntries(
    Object.entries(paths).map(([path, item]) => [
      path,
      Object.fromEntries(
        Object.entries(item).map(([method, operation]) => [
          method,
          described(method, path, operation, lookup),
        ]),
      ),
    ]),
  )
  const tags = new Set(Object.keys(paths).map(tagOf))
  const codes = new Set(codesOf(described_paths))
  return {
    openapi: '3.1.0',
    info: INFO,
    servers: [{ url: '/', description: 'This deployment' }],
    tags: ALL_TAGS.filter(({ name }) => tags.has(name)),
    paths: described_paths,
    components: { schemas: closeAll({ ...schemas, ...problemSchemas(codes) }, lookup), ...SHARED_COMPONENTS },
  }
}

const GENERATED = { openapi: '3.1.0', info: INFO }

/** Generates the paths and the component schemas from the zod schemas of the app. */
function generated(app: Router): {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Json>>>>
  readonly schemas: Json
} {
  const { paths = {}, components = {} } = app.getOpenAPI31Document(GENERATED)
  // Copies the document through JSON. The copy has no `undefined` fields and no objects that are shared between
  // schemas.
  return JSON.parse(JSON.stringify({ paths, schemas: components.schemas ?? {} }), alternatives)
}

/**
 * Moves each `default` of a schema into the description of the field. Otherwise, type generators would treat a field
 * with a `default` as required, although a request can omit it.
 */
function withoutDefaults(schema: unknown, is_properties = false): unknown {
  if (Array.isArray(schema)) return schema.map((inner) => withoutDefaults(inner))
  if (!isRecord(schema)) return schema
  const inner = Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [
      name,
      name.startsWith('example') ? value : withoutDefaults(value, !is_properties && name === 'properties'),
    ]),
  )
  if (is_properties || !('default' in inner)) return inner
  const { default: value, description = '', ...rest } = inner
  const text = `Default: ${typeof value === 'string' ? value : JSON.stringify(value)}.`
  const is_described = String(description).includes('Default:')
  return { ...rest, description: is_described ? description : `${description} ${text}`.trim() }
}

/**
 * Replaces the schema of an amount (`decimalInput`) with an `anyOf` of its forms, number and string. The generator of
 * zod supports only one type in a schema.
 */
function alternatives(_: string, value: unknown): unknown {
  if (!isRecord(value) || !('x-amount' in value)) return value
  const { type, 'x-amount': forms, ...rest } = value
  const nullable = Array.isArray(type) && type.includes('null')
  return { ...rest, anyOf: [...(Array.isArray(forms) ? forms : []), ...(nullable ? [{ type: 'null' }] : [])] }
}

function problemSchemas(codes: ReadonlySet<ProblemCode>): Json {
  const { openAPIRegistry, getOpenAPI31Document } = createRouter()
  for (const code of codes) openAPIRegistry.register(problemSchemaName(code), problemSchema(code))
  return { ...getOpenAPI31Document(GENERATED).components?.schemas }
}

function closeAll(schemas: Json, lookup: Lookup): Json {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, withoutDefaults(closeObjects(schema, lookup))]),
  )
}

function described(method: string, path: string, operation: Json, lookup: Lookup): Json {
  const { description, parameters, requestBody, responses, ...rest } = operation
  const security = path.startsWith('/v1/admin/') ? OPERATOR_SECURITY : operation.security
  const own = Array.isArray(parameters) ? parameters.map((parameter) => closedContent(parameter, lookup)) : []
  const shape: RouteShape = {
    method,
    path,
    access: accessOf(security, operation['x-required-scope']),
    has_input: own.length > 0,
    has_body: requestBody !== undefined,
  }
  const shared = [
    ...(readsIdempotencyKey(shape) ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : []),
    { $ref: '#/components/parameters/RequestId' },
  ]
  return withExamples(`${method.toUpperCase()} ${path}`, {
    operationId: operationIdOf(method, path),
    tags: [tagOf(path)],
    ...rest,
    description: [description ?? `${String(operation.summary)}.`, accessText(shape.access)]
      .filter((text) => text !== '')
      .join('\n\n'),
    ...(security !== undefined && { security }),
    parameters: [...own, ...shared],
    ...(requestBody !== undefined && { requestBody: closedContent(requestBody, lookup) }),
    responses: allResponses(shape, isRecord(responses) ? responses : {}, lookup),
  })
}

function accessOf(security: unknown, scope: unknown): Access {
  const alternatives = Array.isArray(security) ? security : []
  const schemes = alternatives.flatMap((alternative) =>
    isRecord(alternative) ? Object.keys(alternative) : [],
  )
  if (schemes.includes('apiKey')) {
    const portal = schemes.includes('portalToken')
    return { kind: 'customer', scope: typeof scope === 'string' ? scope : undefined, portal }
  }
  const must_be_operator = alternatives.length === 1 && schemes.includes('operator')
  return must_be_operator ? { kind: 'operator' } : { kind: 'open' }
}

function accessText(access: Access): string {
  if (access.kind === 'open') return ''
  if (access.kind === 'operator') return 'Requires the operator token.'
  if (access.scope === undefined) return 'Requires an API key with any scope.'
  const text = `Requires an API key with the scope \`${access.scope}\``
  return access.portal
    ? `${text} or a portal token. With a portal token, the wallet may be omitted.`
    : `${text}.`
}

/**
 * Returns all responses of a route: the responses that the route declares, and the problems that the middleware can
 * return.
 */
function allResponses(shape: RouteShape, declared: Json, lookup: Lookup): Json {
  const codes = new Set(problemsBefore(shape))
  const answers = Object.entries(declared).filter(([, response]) => {
    const of_response = codesOf(response)
    for (const code of of_response) codes.add(code)
    return of_response.length === 0
  })
  const ordered = new Set(problemCodes().filter((code) => codes.has(code)))
  const all = [...answers, ...Object.entries(problemsOf(shape.path, ordered))]
  return Object.fromEntries(
    all.map(([status, response]) => {
      const closed = closedContent(response, lookup)
      return [
        status,
        { ...closed, headers: { ...headersOf(shape, status, ordered), ...own(closed.headers) } },
      ]
    }),
  )
}

function problemsOf(path: string, codes: ReadonlySet<ProblemCode>): Json {
  const by_status = problemsByStatus(codes)
  return Object.fromEntries(
    Object.entries(by_status).map(([status, response]) => [
      status,
      dialectResponse(path, codesOf(response)) ?? response,
    ]),
  )
}

function own(headers: unknown): Json {
  return isRecord(headers) ? headers : {}
}

/** Closes the object schemas of a parameter, a request body or a response. */
function closedContent(value: unknown, lookup: Lookup): Json {
  if (!isRecord(value)) return {}
  const content = isRecord(value.content)
    ? Object.fromEntries(
        Object.entries(value.content).map(([type, media]) => [
          type,
          isRecord(media) ? { ...media, schema: closeObjects(media.schema, lookup) } : media,
        ]),
      )
    : undefined
  return {
    ...value,
    ...('schema' in value && { schema: closeObjects(value.schema, lookup) }),
    ...(content && { content }),
  }
}
