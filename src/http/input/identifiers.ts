import { z } from '@hono/zod-openapi'
import type { FieldError } from '../../ledger/model/refusal.ts'
import type { WalletOwner } from '../../ledger/model/vocabulary.ts'

const MAX_CHARACTERS = 255
// Matches control characters (Unicode category Cc) and lone surrogates (category Cs). UTF-8 cannot encode a lone
// surrogate.
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u

/**
 * Returns true only for values that `customerText` accepts. Returns false for a few accepted values: texts with at most
 * 255 characters but more than 255 UTF-16 code units.
 */
export function isPlainText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_CHARACTERS && !isUnprintable(value)
}

/**
 * Returns true only for values that `customerId` accepts. Returns false for the same few accepted values as
 * `isPlainText`.
 */
export function isPlainId(value: unknown): value is string {
  return isPlainText(value) && value !== '.' && value !== '..'
}

/** Returns whether a text has control characters or lone surrogates. Ids and names must not have them. */
export function isUnprintable(text: string): boolean {
  return UNPRINTABLE.test(text)
}

const NOT_PRINTABLE = 'must not have control characters or lone surrogates'

/**
 * Returns the schema for an id or a name that a customer chooses. It has 1 to 255 characters (code points), without
 * control characters and lone surrogates.
 */
export function customerText() {
  return z
    .string()
    .superRefine((text, ctx) => {
      // A code point has one or two UTF-16 code units. The code points are therefore counted only if the number of
      // units leaves the result open.
      const too_long =
        text.length > 2 * MAX_CHARACTERS ||
        (text.length > MAX_CHARACTERS && [...text].length > MAX_CHARACTERS)
      if (text === '' || too_long) {
        ctx.addIssue({ code: 'custom', message: `must have 1 to ${MAX_CHARACTERS} characters` })
      } else if (isUnprintable(text)) {
        ctx.addIssue({ code: 'custom', message: NOT_PRINTABLE })
      }
    })
    .openapi({ minLength: 1, maxLength: MAX_CHARACTERS })
}

/**
 * Returns the schema for the id of an object of this API. It refuses unprintable characters. In paths and queries,
 * `parametersChecked` also refuses them.
 */
export function objectId() {
  return z
    .string()
    .max(64)
    .refine((id) => !isUnprintable(id), NOT_PRINTABLE)
}

/** Returns an error for each parameter of a path or a query that has control characters or lone surrogates. */
export function unprintableFields(
  fields: Readonly<Record<string, string | readonly string[]>>,
): FieldError[] {
  return Object.entries(fields)
    .filter(([, value]) => [value].flat().some(isUnprintable))
    .map(([name]) => ({ path: `/${name}`, message: NOT_PRINTABLE }))
}

/**
 * Returns the schema for an id that a customer chooses and that can be part of a path. It refuses `.` and `..`, because
 * clients and proxies remove them from paths.
 */
export function customerId() {
  return customerText().refine((id) => id !== '.' && id !== '..', 'must not be . or ..')
}

/**
 * The fields that name the owner of a wallet: a user or a team. If both fields are absent, the owner is the customer.
 */
export const subjectFields = {
  user_id: customerId().optional(),
  team_id: customerId().optional(),
}

interface Subject {
  readonly user_id?: string | undefined
  readonly team_id?: string | undefined
}

/**
 * Adds an error if a request names both a user and a team as the owner of a wallet. Requests that use a feature, such
 * as an event or a new hold, can name both.
 */
export function refuseTwoOwners(subject: Subject, ctx: z.RefinementCtx): void {
  if (subject.user_id === undefined || subject.team_id === undefined) return
  ctx.addIssue({ code: 'custom', path: ['team_id'], message: 'cannot be combined with user_id' })
}

export function ownerOf({ user_id, team_id }: Subject): WalletOwner {
  if (team_id !== undefined) return { kind: 'team', id: team_id }
  if (user_id !== undefined) return { kind: 'user', id: user_id }
  return { kind: 'customer' }
}
