import { z } from '@hono/zod-openapi'
import type { FieldError } from '../../ledger/model/refusal.ts'
import type { WalletOwner } from '../../ledger/model/vocabulary.ts'

const MAX_CHARACTERS = 255
// Cc: control characters (C0, DEL and C1). Cs: a surrogate without its other half, which UTF-8 cannot encode.
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u

// Most texts are ASCII. For these, a test without Unicode properties takes a quarter of the time.
const PRINTABLE_ASCII = /^[ -~]*$/

/**
 * Reports whether `customerText` accepts a value. Also returns false for some accepted texts: texts of up to 255
 * characters with more than 255 UTF-16 units.
 */
export function isPlainText(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value !== '' &&
    value.length <= MAX_CHARACTERS &&
    (PRINTABLE_ASCII.test(value) || !UNPRINTABLE.test(value))
  )
}

/** Reports whether `customerId` accepts a value, with the same exception as `isPlainText`. */
export function isPlainId(value: unknown): value is string {
  return isPlainText(value) && value !== '.' && value !== '..'
}

/** Reports whether a text has control characters or lone surrogates, which no id or name may have. */
export function isUnprintable(text: string): boolean {
  return !PRINTABLE_ASCII.test(text) && UNPRINTABLE.test(text)
}

const NOT_PRINTABLE = 'must not have control characters or lone surrogates'

/**
 * Returns the schema for a customer's own id or name: 1 to 255 characters (code points), without control characters
 * and lone surrogates.
 */
export function customerText() {
  return z
    .string()
    .superRefine((text, ctx) => {
      // A code point is one or two UTF-16 units: count code points only between the two bounds.
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
 * Returns the schema for the id of an object of this API in a body. In paths and queries, `parametersChecked` refuses
 * unprintable characters.
 */
export function objectId() {
  return z
    .string()
    .max(64)
    .refine((id) => !isUnprintable(id), NOT_PRINTABLE)
}

/** Returns the errors of the fields of a path or a query that have control characters or lone surrogates. */
export function unprintableFields(
  fields: Readonly<Record<string, string | readonly string[]>>,
): FieldError[] {
  return Object.entries(fields)
    .filter(([, value]) => [value].flat().some(isUnprintable))
    .map(([name]) => ({ path: `/${name}`, message: NOT_PRINTABLE }))
}

/**
 * Returns the schema for an id that may be part of a path. It refuses `.` and `..`, because clients and proxies
 * remove them from paths.
 */
export function customerId() {
  return customerText().refine((id) => id !== '.' && id !== '..', 'must not be . or ..')
}

/** The fields of the owner of a wallet: a user or a team. Without both fields, the owner is the customer. */
export const subjectFields = {
  user_id: customerId().optional(),
  team_id: customerId().optional(),
}

interface Subject {
  readonly user_id?: string | undefined
  readonly team_id?: string | undefined
}

/** Refuses a wallet with two owners. Only events may name a user and a team together. */
export function refuseTwoOwners(subject: Subject, ctx: z.RefinementCtx): void {
  if (subject.user_id === undefined || subject.team_id === undefined) return
  ctx.addIssue({ code: 'custom', path: ['team_id'], message: 'must have user_id or team_id, not both' })
}

export function ownerOf({ user_id, team_id }: Subject): WalletOwner {
  if (team_id !== undefined) return { kind: 'team', id: team_id }
  if (user_id !== undefined) return { kind: 'user', id: user_id }
  return { kind: 'customer' }
}
