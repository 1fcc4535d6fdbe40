import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { AppEnv } from '../env.ts'
import { PROBLEMS, type ProblemCode } from './problem-codes.ts'

/**
 * The error format of another system, for the paths with a prefix. A problem document on these paths also has the
 * members that the other system's clients read. Clients of either system can therefore read the same document. `code`
 * is always a problem code of this API.
 */
interface Dialect {
  readonly prefix: string
  readonly members: (problem: SentProblem) => Readonly<Record<string, unknown>>
  /** The content type of the binary form of the error format; absent if the format has only a JSON form. */
  readonly binary?: string
  /** The JSON Schemas of the additional members. */
  readonly schemas: Readonly<Record<string, unknown>>
}

interface SentProblem {
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly errors?: unknown
}

const TEXT = { type: 'string' }

const DIALECTS: readonly Dialect[] = [
  // Clients of OTLP expect a `google.rpc.Status`. From its JSON form, they log `message`.
  {
    prefix: '/otlp/',
    members: ({ detail }) => ({ message: detail }),
    binary: 'application/x-protobuf',
    schemas: { message: TEXT },
  },
  {
    prefix: '/openmonetize/',
    members: ({ status, detail, errors }) => ({
      error: REASONS[status] ?? 'Error',
      message: detail,
      ...(errors !== undefined && { details: errors }),
    }),
    schemas: {
      error: TEXT,
      message: TEXT,
      details: { type: 'array', items: { type: 'object', additionalProperties: true } },
    },
  },
  {
    prefix: '/stripe/',
    members: ({ status, detail, code }) => ({
      error: { type: status >= 500 ? 'api_error' : 'invalid_request_error', code, message: detail },
    }),
    schemas: {
      error: {
        type: 'object',
        properties: { type: TEXT, code: TEXT, message: TEXT },
        required: ['type', 'code', 'message'],
        additionalProperties: false,
      },
    },
  },
]

const REASONS: Readonly<Record<number, string>> = {
  400: 'Validation Error',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  413: 'Payload Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Entity',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

function dialectOf(path: string): Dialect | undefined {
  return DIALECTS.find(({ prefix }) => path.startsWith(prefix))
}

/** Middleware that adds the members of the path's dialect to every problem document. */
export const inDialect = createMiddleware<AppEnv>(async (c, next) => {
  await next()
  const dialect = dialectOf(c.req.path)
  if (!dialect || !isProblem(c)) return
  const problem: SentProblem = await c.res.json()
  c.res = new Response(JSON.stringify({ ...problem, ...dialect.members(problem) }), c.res)
})

export function isProblem(c: Context<AppEnv>): boolean {
  return c.res.headers.get('Content-Type') === 'application/problem+json'
}

/**
 * Returns the OpenAPI response for the problem codes of one status, on a path with a dialect. Returns undefined if the
 * path has no dialect. `codesOf` reads the codes from `x-problem-codes`.
 */
export function dialectResponse(path: string, codes: readonly ProblemCode[]): object | undefined {
  const dialect = dialectOf(path)
  if (!dialect) return undefined
  const own = { type: TEXT, title: TEXT, status: { type: 'integer' }, detail: TEXT, request_id: TEXT }
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' '),
    content: {
      'application/problem+json': {
        schema: {
          type: 'object',
          'x-problem-codes': codes,
          properties: { ...own, code: { type: 'string', enum: codes }, ...dialect.schemas },
          required: [...Object.keys(own), 'code'],
          // A problem can have further members that are specific to its code.
          additionalProperties: true,
        },
      },
      ...(dialect.binary !== undefined && { [dialect.binary]: { schema: TEXT } }),
    },
  }
}
