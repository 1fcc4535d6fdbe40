import { type AuditPlace, type AuditRecord, stateText } from '../../audit/record.ts'
import { jsonParameters } from '../../db/json-parameters.ts'
import { ledgerName } from '../../db/ledger-db.ts'
import { auditId, newId } from '../../ids.ts'
import type { JournalRecord } from '../model/journal.ts'
import { tagOf } from '../model/ledger-ids.ts'

/** Writes the audit log. Each record writes 2 rows: the record, and its entry in the index over all customers. */

/** The scope of audit records that concern no customer. Other records have the customer's id as their scope. */
export const OPERATOR_SCOPE = 'operator'

const COLUMNS = `scope, audit_id, at_ms, mode, actor, action, target, ip, request_id, state_before, state_after`

const INSERT = `
  INSERT INTO audit_log (${COLUMNS}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 WHERE ?12 OR changes() > 0`

/**
 * Returns the statement that records a change in D1. Add the statement to the batch of the change, so that both are
 * written or neither is. With `if_changed`, the statement must directly follow the statement of the change. It then
 * records nothing if that statement changed no row.
 */
export function auditStatement(
  db: D1Database,
  { customer_id, mode }: AuditPlace,
  record: AuditRecord,
  at_ms: number,
  { if_changed = false }: { readonly if_changed?: boolean } = {},
): D1PreparedStatement {
  return db
    .prepare(INSERT)
    .bind(
      customer_id ?? OPERATOR_SCOPE,
      newId('aud', at_ms),
      at_ms,
      mode,
      record.actor,
      record.action,
      record.target,
      record.ip ?? null,
      record.request_id ?? null,
      stateText(record.before),
      stateText(record.after),
      if_changed ? 0 : 1,
    )
}

// Writes the audit records of a flush. Writes nothing if the watermark has moved. After a restore of D1, a flush writes
// journal rows again, and skips the audit records whose ids exist.
const INSERT_FLUSHED = `
  INSERT INTO audit_log (${COLUMNS})
  SELECT ?1, value ->> 'audit_id', value ->> 'at_ms', ?2, value ->> 'actor', value ->> 'action', value ->> 'target',
    value ->> 'ip', value ->> 'request_id', value ->> 'before', value ->> 'after'
  FROM json_each(?3)
  WHERE (SELECT flushed_row FROM ledgers WHERE ledger_id = ?4) = ?5
    AND NOT EXISTS (SELECT 1 FROM audit_log WHERE scope = ?1 AND audit_id = value ->> 'audit_id')`

/** An audit record of a ledger's journal, with its position: the row, and the index among the records of the row. */
export interface JournaledAudit {
  readonly record: AuditRecord
  readonly at_ms: number
  readonly row_id: number
  readonly index: number
}

/** Returns the audit records of a journal row. */
export function journaledAudits(row: {
  readonly row_id: number
  readonly records: readonly JournalRecord[]
}): JournaledAudit[] {
  return row.records.flatMap((record, index) =>
    record.kind === 'audit' ? [{ record: record.audit, at_ms: record.at_ms, row_id: row.row_id, index }] : [],
  )
}

/** Returns the statements that write the audit records of a flush. They are part of the flush's batch. */
export function insertFlushedAudits(
  db: D1Database,
  ledger_id: string,
  audits: readonly JournaledAudit[],
  from_row: number,
): D1PreparedStatement[] {
  const { customer_id, mode } = ledgerName(ledger_id)
  const tag = tagOf({ customer_id, mode })
  const rows = audits.map(({ record, at_ms, row_id, index }) =>
    JSON.stringify({
      ...record,
      audit_id: auditId(at_ms, row_id, index, tag),
      at_ms,
      before: stateText(record.before),
      after: stateText(record.after),
    }),
  )
  return jsonParameters(rows).map((list) =>
    db.prepare(INSERT_FLUSHED).bind(customer_id, mode, list, ledger_id, from_row),
  )
}
