import type { Mode } from '../db/schema.ts'
import { firstAuditIdAt } from '../ids.ts'
import { OPERATOR_SCOPE } from '../ledger/flush/audit-log.ts'
import type { AuditAction } from './record.ts'

export interface AuditQuery {
  /**
   * The id of the customer whose records are listed. If undefined, all records are listed, including records without a
   * customer.
   */
  readonly customer_id: string | undefined
  readonly actor: string | undefined
  readonly action: AuditAction | undefined
  readonly target: string | undefined
  readonly from_ms: number | undefined
  /** The end of the time range, exclusive. */
  readonly to_ms: number | undefined
  /** The upper limit of the listed ids, exclusive. */
  readonly before_id: string | undefined
  readonly limit: number
}

export interface StoredAudit {
  readonly customer_id: string | null
  readonly audit_id: string
  readonly at_ms: number
  readonly mode: Mode | null
  readonly actor: string
  readonly action: AuditAction
  readonly target: string
  readonly ip: string | null
  readonly request_id: string | null
  readonly state_before: string | null
  readonly state_after: string | null
}

export interface AuditPage {
  /** The records, newest first. */
  readonly records: readonly StoredAudit[]
  /** The `before_id` of the next page; null on the last page. */
  readonly next_before_id: string | null
}

/**
 * The maximum number of records that the query of a filtered page examines. A page can therefore contain fewer records
 * than requested although more pages follow.
 */
export const MAX_EXAMINED = 1_000

// Reads a range of records, newest first. Ids sort by time, so a time range is a range of ids. The records of one
// customer are read from the primary key: 1 row for each examined record. The records of all customers are read from
// the index `audit_log_time`: 2 rows for each examined record, one of them in the index.
const RANGE = 'audit_id >= ?2 AND audit_id < ?3 ORDER BY audit_id DESC LIMIT ?4'
const OF_CUSTOMER = `FROM audit_log WHERE scope = ?1 AND ${RANGE}`
const OF_ALL = `FROM audit_log INDEXED BY audit_log_time WHERE ?1 IS NULL AND ${RANGE}`

function matching(examined: string): string {
  return `
    SELECT nullif(scope, '${OPERATOR_SCOPE}') AS customer_id, audit_id, at_ms, mode, actor, action, target, ip,
      request_id, state_before, state_after
    FROM (SELECT * ${examined})
    WHERE (?5 IS NULL OR actor = ?5) AND (?6 IS NULL OR action = ?6) AND (?7 IS NULL OR target = ?7)
    ORDER BY audit_id DESC LIMIT ?8`
}

function lastOf(examined: string): string {
  return `SELECT count(*) AS records, min(audit_id) AS last_id FROM (SELECT audit_id ${examined})`
}

/**
 * Lists audit records, newest first. Reads a limited number of rows. Does not find the records of unflushed changes.
 */
export async function listAudit(db: D1Database, query: AuditQuery): Promise<AuditPage> {
  const { customer_id, actor, action, target, limit } = query
  const from_id = firstAuditIdAt(query.from_ms ?? 0)
  const below_id = least(query.before_id, query.to_ms === undefined ? undefined : firstAuditIdAt(query.to_ms))
  const range = [customer_id ?? null, from_id, below_id] as const
  const filtered = actor !== undefined || action !== undefined || target !== undefined
  const examined = filtered ? MAX_EXAMINED : limit + 1
  const order = customer_id === undefined ? OF_ALL : OF_CUSTOMER
  const page = db
    .prepare(matching(order))
    .bind(...range, examined, actor ?? null, action ?? null, target ?? null, limit + 1)
  if (!filtered) return pageOf((await page.all<StoredAudit>()).results, limit, null)
  const end = db.prepare(lastOf(order)).bind(...range, examined)
  const [found, looked] = await db.batch<StoredAudit & ExaminedRange>([page, end])
  const last = looked?.results[0]
  return pageOf(found?.results ?? [], limit, last?.records === examined ? last.last_id : null)
}

interface ExaminedRange {
  readonly records: number
  readonly last_id: string | null
}

/**
 * Returns a page of the found records. `end_id` is the id of the last examined record if unexamined records can remain,
 * and otherwise null.
 */
function pageOf(found: readonly StoredAudit[], limit: number, end_id: string | null): AuditPage {
  const records = found.slice(0, limit)
  return { records, next_before_id: found.length > limit ? (records.at(-1)?.audit_id ?? null) : end_id }
}

/** A text that sorts after the id of every audit record. */
const ABOVE_ALL = 'aud_~'

function least(...ids: readonly (string | undefined)[]): string {
  return ids.reduce<string>((a, b) => (b !== undefined && b < a ? b : a), ABOVE_ALL)
}
