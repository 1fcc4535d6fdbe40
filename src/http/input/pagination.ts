import { z } from '@hono/zod-openapi'
import type { RandomIdPrefix } from '../../ids.ts'

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 100
const CURSOR = /^c([0-9a-z]{1,9})$/
const NOT_A_CURSOR = 'must be a next_cursor from an earlier response'
const CURSOR_PARAMETER = {
  type: 'string',
  description: 'The `next_cursor` of the previous page. Omit it for the first page.',
} as const

/** The query parameters of lists whose cursor contains a number. */
export const pageQuery = {
  limit: z
    .string()
    .regex(/^([1-9]|[1-9]\d|100)$/, `must be a whole number from 1 to ${MAX_LIMIT}`)
    .transform(Number)
    .default(DEFAULT_LIMIT)
    .openapi({ type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT }),
  cursor: z
    .string()
    .regex(CURSOR, NOT_A_CURSOR)
    .transform((cursor) => Number.parseInt(cursor.slice(1), 36))
    .optional()
    .openapi(CURSOR_PARAMETER),
}

/**
 * Returns the query parameters of lists in the order of their ids. The cursor is the last id of the previous page.
 */
export function idPageQuery(prefix: RandomIdPrefix) {
  return {
    limit: pageQuery.limit,
    cursor: z
      .string()
      .regex(new RegExp(`^${prefix}_[0-9a-hjkmnp-tv-z]{26}$`), NOT_A_CURSOR)
      .optional()
      .openapi(CURSOR_PARAMETER),
  }
}

/**
 * Returns the query parameters of lists whose positions have several fields. The cursor is the position as JSON in
 * base64url, because its texts may contain any character.
 */
export function placePageQuery<T>(place: z.ZodType<T>) {
  return {
    limit: pageQuery.limit,
    cursor: z
      .string()
      .transform((cursor, ctx): T => {
        const found = PLACE_CURSOR.test(cursor) ? place.safeParse(jsonOf(cursor)) : undefined
        if (found?.success) return found.data
        ctx.addIssue({ code: 'custom', message: NOT_A_CURSOR })
        return z.NEVER
      })
      .optional()
      .openapi(CURSOR_PARAMETER),
  }
}

const PLACE_CURSOR = /^[\w-]{1,4000}$/

function jsonOf(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    return undefined
  }
}

/** Returns the cursor of a position. `placePageQuery` reads this cursor. */
export function placeCursor(place: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url')
}

/** A text that sorts after every id, for the start of a descending list. */
export const BEHIND_ALL_IDS = '~'

/** Returns a page of at most `limit` rows. The caller must read one row more than `limit`, to detect a next page. */
export function idPage<T>(
  rows: readonly T[],
  limit: number,
  idOf: (row: T) => string,
): { readonly rows: readonly T[]; readonly next_cursor: string | null } {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return { rows: page, next_cursor: rows.length > limit && last !== undefined ? idOf(last) : null }
}

/** Returns the schema of a list's answer: a page of `item` and the cursor of the next page. */
export function pageSchema(item: z.ZodType) {
  return z.object({ data: z.array(item), next_cursor: z.string().nullable() })
}

/**
 * Returns a cursor with the number at which the next page begins; null on the last page. The cursor is opaque to
 * clients.
 */
export function nextCursor(before_entry: number | null): string | null {
  return before_entry === null ? null : `c${before_entry.toString(36)}`
}
