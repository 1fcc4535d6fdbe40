import { type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { scoped, scopedWith } from '../../api-keys/authentication/authenticate.ts'
import type { Scope } from '../../api-keys/authentication/scopes.ts'
import type { AuthenticatedKey } from '../../api-keys/record.ts'
import type { AppEnv } from '../../http/env.ts'
import { customerText } from '../../http/input/identifiers.ts'
import { jsonProblem, parseBody, rawBody } from '../../http/middleware/body.ts'
import { invalidRequest, problem } from '../../http/output/problem.ts'
import type { ProblemCode } from '../../http/output/problem-codes.ts'
import { OPEN_OR_OPERATOR, route } from '../../http/route.ts'
import { isRecord } from '../../ledger/model/json.ts'
import { formatDecimal, parseDecimal, USD_DECIMALS } from '../../pricing/money.ts'
import { currentPrices } from '../../rating/current-prices.ts'
import type { Dispatch, OwnRequest } from '../dispatch.ts'
import { whenEnabled } from '../endpoints.ts'

/**
 * A route of the original OpenMonetize. `run` handles the request with this API and returns the response in the format
 * of the original service.
 */
export interface Translation {
  readonly method: 'get' | 'post' | 'put' | 'delete'
  /** The path of the route, with parameter names in braces. */
  readonly path: string
  readonly summary: string
  /** The scope that the route requires; undefined if the route needs no API key. */
  readonly scope?: Scope
  /** The status of a successful response. */
  readonly status: 200 | 201 | 202 | 204
  /** A second possible status of a successful response. */
  readonly or?: 200
  /** The names of the query parameters, all of which are optional. */
  readonly query?: readonly string[]
  readonly problems?: readonly ProblemCode[]
  readonly run: (asked: Asked) => Promise<Response>
}

export type Fields = Readonly<Record<string, unknown>>

/** A request to a translated route. */
export interface Asked {
  readonly c: Context<AppEnv>
  /** The parameters of the path and of the query. If a query parameter is repeated, only its first value is used. */
  readonly params: Readonly<Record<string, string | undefined>>
  /**
   * The fields of the body, with their names in snake_case. The request can have camelCase names, because the original
   * service also accepts them.
   */
  readonly body: Fields
  /**
   * Sends a request to this API and returns the body of the response. Throws `Refused` if the status is not 2xx. The
   * handler of the drop-in route then returns the refusal unchanged.
   */
  readonly send: (request: OwnRequest) => Promise<Fields>
}

/**
 * The error for a response from this API that is not 2xx. The handler of the drop-in route returns the response
 * unchanged.
 */
class Refused extends Error {
  readonly response: Response

  constructor(response: Response) {
    super('refused')
    this.response = response
  }
}

const body = rawBody(/^application\/json\s*(?:;|$)/i, 'application/json')
const openObject = { type: 'object', additionalProperties: true, properties: {} } as const

export function addTranslation(
  router: OpenAPIHono<AppEnv>,
  translation: Translation,
  dispatch: Dispatch,
): void {
  const { method, path, summary, scope, status, or, query = [], problems = [], run } = translation
  const has_body = method === 'post' || method === 'put'
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  const answer = (code: number) =>
    code === 204
      ? { description: 'The request succeeded. The response has no body.' }
      : {
          description: 'The response in the format of the original service.',
          content: { 'application/json': { schema: openObject } },
        }
  const on = whenEnabled('openmonetize')
  const access = scope
    ? has_body
      ? scopedWith(scope, body, on, currentPrices)
      : scoped(scope, on, currentPrices)
    : { middleware: [body, on], security: OPEN_OR_OPERATOR }
  const declared = route({
    method,
    path,
    summary,
    ...access,
    request: {
      ...(names.length > 0 && {
        params: z.object(Object.fromEntries(names.map((name) => [name, customerText()]))),
      }),
      ...(query.length > 0 && {
        query: z.looseObject(Object.fromEntries(query.map((name) => [name, z.string().optional()]))),
      }),
      ...(has_body && {
        body: { required: true, content: { 'application/json': { schema: openObject } } },
      }),
    },
    answers: { [status]: answer(status), ...(or !== undefined && { [or]: answer(or) }) },
    problems: ['not_found', 'overloaded', 'unavailable', 'invalid_request', 'customer_mismatch', ...problems],
  })
  router.openapi(declared, async (c) => {
    const read = has_body ? readFields(c) : {}
    if (read instanceof Response) return read
    const params = { ...c.req.query(), ...c.req.param() }
    const send = async (request: OwnRequest): Promise<Fields> => {
      const response = await dispatch(c, request)
      if (!response.ok) throw new Refused(response)
      return response.status === 204 ? {} : await response.json<Fields>()
    }
    try {
      const asked: Asked = { c, params, body: snakeCase(read), send }
      return isOfAnother(asked) ? ofAnother(c) : await run(asked)
    } catch (error) {
      if (error instanceof Refused) return error.response
      throw error
    }
  })
}

/** Returns whether the path, the query or the body names a customer other than the customer of the API key. */
function isOfAnother({ c, params, body }: Asked): boolean {
  const key: AuthenticatedKey | undefined = c.get('key')
  if (!key) return false
  const named = [params.customerId, params.customer_id, body.customer_id]
  return named.some((id) => id !== undefined && id !== null && id !== key.customer_id)
}

function ofAnother(c: Context<AppEnv>): Response {
  const detail =
    'The request names a customer other than the customer of the API key. Use an API key of the named customer.'
  return problem(c, { code: 'customer_mismatch', detail })
}

function readFields(c: Context<AppEnv>): Fields | Response {
  const parsed = parseBody(c.get('body_bytes') ?? new Uint8Array())
  if (typeof parsed === 'string') return jsonProblem(c, parsed)
  if (isRecord(parsed.value)) return parsed.value
  return invalidRequest(c, 'The body must be an object.', [{ path: '', message: 'must be an object' }])
}

/**
 * Renames the fields to snake_case and removes the fields that are null. If a field occurs in both spellings, the first
 * one is used.
 */
export function snakeCase(fields: Fields): Fields {
  const named = new Map<string, unknown>()
  for (const [name, value] of Object.entries(fields)) {
    const snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    if (value !== null && value !== undefined && !named.has(snake)) named.set(snake, value)
  }
  return Object.fromEntries(named)
}

/**
 * Copies the fields in `names` from a body and gives each field its new name. Fields that the body does not have are
 * skipped.
 */
export function pick(body: Fields, names: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(names).flatMap(([from, to]) => (body[from] === undefined ? [] : [[to, body[from]]])),
  )
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Returns the value if it is a number, and otherwise 0. */
export function number(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

/**
 * Returns the exact sum of numbers with at most 12 decimal places. Throws if a number has more. Adding doubles is not
 * exact: 0.1 + 0.2 is not 0.3.
 */
export function sumOf(amounts: readonly number[]): number {
  const sum = amounts.reduce((total, amount) => {
    const exact = parseDecimal(amount, USD_DECIMALS)
    if (typeof exact === 'string') throw new RangeError(`${amount} has more than ${USD_DECIMALS} decimals`)
    return total + exact
  }, 0n)
  return Number(formatDecimal(sum, USD_DECIMALS))
}

export function rows(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isRecord) : []
}
