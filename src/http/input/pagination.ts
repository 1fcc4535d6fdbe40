import { z } from '@hono/zod-openapi'
import type { RandomIdPrefix } from '../../ids.ts'

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 100
const CURSOR = /^c([0-9a-z]{1,9})$/

/** The query parameters of every list. */
export const pageQuery = {
  limit: z
    .string()
    .regex(/^([1-9]|[1-9]\d|100)$/, `must be a whole number from 1 to ${MAX_LIMIT}`)
    .transform(Number)
    .default(DEFAULT_LIMIT)
    .openapi({ type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT }),
  cursor: z
    .string()
    .regex(CURSOR, 'must be the next_cursor of an earlier answer')
    .transform((cursor) => Number.parseInt(cursor.slice(1), 36))
    .optional()
    .openapi({ type: 'string', description: 'The `next_cursor` of the page before.' }),
}

/** `pageQuery` for lists in the order of their rows' ids: the cursor is the last id of the page before. */
export function idPageQuery(prefix: RandomIdPrefix) {
  return {
    limit: pageQuery.limit,
    cursor: z
      .string()
      .regex(new RegExp(`^${prefix}_[0-9a-hjkmnp-tv-z]{26}$`), 'must be the next_cursor of an earlier answer')
      .optional()
      .openapi({ type: 'string', description: 'The `next_cursor` of the page before.' }),
  }
}

/** Comes behind every id: where a list that is read downwards begins. */
export const BEHIND_ALL_IDS = '~'

/** A page of rows of which one more than `limit` was read, to see whether there is a next one. */
export function idPage<T>(
  rows: readonly T[],
  limit: number,
  idOf: (row: T) => string,
): { readonly rows: readonly T[]; readonly next_cursor: string | null } {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return { rows: page, next_cursor: rows.length > limit && last !== undefined ? idOf(last) : null }
}

/** What a list answers: a page of `item` and where the next one begins. */
export function pageSchema(item: z.ZodType) {
  return z.object({ data: z.array(item), next_cursor: z.string().nullable() })
}

/** A cursor that says: go on below this entry. Opaque to clients; null stands for the end. */
export function nextCursor(before_entry: number | null): string | null {
  return before_entry === null ? null : `c${before_entry.toString(36)}`
}
