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

/** The query parameters of a list whose cursor contains a number, such as the number of an entry. */
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

/** Returns the query parameters of a list that is ordered by id. The cursor is the last id of the previous page. */
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
 * Returns the query parameters of a list in which a position consists of several values. The cursor is the position as
 * JSON in base64url, because the values can contain any character.
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

/** Returns the cursor for a position, in the format that `placePageQuery` reads. */
export function placeCursor(place: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url')
}

/** A text that sorts after every id. The first page of a list in descending order uses it in place of a cursor. */
export const BEHIND_ALL_IDS = '~'

/**
 * Returns a page of at most `limit` rows and the cursor of the next page; null if there is no next page. The caller
 * must read one row more than `limit`, because the additional row shows that a next page exists.
 */
export function idPage<T>(
  rows: readonly T[],
  limit: number,
  idOf: (row: T) => string,
): { readonly rows: readonly T[]; readonly next_cursor: string | null } {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return { rows: page, next_cursor: rows.length > limit && last !== undefined ? idOf(last) : null }
}

/** Returns the schema of a list response: the items of a page and the cursor of the next page. */
export function pageSchema(item: z.ZodType) {
  return z.object({ data: z.array(item), next_cursor: z.string().nullable() })
}

/**
 * Returns the cursor of the next page, which contains the number `before_entry`. Returns null if there is no next page.
 * Clients must not interpret the cursor.
 */
export function nextCursor(before_entry: number | null): string | null {
  return before_entry === null ? null : `c${before_entry.toString(36)}`
}
