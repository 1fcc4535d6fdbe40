import type { Auditor, AuditRecord } from '../../audit/record.ts'
import type { Caller } from '../model/account.ts'
import type { Draft } from './draft.ts'

/** A change as the audit log describes it, without its author. */
export type AuditChange = Omit<AuditRecord, keyof Auditor>

/**
 * The outcome of an operation with its record for the audit log. Refused and replayed requests record nothing; nor do
 * usage and automatic changes (an expiry, a recurrence, the sign-up grant): the ledger's entries show them.
 */
export interface Audited<T> {
  readonly outcome: T
  readonly change?: AuditChange
}

/**
 * Records the change of an operation and returns its outcome. The record is in the journal row of the same
 * commit: it costs no row, and exists if and only if the change does.
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

/** Returns a decimal as a number if a double has exactly the same text, and as text otherwise. */
export function exactNumber(decimal: string): number | string {
  const number = Number(decimal)
  return String(number) === decimal ? number : decimal
}
