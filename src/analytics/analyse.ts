import type { Bindings } from '../bindings.ts'
import { ledgerDb, ledgerKey } from '../db/ledger-db.ts'
import { readProjectionState } from '../ledger/client/client.ts'
import type { Caller } from '../ledger/model/account.ts'
import { type FieldError, invalid, type Refused } from '../ledger/model/refusal.ts'
import type { LedgerName } from '../ledger/model/vocabulary.ts'
import { nameSubjects } from '../projection/read/subjects.ts'
import { type CellQuery, type Rollup, readCells, readRollup, TooManyCells } from '../usage/rollups/read.ts'
import {
  admitsKind,
  admitsSubjects,
  needsHours,
  needsKeys,
  needsTeams,
  needsUsers,
  type Question,
} from './question.ts'
import type { Answered, NameOf } from './render.ts'
import { Summary, TooManyGroups } from './summary.ts'

export interface Asked {
  readonly ledger: LedgerName
  readonly caller: Caller
}

/** The active rollups of a ledger, the time until which they are complete, and the ledger's total balance. */
export interface Progress {
  readonly rollup: Rollup | null
  /** The time before which every acknowledged change is in the rollups. */
  readonly as_of_ms: number
  /** The sum of the balances of all wallets, in micro-credits; 0 if the sum was not requested. */
  readonly balance_micro: bigint
}

/**
 * Reads a ledger's rollups and, with `with_wallets`, its total balance. Asks the ledger object first: the object
 * refuses deleted API keys and returns the number of its last entry. If the rollups include this entry, they are
 * complete as of the response of the object. Otherwise, they are complete as of their last update, or as of the time
 * when the ledger was opened if it has no rollups yet.
 */
export async function readProgress(
  env: Bindings,
  { ledger, caller }: Asked,
  with_wallets = false,
): Promise<({ readonly kind: 'done' } & Progress) | Refused> {
  const result = await readProjectionState(env, ledger, { caller, with_wallets })
  if (result.kind === 'refused') return result
  const { last_entry, at_ms, opened_at_ms, wallets } = result.answer
  const rollup = await readRollup(ledgerDb(env, ledger.customer_id), ledgerKey(ledger))
  const as_of_ms = (rollup?.rolled_entry ?? 0) >= last_entry ? at_ms : (rollup?.as_of_ms ?? opened_at_ms)
  return { kind: 'done', rollup, as_of_ms, balance_micro: BigInt(wallets?.balance_micro ?? 0) }
}

export async function analyse(
  env: Bindings,
  asked: Asked,
  question: Question,
): Promise<({ readonly kind: 'done' } & Answered) | Refused> {
  const progress = await readProgress(env, asked)
  if (progress.kind === 'refused') return progress
  const { rollup, as_of_ms } = progress
  const summary = new Summary(question)
  const db = ledgerDb(env, asked.ledger.customer_id)
  try {
    if (rollup) await addUsage(db, rollup, question, summary)
  } catch (error) {
    const refusal = tooMuch(error)
    if (!refusal) throw error
    return { kind: 'refused', refusal }
  }
  const name = await namesOf(db, asked.ledger, question, summary)
  return { kind: 'done', question, summary, name, as_of_ms }
}

/** Adds the cells in the time range of the question to the summary, if the filters of the question admit them. */
export async function addUsage(
  db: D1Database,
  rollup: Rollup,
  question: Question,
  summary: Pick<Summary, 'add'>,
): Promise<void> {
  const users = question.filters.user
  const cells = readCells(db, rollup, {
    from_ms: question.from_ms,
    to_ms: question.to_ms,
    grain: needsHours(question) ? 'hour' : 'day',
    subjects: subjectsOf(question),
    admits: (kind) => admitsKind(question.filters, kind),
    ...(users && { user_numbers: [...users] }),
  })
  for await (const chunk of cells) {
    // Cells of other kinds were skipped when the chunk was read.
    for (const cell of chunk) if (admitsSubjects(question.filters, cell)) summary.add(cell)
  }
}

function subjectsOf(question: Question): CellQuery['subjects'] {
  if (needsUsers(question)) return 'user'
  if (needsTeams(question)) return 'team'
  return needsKeys(question) ? 'key' : 'none'
}

function tooMuch(error: unknown) {
  if (error instanceof TooManyCells) {
    return invalid(
      [fieldError('from', 'must be later, because the range has too much data for one response')],
      'query',
    )
  }
  if (error instanceof TooManyGroups) {
    return invalid(
      [fieldError('group_by', 'produces more than 10000 groups: add a filter or use fewer groups')],
      'query',
    )
  }
  return undefined
}

function fieldError(field: string, message: string): FieldError {
  return { path: `/${field}`, message }
}

async function namesOf(
  db: D1Database,
  ledger: LedgerName,
  { group_by }: Question,
  summary: Summary,
): Promise<NameOf> {
  const numbers = { user: new Set<number>(), team: new Set<number>() }
  for (const kind of ['user', 'team'] as const) {
    const at = group_by.indexOf(kind)
    if (at === -1) continue
    for (const { values } of summary.rows()) {
      const value = values[at]
      if (typeof value === 'number') numbers[kind].add(value)
    }
  }
  return nameSubjects(db, ledgerKey(ledger), numbers)
}
