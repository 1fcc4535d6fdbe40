import { memoryOf } from '../../db/json-parameters.ts'
import { microCredits } from '../../pricing/money.ts'
import type { Entry } from '../model/journal.ts'
import { type JsonText, jsonTextFrom, parseStored } from '../model/json.ts'
import type { UnratedAnswer, UnratedMessage } from '../model/messages/events.ts'
import {
  type Amendment,
  MAX_UNRATED_COUNTED,
  type UnratedEvent,
  type UnratedModel,
  type UnratedSummary,
} from '../model/unrated.ts'
import type { ProviderCharge } from '../model/vocabulary.ts'

import type { Exec, MetaTable } from '../tables.ts'

/**
 * The expressions of the index `unrated_models`. SQLite uses the index only if a query contains exactly these
 * expressions.
 */
const PROVIDER = "coalesce(record ->> '$.event.provider', '')"
const MODEL = "coalesce(record ->> '$.event.model', '')"

const NEXT_MODEL_OF_PROVIDER = `
  SELECT ${PROVIDER} AS provider, ${MODEL} AS model FROM unrated_events
  WHERE ${PROVIDER} = ?1 AND ${MODEL} > ?2 ORDER BY ${MODEL} LIMIT 1`

const NEXT_PROVIDER = `
  SELECT ${PROVIDER} AS provider, ${MODEL} AS model FROM unrated_events
  WHERE ${PROVIDER} > ?1 ORDER BY ${PROVIDER}, ${MODEL} LIMIT 1`

const NO_MODEL: UnratedModel = { provider: '', model: '' }

const COUNT_OF_MODEL = `
  SELECT count(*) AS events FROM (
    SELECT 1 FROM unrated_events WHERE ${PROVIDER} = ?1 AND ${MODEL} = ?2 LIMIT ${MAX_UNRATED_COUNTED})`

const OLDEST_OF_MODEL = `
  SELECT record ->> '$.at_ms' AS at_ms, charge IS NOT NULL AS is_unpaid FROM unrated_events
  WHERE ${PROVIDER} = ?1 AND ${MODEL} = ?2 ORDER BY entry LIMIT 1`

/**
 * The column `record` without its metadata, which is in `metadata_text`, or in `metadata` if an earlier version wrote
 * the row.
 */
const WITHOUT_METADATA = "json_remove(record, '$.metadata_text', '$.metadata') AS record"

const BEFORE = 'FROM unrated_events WHERE entry < ?1 ORDER BY entry DESC LIMIT ?2'

// Selects new events, events of some models, and unpaid events with a known price. Each of the three subqueries uses an
// index.
const SELECTED = `
  FROM unrated_events WHERE entry IN (
    SELECT entry FROM unrated_events WHERE entry > ?1 AND entry < ?2
    UNION
    SELECT e.entry FROM json_each(?3) AS m CROSS JOIN unrated_events AS e
    WHERE ${PROVIDER} = m.value ->> 0 AND ${MODEL} = m.value ->> 1 AND e.entry < ?2
    UNION
    SELECT entry FROM unrated_events WHERE charge IS NOT NULL AND entry < ?2)
  ORDER BY entry DESC LIMIT ?4`

/** A stored unrated event. Earlier versions stored the metadata as a parsed value in the field `metadata`. */
interface StoredEntry extends Omit<Entry, 'metadata'> {
  readonly metadata_text: JsonText | undefined
  readonly metadata?: unknown
}

/** The maximum number of rows that one query reads, and the memory of the records, in bytes, at which a page ends. */
const ROWS_A_READ = 32
const MAX_PAGE_MEMORY = 2_000_000

type UnratedPageQuery = Pick<UnratedMessage, 'before_entry' | 'limit' | 'selection' | 'without_metadata'>
type UnratedPage = Pick<UnratedAnswer, 'events' | 'next_before_entry'>

/**
 * The `meta` key that stores the number of unrated events. The migration to table version 7 in `tables.ts` writes the
 * first value.
 */
const COUNT_KEY = 'unrated_events'

/** The stored events that are not rated yet, and the late ratings of events. */
export class UnratedRows {
  private readonly exec: Exec
  private readonly meta: MetaTable

  constructor(exec: Exec, meta: MetaTable) {
    this.exec = exec
    this.meta = meta
  }

  get(entry: number): UnratedEvent | undefined {
    const [row] = this.exec('SELECT record, charge FROM unrated_events WHERE entry = ?', entry)
    return row && unratedEvent(row)
  }

  /**
   * Returns a page of events, newest first. The page has at most `limit` events, and ends when its records reach
   * `MAX_PAGE_MEMORY`. Reads a few rows at a time, because a row can have 16 KB of metadata.
   */
  page({ before_entry, limit, selection, without_metadata = false }: UnratedPageQuery): UnratedPage {
    const record = without_metadata ? WITHOUT_METADATA : 'record'
    const pairs = JSON.stringify(selection?.models.map(({ provider, model }) => [provider, model]))
    const read = (before: number, rows: number) =>
      selection
        ? this.exec(`SELECT ${record}, charge ${SELECTED}`, selection.after_entry, before, pairs, rows)
        : this.exec(`SELECT ${record}, charge ${BEFORE}`, before, rows)
    const events: Entry[] = []
    let next = before_entry ?? Number.MAX_SAFE_INTEGER
    let memory = 0
    while (events.length < limit && memory < MAX_PAGE_MEMORY) {
      const wanted = Math.min(ROWS_A_READ, limit - events.length)
      const rows = read(next, wanted)
      for (const row of rows) {
        if (memory >= MAX_PAGE_MEMORY) return { events, next_before_entry: next }
        memory += memoryOf(String(row.record))
        const { entry } = unratedEvent(row)
        events.push(entry)
        next = entry.number
      }
      if (rows.length < wanted) return { events, next_before_entry: null }
    }
    return { events, next_before_entry: next }
  }

  /**
   * Returns the models of unrated events, at most `limit`. Excludes events that have neither a provider nor a model,
   * because they are never rated late.
   */
  models(limit: number): UnratedModel[] {
    const models: UnratedModel[] = []
    for (const model of this.modelsAfter(NO_MODEL)) {
      if (models.length === limit) break
      models.push(model)
    }
    return models
  }

  /**
   * Returns a summary of the events of each model after `after`, for at most `limit` models. Reads at most 5 rows for
   * each model, and one row of the index for each counted event.
   */
  summaries(after: UnratedModel | null, limit: number): UnratedSummary[] {
    const summaries = after === null && this.hasModel('', '') ? [this.summaryOf(NO_MODEL)] : []
    for (const model of this.modelsAfter(after ?? NO_MODEL)) {
      if (summaries.length >= limit) break
      summaries.push(this.summaryOf(model))
    }
    return summaries
  }

  private summaryOf({ provider, model }: UnratedModel): UnratedSummary {
    const [count] = this.exec(COUNT_OF_MODEL, provider, model)
    const [oldest] = this.exec(OLDEST_OF_MODEL, provider, model)
    return {
      provider,
      model,
      events: Number(count?.events),
      oldest_at_ms: Number(oldest?.at_ms),
      is_unpaid: oldest?.is_unpaid === 1,
    }
  }

  /**
   * Yields the models after `last`, in order. Uses the index to skip from one model to the next. Reads two rows for
   * each model, regardless of the number of its events.
   */
  private *modelsAfter(last: UnratedModel): Generator<UnratedModel> {
    for (let at = last; ; ) {
      const [row] = this.exec(NEXT_MODEL_OF_PROVIDER, at.provider, at.model)
      const [next] = row ? [row] : this.exec(NEXT_PROVIDER, at.provider)
      if (!next) return
      at = { provider: String(next.provider), model: String(next.model) }
      yield at
    }
  }

  /** Returns the wallet's events that have a price but could not be charged, oldest first. */
  unpaid(wallet_number: number, after_entry: number, limit: number): UnratedEvent[] {
    return this.exec(
      'SELECT record, charge FROM unrated_events WHERE wallet_number = ? AND charge IS NOT NULL AND entry > ? ORDER BY entry LIMIT ?',
      wallet_number,
      after_entry,
      limit,
    ).map(unratedEvent)
  }

  /** Reports whether a model has unrated events. */
  hasModel(provider: string, model: string): boolean {
    return (
      this.exec(
        `SELECT 1 FROM unrated_events WHERE ${PROVIDER} = ? AND ${MODEL} = ? LIMIT 1`,
        provider,
        model,
      ).length > 0
    )
  }

  /** Returns the number of unrated events. Reads one row. */
  count(): number {
    return Number(this.meta.get(COUNT_KEY) ?? 0)
  }

  /** Returns the number of the newest unrated entry; 0 if there is none. */
  lastEntry(): number {
    const [row] = this.exec('SELECT max(entry) AS entry FROM unrated_events')
    return Number(row?.entry ?? 0)
  }

  amendment(entry: number): Amendment | undefined {
    const [row] = this.exec('SELECT amendment FROM amendments WHERE entry = ?', entry)
    return row && parseStored(row.amendment)
  }

  /**
   * Writes the changes of a commit: adds events, stores the prices of events that could not be charged, and removes
   * events that are rated or voided. Writes 2 rows for each added event, and 1 row if the number of unrated events
   * changes.
   */
  write(
    added: readonly Entry[],
    unpaid: ReadonlyMap<number, ProviderCharge>,
    closed: ReadonlyMap<number, Amendment | null>,
  ): void {
    if (added.length + unpaid.size + closed.size === 0) return
    const before = this.count()
    for (const entry of added) this.add(entry)
    for (const [entry, charge] of unpaid) this.keepCharge(entry, charge)
    let removed = 0
    for (const [entry, amendment] of closed) removed += this.close(entry, amendment)
    const count = before + added.length - removed
    if (count !== before) this.meta.set(COUNT_KEY, String(count))
  }

  private add(entry: Entry): void {
    const { idempotency: _, metadata, ...kept } = entry
    this.exec(
      'INSERT INTO unrated_events (entry, wallet_number, record) VALUES (?, ?, ?)',
      entry.number,
      entry.wallet,
      JSON.stringify({ ...kept, metadata_text: metadata } satisfies StoredEntry),
    )
  }

  /**
   * Stores the price of an event that cannot be charged yet. The ledger tries again after a request adds a grant or a
   * purchase to the wallet, and when the scheduled job for late ratings runs.
   */
  private keepCharge(entry: number, charge: ProviderCharge): void {
    this.exec(
      'UPDATE unrated_events SET charge = ?1 WHERE entry = ?2 AND charge IS NOT ?1',
      JSON.stringify(charge),
      entry,
    )
  }

  /**
   * Removes an event that is rated or voided. `amendment` describes the rating, and is null for a void. Returns the
   * number of removed rows.
   */
  private close(entry: number, amendment: Amendment | null): number {
    const removed = this.exec('DELETE FROM unrated_events WHERE entry = ? RETURNING entry', entry).length
    if (amendment) {
      this.exec('INSERT INTO amendments (entry, amendment) VALUES (?, ?)', entry, JSON.stringify(amendment))
    }
    return removed
  }
}

function unratedEvent(row: Record<string, SqlStorageValue>): UnratedEvent {
  const { metadata: parsed, metadata_text, ...entry }: StoredEntry = parseStored(row.record)
  const metadata = metadata_text ?? jsonTextFrom(parsed)
  return {
    entry: {
      ...entry,
      amount: microCredits(entry.amount),
      ...(metadata !== undefined && { metadata }),
    },
    charge: row.charge === null || row.charge === undefined ? null : parseStored(row.charge),
  }
}
