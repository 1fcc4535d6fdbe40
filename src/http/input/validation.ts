import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { type FieldError, invalid } from '../../ledger/model/refusal.ts'
import type { AppEnv } from '../env.ts'
import { problem, refusalResponse } from '../output/problem.ts'
import { issueMessage } from './issue-messages.ts'

z.config({ customError: issueMessage })

/** The refinement of the body of a PATCH whose fields are all optional. */
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

/** Answers an invalid request with a 400 that names each invalid field. */
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
 * Replaces the message of an issue if its parameter is repeated. Such a parameter is a list, which most schemas
 * refuse as the wrong type.
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
 * Converts zod's issues to the errors of a problem document, at most one for each field. An unknown field gets its
 * own pointer.
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
 * Returns the issues of the union's alternative that is closest to the input: the alternative of the right JSON type
 * with the fewest errors. Returns undefined if no alternative has the right type. The caller then uses the message of
 * the union.
 */
function closestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const alike = branches.filter(
    (issues) => !issues.some((issue) => issue.code === 'invalid_type' && issue.path.length === 0),
  )
  return alike.toSorted((a, b) => a.length - b.length)[0]
}

/** Returns a path as a JSON pointer (RFC 6901). */
export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
