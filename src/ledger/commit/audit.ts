import type { Auditor, AuditRecord } from '../../audit/record.ts'
import type { Caller } from '../model/account.ts'
import type { Draft } from './draft.ts'

/** The record of a change for the audit log, without the author of the change. */
export type AuditChange = Omit<AuditRecord, keyof Auditor>

/**
 * The outcome of an operation, with its record for the audit log. Refused and replayed requests have no record. Usage
 * and automatic changes, such as expiries and recurring grants, have no record either, because the ledger's entries
 * show them.
 */
export interface Audited<T> {
  readonly outcome: T
  readonly change?: AuditChange
}

/**
 * Records the change of an operation and returns its outcome. The record is in a journal row of the same commit. It
 * therefore usually costs no additional row, and exists if and only if the change exists.
 */
export function recordChange<T>(draft: Draft, caller: Caller, { outcome, change }: Audited<T>): T {
  if (change) {
    const { key_id, ip, request_id } = caller
    const auditor: Auditor = {
      actor: key_id,
      ...(ip !== undefined && { ip }),
      ...(request_id !== undefined && { request_id }),
    }
    draft.record({ kind: 'audit', at_ms: draft.at_ms, audit: { ...auditor, ...change } })
  }
  return outcome
}

/** Returns a decimal as a number if the number has exactly the same text, otherwise as text. */
export function exactNumber(decimal: string): number | string {
  const number = Number(decimal)
  return String(number) === decimal ? number : decimal
}
