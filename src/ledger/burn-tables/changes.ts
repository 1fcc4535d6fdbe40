import { checkBurnTable } from '../../pricing/burn-table/check.ts'
import type { BurnTableDefinition } from '../../pricing/burn-table/definition.ts'
import { type BurnDefaults, DEFAULT_VERSION } from '../../pricing/burn-table/table.ts'
import { formatDecimal } from '../../pricing/money.ts'
import type { Draft } from '../commit/draft.ts'
import { FORMAT } from '../journal/packing.ts'
import type { BurnTableRow } from '../model/burn-tables.ts'
import type {
  BurnTableChange,
  BurnTableResult,
  ChangedFields,
  NewDefinition,
} from '../model/messages/burn-tables.ts'
import { invalid, type Refusal } from '../model/refusal.ts'
import type { Idempotency } from '../model/vocabulary.ts'
import { lastVersion, noTable, storedAnswer } from './answers.ts'
import type { BurnTableRows } from './rows.ts'

/** A customer's active tables, all its versions ever, and their definitions together: what fits a snapshot. */
const MAX_TABLES = 50
const MAX_VERSIONS = 5_000
const MAX_CHARACTERS = 8_000_000
/** One definition as JSON: a row is at most 2 MB, and a character at most three bytes. */
const MAX_DEFINITION_CHARACTERS = 500_000

export type BurnTableOutcome =
  | { readonly kind: 'done'; readonly format: number; readonly row: BurnTableRow }
  | { readonly kind: 'replayed'; readonly format: number; readonly version: number }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** Saves a new table, or a new version of one. The draft's commit writes it; refused, it changes nothing. */
export function applyBurnTable(
  draft: Draft,
  rows: BurnTableRows,
  change: BurnTableChange,
  idempotency: Idempotency | undefined,
  defaults: BurnDefaults,
): BurnTableOutcome {
  const check = draft.checkKey(idempotency)
  if (check.kind === 'refused') return check
  if (check.kind === 'replay') {
    // Equal fingerprints mean the same operation, so the record is the answer to a table that was saved.
    if (check.record.kind !== 'answer' || check.record.answer.of !== 'burn_table') {
      throw new Error('a burn table was replayed from a record of another kind')
    }
    return { kind: 'replayed', format: check.format, version: check.record.answer.version }
  }
  const row =
    change.kind === 'create'
      ? createdRow(rows, change, draft.at_ms, defaults)
      : editedRow(rows, change, draft.at_ms)
  if ('code' in row) return refused(row)
  const wrong = whatIsWrong(rows, row)
  if (wrong) return refused(wrong)
  draft.burnTables.push(row)
  if (idempotency) {
    const answer = { of: 'burn_table' as const, version: row.version }
    draft.record({ kind: 'answer', at_ms: draft.at_ms, answer, idempotency })
  }
  return { kind: 'done', format: FORMAT, row }
}

function createdRow(
  rows: BurnTableRows,
  { id, definition, effective_from_ms, effective_to_ms = null }: BurnTableChange & { kind: 'create' },
  now_ms: number,
  defaults: BurnDefaults,
): BurnTableRow | Refusal {
  if (activeTables(rows) >= MAX_TABLES) {
    return conflict(`There are ${MAX_TABLES} active burn tables, which is the most. Delete one first.`)
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

/** Just the fields of a definition, with the deployment's credits per USD where it says none. */
export function completeDefinition(
  { name, credits_per_usd, rounding, min_charge, on_unpriced, rules }: NewDefinition,
  { credits_per_usd_micro }: BurnDefaults,
): BurnTableDefinition {
  const per_usd = credits_per_usd ?? formatDecimal(credits_per_usd_micro, 6)
  return { name, credits_per_usd: per_usd, rounding, min_charge, on_unpriced, rules }
}

/**
 * A version never holds before now, whatever it says: what is in force at a time that has passed stays so. An edit of
 * a table that is yet to begin begins with it. When a table began, which decides between tables, changes only when an
 * edit says a later time.
 */
function editedRow(
  rows: BurnTableRows,
  { id, fields, effective_from_ms, effective_to_ms }: BurnTableChange & { kind: 'edit' },
  now_ms: number,
): BurnTableRow | Refusal {
  const last = lastVersion(rows, id)
  if (!last) return noTable(id)
  if (last.deactivated_at_ms !== null)
    return conflict(`The burn table ${id} was deleted, so it cannot change.`)
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

/** Ends a table now; one that was ended before stays as it is. The draft's commit writes it. */
export function deactivateBurnTable(draft: Draft, rows: BurnTableRows, id: string): BurnTableResult {
  const last = lastVersion(rows, id)
  if (!last) return { kind: 'refused', refusal: noTable(id) }
  if (last.deactivated_at_ms === null) draft.endedBurnTables.push(last.version)
  const deactivated_at_ms = last.deactivated_at_ms ?? draft.at_ms
  return { kind: 'done', format: FORMAT, answer: storedAnswer(rows, { ...last, deactivated_at_ms }) }
}

function whatIsWrong(rows: BurnTableRows, row: BurnTableRow): Refusal | undefined {
  const { effective_from_ms, effective_to_ms, definition } = row
  if (effective_to_ms !== null && effective_to_ms <= effective_from_ms) {
    return invalid([{ path: '/effective_to', message: 'must be after effective_from' }], 'burn table')
  }
  const check = definitionRefusal(definition)
  if (check) return check
  const characters = JSON.stringify(definition).length
  if (characters > MAX_DEFINITION_CHARACTERS) {
    const message = `must be at most ${MAX_DEFINITION_CHARACTERS} characters as JSON, and have ${characters}`
    return invalid([{ path: '/rules', message }], 'burn table')
  }
  const { versions } = rows
  const all = versions.reduce((sum, { length }) => sum + length, characters)
  if (versions.length >= MAX_VERSIONS || all > MAX_CHARACTERS) {
    return conflict('The burn tables have too many versions, which are kept for the entries that name them.')
  }
  return undefined
}

/** What a definition is refused for; undefined when it is sound. */
export function definitionRefusal(definition: BurnTableDefinition, base = ''): Refusal | undefined {
  const check = checkBurnTable(definition)
  switch (check.kind) {
    case 'sound':
      return undefined
    case 'ambiguous':
      return conflict(check.detail)
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

function conflict(detail: string): Refusal {
  return { code: 'conflict', detail }
}

function refused(refusal: Refusal): BurnTableOutcome {
  return { kind: 'refused', refusal }
}
