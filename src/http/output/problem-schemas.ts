import { z } from '@hono/zod-openapi'
import { PROBLEMS, type ProblemCode } from './problem-codes.ts'

/**
 * Defines the schemas of the problem documents. Each problem code has a schema, which contains the members that are
 * specific to the code.
 */

const exact = (description: string) => z.number().openapi({ description })
const nearest = z.array(z.string()).openapi({ description: 'Similar names, closest first.' })
const checked = z.object({ ok: z.boolean(), latency_ms: z.number() })

/** The description of `resets_at`, which is the same in every response about a limit. */
export const RESETS_AT =
  'The time when a fixed window ends, or when the oldest use leaves a rolling window. Null if there is no such time.'

const MEMBERS: Partial<Record<ProblemCode, z.ZodRawShape>> = {
  invalid_request: {
    errors: z.array(
      z.object({
        path: z.string().openapi({
          description: 'A JSON Pointer (RFC 6901) to the invalid field; empty for the whole body.',
        }),
        message: z.string(),
      }),
    ),
  },
  insufficient_credits: {
    balance: exact('Credits in the wallet, including held credits.'),
    available_balance: exact('The balance minus held credits, and minus credits of lots that begin later.'),
    required: exact('Credits that the request requires.'),
    wallet_id: z.string(),
  },
  limit_reached: {
    feature_id: z.string(),
    level: z
      .enum(['user', 'team', 'key', 'model', 'customer'])
      .openapi({ description: 'The kind of subject that the limit applies to.' }),
    key_id: z.string().optional().openapi({ description: 'The id of the API key, if `level` is `key`.' }),
    model: z.string().optional().openapi({ description: 'The model, if `level` is `model`.' }),
    unit: z.enum(['credits', 'events', 'tokens', 'usd']),
    limit: exact('The limit for a window, in `unit`.'),
    used: exact('The amount that is used in the current window or held, in `unit`.'),
    resets_at: z.iso.datetime().nullable().openapi({ description: RESETS_AT }),
  },
  feature_not_allowed: {
    feature_id: z.string(),
    reason: z.enum(['feature_disabled', 'feature_not_enabled']),
  },
  already_processed: {
    event_id: z.string().nullable().openapi({
      description: 'The event of the call; null while the call runs, and if its charge has no event.',
    }),
  },
  unpriced_model: { nearest },
  unknown_provider: { nearest },
  quota_exceeded: {
    limit: exact('The maximum number of events, or of other changes, in a calendar month (UTC).'),
    resets_at: z.iso.datetime(),
  },
  unavailable: {
    checks: z
      .object({ d1: checked, kv: checked, object: checked })
      .optional()
      .openapi({ description: 'The result of each check, only for `GET /ready`.' }),
  },
}

/** Returns the schema of the problem documents that have the given code. */
export function problemSchema(code: ProblemCode): z.ZodType {
  const { status, title } = PROBLEMS[code]
  return z
    .object({
      type: z.url().openapi({ description: 'A link to the meaning of the code and how to resolve it.' }),
      title: z.literal(title),
      status: z.literal(status),
      detail: z.string().openapi({
        description: 'A description of the fault in this request, for a person.',
      }),
      code: z.literal(code).openapi({ description: 'The stable code of the problem, for programs.' }),
      request_id: z.string().openapi({ description: 'The value of the X-Request-Id header.' }),
      ...MEMBERS[code],
    })
    .openapi(problemSchemaName(code))
}

/**
 * Returns the name of the schema of a problem code in the OpenAPI document, for example `InsufficientCreditsProblem`.
 */
export function problemSchemaName(code: ProblemCode): string {
  const words = code.split('_').map((word) => word.charAt(0).toUpperCase() + word.slice(1))
  return `${words.join('')}Problem`
}

const REF = '#/components/schemas/'

/** Returns the OpenAPI response for the problem codes of one status. `codesOf` can read the codes from it. */
export function problemResponse(codes: readonly ProblemCode[]) {
  const refs = codes.map((code) => ({ $ref: REF + problemSchemaName(code) }))
  const mapping = Object.fromEntries(codes.map((code) => [code, REF + problemSchemaName(code)]))
  const [only] = refs
  const schema =
    only && refs.length === 1 ? only : { oneOf: refs, discriminator: { propertyName: 'code', mapping } }
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' '),
    content: { 'application/problem+json': { schema } },
  }
}

const CODES_BY_REF = new Map<string, ProblemCode>()
for (const code of problemCodes()) CODES_BY_REF.set(REF + problemSchemaName(code), code)

/** Returns all problem codes in the order of `PROBLEMS`. */
export function problemCodes(): ProblemCode[] {
  return Object.keys(PROBLEMS).filter((code): code is ProblemCode => code in PROBLEMS)
}

/**
 * Returns the problem codes that an OpenAPI response declares. Returns an empty list if the response is not a problem.
 */
export function codesOf(response: unknown): ProblemCode[] {
  const text = JSON.stringify(response)
  const found = [...text.matchAll(/"\$ref":"([^"]+)"/g)]
  const listed = [...text.matchAll(/"x-problem-codes":(\[[^\]]*\])/g)]
  return [
    ...found.flatMap(([, ref = '']) => CODES_BY_REF.get(ref) ?? []),
    ...listed.flatMap(([, codes = '[]']) => problemCodes().filter((code) => codes.includes(`"${code}"`))),
  ]
}
