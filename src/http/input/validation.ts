import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { type FieldError, invalid } from '../../ledger/model/refusal.ts'
import type { AppEnv } from '../env.ts'
import { problem, refusalResponse } from '../output/problem.ts'

// zod's own words for a missing field are "expected string, received undefined".
z.config({
  customError: (issue) => (issue.input === undefined && isTypeIssue(issue.code) ? 'required' : undefined),
})

function isTypeIssue(code: string | undefined): boolean {
  return code === 'invalid_type' || code === 'invalid_value' || code === 'invalid_union'
}

type Issue = z.core.$ZodIssue
type ValidationTarget = 'json' | 'form' | 'query' | 'param' | 'header' | 'cookie'

type ValidationResult = { readonly target: ValidationTarget } & (
  | { readonly success: true }
  | { readonly success: false; readonly error: z.core.$ZodError }
)

/** The hook of every router: a request that its schema refuses becomes a 400 that names each field. */
export function validationHook(result: ValidationResult, c: Context<AppEnv>): Response | undefined {
  if (result.success) return undefined
  if (result.target === 'json' && c.get('body_is_empty')) {
    return problem(c, {
      code: 'invalid_json',
      detail: 'The request has no body, and this route needs a JSON object.',
    })
  }
  return refusalResponse(c, invalid(fieldErrors(result.error.issues), PLACES[result.target]))
}

const PLACES: Record<ValidationTarget, string> = {
  json: 'body',
  form: 'form',
  query: 'query',
  param: 'path',
  header: 'headers',
  cookie: 'cookies',
}

/** zod's issues as the fields of a problem document. An unknown field is named at its own pointer. */
export function fieldErrors(issues: readonly Issue[], base: readonly PropertyKey[] = []): FieldError[] {
  return issues.flatMap((issue) => {
    const path = [...base, ...issue.path]
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: jsonPointer([...path, key]), message: 'unknown field' }))
    }
    const branch = issue.code === 'invalid_union' ? closestBranch(issue.errors) : undefined
    return branch ? fieldErrors(branch, path) : [{ path: jsonPointer(path), message: issue.message }]
  })
}

/**
 * The alternative of a union that the input was probably meant to be: the one with the fewest complaints among
 * those it at least looks like. None when it looks like no alternative: then the union's own message is the best.
 */
function closestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const alike = branches.filter(
    (issues) => !issues.some((issue) => issue.code === 'invalid_type' && issue.path.length === 0),
  )
  return alike.toSorted((a, b) => a.length - b.length)[0]
}

/** RFC 6901. */
export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
