import type { RouteConfig, z } from '@hono/zod-openapi'
import { PROBLEMS, type ProblemCode } from './problem-codes.ts'
import { problemResponse } from './problem-schemas.ts'

type Responses = RouteConfig['responses']

/**
 * The `responses` of a route: what it answers, and the problems it can answer with, one response per status.
 * Their type is loose on purpose: a handler returns a plain `Response`, because its numbers are exact JSON text
 * (`jsonResponse`) that no TypeScript type of a JSON value describes.
 */
export function responses(success: Responses, codes: readonly ProblemCode[] = []): Responses {
  const documented: Responses = { ...success }
  const codesByStatus = new Map<number, ProblemCode[]>()
  for (const code of codes) {
    const { status } = PROBLEMS[code]
    const known = codesByStatus.get(status) ?? []
    if (!known.includes(code)) codesByStatus.set(status, [...known, code])
  }
  for (const [status, shared] of codesByStatus) {
    documented[status] = problemResponse(shared)
  }
  return documented
}

/** A JSON answer with its schema. */
export function json(description: string, schema: z.ZodType): Responses[number] {
  return { description, content: { 'application/json': { schema } } }
}

/** A required JSON body. */
export function jsonRequest<T extends z.ZodType>(schema: T) {
  return { required: true, content: { 'application/json': { schema } } } as const
}

/** A JSON body that may be left out. */
export function optionalJsonRequest<T extends z.ZodType>(schema: T) {
  return { required: false, content: { 'application/json': { schema } } } as const
}

/** What every route behind a key can answer. */
export const KEY_PROBLEMS = [
  'missing_api_key',
  'invalid_api_key',
  'revoked_api_key',
  'expired_api_key',
  'rate_limited',
] as const
export const BODY_PROBLEMS = [
  'invalid_request',
  'invalid_json',
  'body_too_large',
  'unsupported_media_type',
] as const

/** What every route of a ledger that reads can answer. */
export const READ_PROBLEMS = [
  ...KEY_PROBLEMS,
  'invalid_request',
  'insufficient_scope',
  'overloaded',
  'unavailable',
] as const

/** What every route of a ledger that changes something can answer; a retry under the same key is safe after a 503. */
export const WRITE_PROBLEMS = [
  ...KEY_PROBLEMS,
  ...BODY_PROBLEMS,
  'insufficient_scope',
  'customer_suspended',
  'overloaded',
  'unavailable',
] as const
