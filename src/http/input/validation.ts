import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { type FieldError, invalid } from '../../ledger/model/refusal.ts'
import type { AppEnv } from '../env.ts'
import { problem, refusalResponse } from '../output/problem.ts'
import { issueMessage } from './issue-messages.ts'

z.config({ customError: issueMessage })

/**
 * The refinement for the body of a PATCH: it requires at least one field, because all fields of such a body are
 * optional.
 */
export const CHANGES_SOMETHING = [
  (change: object) => Object.keys(change).length > 0,
  'must have at least one field to change',
] as const

type Issue = z.core.$ZodIssue
type ValidationTarget = 'json' | 'form' | 'query' | 'param' | 'header' | 'cookie'

type ValidationResult = { readonly target: ValidationTarget } & (
  | { readonly success: true }
  | { readonly success: false; readonly error: z.core.$ZodError }
)

/** Returns a 400 that names the invalid fields or reports a missing body; undefined if the request is valid. */
export function validationHook(result: ValidationResult, c: Context<AppEnv>): Response | undefined {
  if (result.success) return undefined
  if (result.target === 'json' && c.get('body_is_empty')) {
    return problem(c, {
      code: 'invalid_json',
      detail: 'The request has no body. This route requires a JSON object.',
    })
  }
  const { issues } = result.error
  const errors = fieldErrors(result.target === 'query' ? issues.map((issue) => repeated(issue, c)) : issues)
  return refusalResponse(c, invalid(errors, PLACES[result.target]))
}

/**
 * Replaces the error text of an issue if its query parameter was sent several times. A repeated parameter is a list, so
 * most schemas would only report a wrong type.
 */
function repeated(issue: Issue, c: Context<AppEnv>): Issue {
  const [name, ...inner] = issue.path
  const is_type = issue.code === 'invalid_type' || issue.code === 'invalid_value'
  if (!is_type || name === undefined || inner.length > 0) return issue
  const is_repeated = (c.req.queries(String(name))?.length ?? 0) > 1
  return is_repeated ? { ...issue, message: 'must be given once' } : issue
}

const PLACES: Record<ValidationTarget, string> = {
  json: 'body',
  form: 'form',
  query: 'query',
  param: 'path',
  header: 'headers',
  cookie: 'cookies',
}

/**
 * Converts the issues of zod to the errors of a problem document, with at most one error for each field. Each unknown
 * field has a separate error.
 */
export function fieldErrors(issues: readonly Issue[]): FieldError[] {
  const errors = allErrors(issues, [])
  const first = new Map(errors.map((error) => [error.path, error] as const).toReversed())
  return errors.filter((error) => first.get(error.path) === error)
}

function allErrors(issues: readonly Issue[], base: readonly PropertyKey[]): FieldError[] {
  return issues.flatMap((issue) => {
    const path = [...base, ...issue.path]
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: jsonPointer([...path, key]), message: 'unknown field' }))
    }
    const branch = issue.code === 'invalid_union' ? closestBranch(issue.errors) : undefined
    return branch ? allErrors(branch, path) : [{ path: jsonPointer(path), message: issue.message }]
  })
}

/**
 * Returns the issues of the alternative of a union that is closest to the input: among the alternatives with the right
 * JSON type, the one with the fewest issues. Returns undefined if no alternative has the right JSON type. The caller
 * then uses the error text of the union.
 */
function closestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const alike = branches.filter(
    (issues) => !issues.some((issue) => issue.code === 'invalid_type' && issue.path.length === 0),
  )
  return alike.toSorted((a, b) => a.length - b.length)[0]
}

/** Converts a path to a JSON Pointer (RFC 6901). */
export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
