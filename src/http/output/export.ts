import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { parseAccept } from 'hono/utils/accept'
import { logError } from '../../logging/log.ts'
import { type AppEnv, routeOf } from '../env.ts'
import { nextCursor } from '../input/pagination.ts'
import { jsonResponse, stringifyJson } from './json.ts'

/** Streams a list as CSV or NDJSON if the header `Accept` requests one of these formats. */

const EXPORTS = { csv: 'text/csv', ndjson: 'application/x-ndjson' } as const

export type ExportFormat = keyof typeof EXPORTS

/**
 * Returns the export format that the header `Accept` prefers. Returns null if the request prefers JSON, has no
 * `Accept`, or accepts no supported type. Among types with equal preference, exact types precede wildcards, and earlier
 * types precede later types.
 */
export function exportFormat(c: Context): ExportFormat | null {
  const accepted = parseAccept(c.req.header('Accept') ?? '').flatMap(({ type, q }) => {
    const format = formatOf(type.toLowerCase())
    return format === undefined || !(q > 0) ? [] : [{ format, q, wildcard: type.includes('*') }]
  })
  const [best] = accepted.toSorted((a, b) => b.q - a.q || Number(a.wildcard) - Number(b.wildcard))
  return best?.format ?? null
}

function formatOf(type: string): ExportFormat | null | undefined {
  if (type === EXPORTS.csv) return 'csv'
  if (type === EXPORTS.ndjson) return 'ndjson'
  return ['application/json', 'application/*', '*/*'].includes(type) ? null : undefined
}

/** The response header that contains the cursor of the remaining rows, if an export ends before the last row. */
const NEXT_CURSOR = 'X-Next-Cursor'

/** Returns the OpenAPI response of a list, with JSON, CSV and NDJSON as its formats. */
export function listAnswer(description: string, schema: z.ZodType) {
  const text = (of: string) => ({ schema: z.string().openapi({ description: of }) })
  return {
    description,
    headers: z.object({
      [NEXT_CURSOR]: z.string().optional().openapi({
        description:
          'The `cursor` of the remaining rows, only with CSV and NDJSON. Absent if there are no more rows.',
      }),
    }),
    content: {
      'application/json': { schema },
      [EXPORTS.csv]: text('CSV according to RFC 4180, with a header row.'),
      [EXPORTS.ndjson]: text('One row as a JSON object on each line.'),
    },
  }
}

/** The text about exports for the descriptions of lists in the OpenAPI document. */
export const EXPORT_DESCRIPTION =
  'With `Accept: text/csv` or `application/x-ndjson`, the response streams all rows instead of a page. One response covers up to about 20,000 ledger entries, including entries that the filters leave out. If there are more entries, `X-Next-Cursor` contains the `cursor` of the remaining rows. With `limit`, the response is one page in that format.'

/**
 * Returns whether the response must contain all rows: the request is an export without `limit`. With `limit`, an export
 * contains one page.
 */
export function wantsAllRows(c: Context): boolean {
  return exportFormat(c) !== null && c.req.query('limit') === undefined
}

export interface Rows<T> {
  /** The names of the CSV columns, in order. */
  readonly columns: readonly string[]
  readonly next_before_entry: number | null
  readonly chunks: AsyncIterable<readonly T[]> | Iterable<readonly T[]>
  readonly render: (row: T) => object
}

/** Returns a response with one page of a list, in the format that the request prefers. */
export function pageResponse<T>(
  c: Context<AppEnv>,
  page: Omit<Rows<T>, 'chunks'>,
  rows: readonly T[],
): Response {
  const format = exportFormat(c)
  if (format !== null) return streamed(c, format, { ...page, chunks: [rows] })
  const data = rows.map((row) => page.render(row))
  return jsonResponse(c, { data, next_cursor: nextCursor(page.next_before_entry) })
}

/** Returns a response that streams all rows. The caller must first check that `wantsAllRows` returns true. */
export function exportResponse<T>(c: Context<AppEnv>, rows: Rows<T>): Response {
  return streamed(c, exportFormat(c) ?? 'ndjson', rows)
}

function streamed<T>(c: Context<AppEnv>, format: ExportFormat, rows: Rows<T>): Response {
  const cursor = nextCursor(rows.next_before_entry)
  const type = format === 'csv' ? `${EXPORTS.csv}; charset=utf-8; header=present` : EXPORTS.ndjson
  const headers = { 'Content-Type': type, ...(cursor !== null && { [NEXT_CURSOR]: cursor }) }
  return streamText(c, textOf(format, rows), headers)
}

async function* textOf<T>(
  format: ExportFormat,
  { columns, chunks, render }: Rows<T>,
): AsyncGenerator<string> {
  let head = format === 'csv' ? csvLine(columns) : ''
  for await (const chunk of chunks) {
    const rows = chunk.map((row) => render(row))
    yield head + linesOf(format, columns, rows)
    head = ''
  }
  yield head
}

/**
 * Streams an export only as fast as the client reads it. If the export fails, the connection is closed before the end
 * of the body. A client can therefore detect an incomplete export.
 */
export function streamText(
  c: Context<AppEnv>,
  texts: AsyncGenerator<string>,
  headers: Readonly<Record<string, string>>,
): Response {
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          let next = await texts.next()
          while (next.value === '') next = await texts.next()
          if (next.done) controller.close()
          else controller.enqueue(encoder.encode(next.value))
        } catch (error) {
          logError('export_interrupted', error, { request_id: c.get('request_id'), route: routeOf(c) })
          controller.error(error)
        }
      },
      async cancel() {
        await texts.return(undefined)
      },
    },
    // With this setting, no rows are read before the client reads the body. A HEAD request therefore reads no rows.
    { highWaterMark: 0 },
  )
  return c.body(body, 200, headers)
}

function linesOf(format: ExportFormat, columns: readonly string[], rows: readonly object[]): string {
  if (format === 'ndjson') return rows.map((row) => `${stringifyJson(row)}\n`).join('')
  return rows
    .map((row) => {
      const fields = new Map<string, unknown>(Object.entries(row))
      return csvLine(columns.map((column) => fields.get(column)))
    })
    .join('')
}

function csvLine(values: readonly unknown[]): string {
  return `${values.map(csvField).join(',')}\r\n`
}

// Spreadsheets interpret a text that begins with one of these characters as a formula, so an apostrophe is put before
// it. The pattern also contains the apostrophe: every text that begins with an apostrophe gets another one, so removing
// one apostrophe always restores the original text.
const FORMULA = /^[=+\-@\t\r\n'＝＋－＠]/

/**
 * Formats a value as a CSV field (RFC 4180). A missing value becomes an empty field. Decimals are exact. Lists and
 * objects become JSON. Spreadsheets cannot interpret the field as a formula.
 */
function csvField(value: unknown): string {
  if (value === null || value === undefined) return ''
  const text = typeof value === 'string' ? (FORMULA.test(value) ? `'${value}` : value) : stringifyJson(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
