import type { AuditState } from '../../audit/record.ts'
import { checkBurnTable } from '../../pricing/burn-table/check.ts'
import type { BurnTableDefinition } from '../../pricing/burn-table/definition.ts'
import { type BurnDefaults, DEFAULT_VERSION } from '../../pricing/burn-table/table.ts'
import type { VersionTimes } from '../../pricing/burn-table/versions.ts'
import { formatDecimal } from '../../pricing/money.ts'
import type { Audited } from '../commit/audit.ts'
import type { Draft } from '../commit/draft.ts'
import { done, keepAnswer, replayedAnswer } from '../commit/replay.ts'
import type { BurnTableRow, BurnTableVersion } from '../model/burn-tables.ts'
import type {
  BurnTableChange,
  BurnTableResult,
  ChangedFields,
  NewDefinition,
  SaveBurnTableMessage,
} from '../model/messages/burn-tables.ts'
import { type Answered, conflict, invalid, type Refusal, type Refused, refused } from '../model/refusal.ts'
import { lastVersion, noTable, storedAnswer } from './answers.ts'
import type { BurnTableRows } from './rows.ts'

/**
 * The maximum number of active tables, of versions, and of characters in all definitions of one customer. Within these
 * limits, the snapshot of all tables fits into one RPC message.
 */
const MAX_TABLES = 50
const MAX_VERSIONS = 5_000
const MAX_CHARACTERS = 8_000_000
/** The maximum length of a definition as JSON. A row has at most 2 MB, and a character has at most three bytes. */
const MAX_DEFINITION_CHARACTERS = 500_000

/** The outcome of a save. `answer` is the number of the saved version. */
export type BurnTableOutcome = Answered<number> | Refused

/**
 * Saves a new table, or a new version of a table. The draft's commit writes the version. A refusal changes nothing.
 */
export function applyBurnTable(
  draft: Draft,
  rows: BurnTableRows,
  { change, idempotency }: SaveBurnTableMessage,
  defaults: BurnDefaults,
): Audited<BurnTableOutcome> {
  const replayed = replayedAnswer(draft, idempotency, 'burn_table')
  if (replayed?.kind === 'refused') return { outcome: replayed }
  if (replayed) return { outcome: { ...replayed, answer: replayed.answer.version } }
  const before = change.kind === 'edit' ? lastVersion(rows, change.id) : undefined
  const row =
    change.kind === 'create'
      ? createdRow(rows, change, draft.at_ms, defaults)
      : editedRow(rows, change, before, draft.at_ms)
  if ('kind' in row) return { outcome: row }
  const problem = problemOf(rows, row)
  if (problem) return { outcome: problem }
  draft.burnTables.push(row)
  keepAnswer(draft, idempotency, { of: 'burn_table', version: row.version })
  return {
    outcome: done(row.version),
    change: {
      action: `burn_tables.${change.kind}`,
      target: row.table_id,
      before: before ? auditState(before) : null,
      after: auditState(row),
    },
  }
}

/**
 * Returns the fields of a version that the audit log records. The number of the version identifies its rules, because
 * the rules of a version never change.
 */
function auditState({ version, effective_from_ms, effective_to_ms }: VersionTimes): AuditState {
  return {
    version,
    effective_from: new Date(effective_from_ms).toISOString(),
    effective_to: effective_to_ms === null ? null : new Date(effective_to_ms).toISOString(),
  }
}

function createdRow(
  rows: BurnTableRows,
  { id, definition, effective_from_ms, effective_to_ms = null }: BurnTableChange & { kind: 'create' },
  now_ms: number,
  defaults: BurnDefaults,
): BurnTableRow | Refused {
  if (activeTables(rows) >= MAX_TABLES) {
    return conflict(`The limit of ${MAX_TABLES} active burn tables is reached. Delete a burn table first.`)
  }
  const from_ms = effective_from_ms ?? now_ms
  return {
    version: nextVersion(rows),
    table_id: id,
    effective_from_ms: from_ms,
    effective_to_ms,
    began_at_ms: from_ms,
    deactivated_at_ms: null,
    created_at_ms: now_ms,
    definition: completeDefinition(definition, defaults),
  }
}

/** Returns a complete definition. Uses the deployment's credits per USD if the new definition does not set them. */
export function completeDefinition(
  { name, credits_per_usd, rounding, min_charge, on_unpriced, rules }: NewDefinition,
  { credits_per_usd_micro }: BurnDefaults,
): BurnTableDefinition {
  const per_usd = credits_per_usd ?? formatDecimal(credits_per_usd_micro, 6)
  return { name, credits_per_usd: per_usd, rounding, min_charge, on_unpriced, rules }
}

/**
 * Returns the row of a table's next version. Refuses an unknown or deleted table. The version never takes effect in the
 * past, because the prices of past events must not change. If the table starts in the future, an edit without
 * `effective_from` keeps its start. `began_at_ms` decides which table applies if several tables are in force.
 * `began_at_ms` changes only if the edit sets a future start, or makes a future table start now.
 */
function editedRow(
  rows: BurnTableRows,
  { id, fields, effective_from_ms, effective_to_ms }: BurnTableChange & { kind: 'edit' },
  last: BurnTableVersion | undefined,
  now_ms: number,
): BurnTableRow | Refused {
  if (!last) return noTable(id)
  if (last.deactivated_at_ms !== null)
    return conflict(`The burn table ${id} was deleted and cannot be changed. Create a new burn table.`)
  const from_ms = Math.max(now_ms, effective_from_ms ?? last.effective_from_ms)
  const moved = effective_from_ms !== undefined && effective_from_ms > now_ms
  return {
    version: nextVersion(rows),
    table_id: id,
    effective_from_ms: from_ms,
    effective_to_ms: effective_to_ms === undefined ? last.effective_to_ms : effective_to_ms,
    began_at_ms: moved ? from_ms : Math.min(last.began_at_ms, from_ms),
    deactivated_at_ms: null,
    created_at_ms: now_ms,
    definition: withFields(rows.definition(last.version), fields),
  }
}

function withFields(definition: BurnTableDefinition, fields: ChangedFields): BurnTableDefinition {
  return {
    name: fields.name ?? definition.name,
    credits_per_usd: fields.credits_per_usd ?? definition.credits_per_usd,
    rounding: fields.rounding ?? definition.rounding,
    min_charge: fields.min_charge ?? definition.min_charge,
    on_unpriced: fields.on_unpriced ?? definition.on_unpriced,
    rules: fields.rules ?? definition.rules,
  }
}

/**
 * Deactivates a table at the time of the draft. Refuses an unknown table. Does not change a table that is already
 * deactivated. The draft's commit writes the change.
 */
export function deactivateBurnTable(draft: Draft, rows: BurnTableRows, id: string): Audited<BurnTableResult> {
  const last = lastVersion(rows, id)
  if (!last) return { outcome: noTable(id) }
  if (last.deactivated_at_ms !== null) return { outcome: done(storedAnswer(rows, last)) }
  draft.endedBurnTables.push(last.version)
  return {
    outcome: done(storedAnswer(rows, { ...last, deactivated_at_ms: draft.at_ms })),
    change: { action: 'burn_tables.delete', target: id, before: auditState(last), after: null },
  }
}

function problemOf(rows: BurnTableRows, row: BurnTableRow): Refused | undefined {
  const { effective_from_ms, effective_to_ms, definition } = row
  if (effective_to_ms !== null && effective_to_ms <= effective_from_ms) {
    return refused(
      invalid([{ path: '/effective_to', message: 'must be after effective_from' }], 'burn table'),
    )
  }
  const check = definitionRefusal(definition)
  if (check) return refused(check)
  const characters = JSON.stringify(definition).length
  if (characters > MAX_DEFINITION_CHARACTERS) {
    const message = `must be at most ${MAX_DEFINITION_CHARACTERS} characters as JSON, not ${characters}`
    return refused(invalid([{ path: '/rules', message }], 'burn table'))
  }
  const { versions } = rows
  const all = versions.reduce((sum, { length }) => sum + length, characters)
  if (versions.length >= MAX_VERSIONS || all > MAX_CHARACTERS) {
    return conflict(
      `Burn tables have at most ${MAX_VERSIONS} versions with ${MAX_CHARACTERS} characters in total, and this version would be number ${versions.length + 1} with a total of ${all} characters. Versions cannot be deleted.`,
    )
  }
  return undefined
}

/** Returns the refusal of an invalid or ambiguous definition; undefined if the definition is valid. */
export function definitionRefusal(definition: BurnTableDefinition, base = ''): Refusal | undefined {
  const check = checkBurnTable(definition)
  switch (check.kind) {
    case 'sound':
      return undefined
    case 'ambiguous':
      return { code: 'conflict', detail: check.detail }
    case 'invalid':
      return invalid(
        check.problems.map(({ path, message }) => ({ path: base + path, message })),
        'burn table',
      )
  }
}

function nextVersion(rows: BurnTableRows): number {
  return (rows.versions.at(-1)?.version ?? DEFAULT_VERSION) + 1
}

function activeTables({ versions }: BurnTableRows): number {
  const active = new Map(
    versions.map(({ table_id, deactivated_at_ms }) => [table_id, deactivated_at_ms === null]),
  )
  return [...active.values()].filter(Boolean).length
}
