import { jsonParameters } from '../../db/json-parameters.ts'
import { PICO_PER_MICRO } from '../../pricing/money.ts'
import type { UsageDelta } from '../../usage/cells/delta.ts'
import { totalsOf } from '../../usage/cells/totals.ts'
import { FORMAT, packPage, type SubjectNumber } from '../journal/packing.ts'
import type { Entry } from '../model/journal.ts'

const INSERT_PAGES = `
  INSERT INTO ledger_pages (ledger_id, flush_entry, wallet_number, format, first_entry, last_entry, entry_count,
    first_at_ms, last_at_ms, balance_before_micro, balance_after_micro, oldest_ms, events, burned_micro, cost_micro, cost_pico,
    price_micro, price_pico, paid_micro, paid_pico, body)
  SELECT ?1, ?2, value ->> 'wallet_number', value ->> 'format', value ->> 'first_entry', value ->> 'last_entry',
    value ->> 'entry_count', value ->> 'first_at_ms', value ->> 'last_at_ms', value ->> 'balance_before_micro',
    value ->> 'balance_after_micro', value ->> 'oldest_ms', value ->> 'events', value ->> 'burned_micro', value ->> 'cost_micro',
    value ->> 'cost_pico', value ->> 'price_micro', value ->> 'price_pico', value ->> 'paid_micro',
    value ->> 'paid_pico', value -> 'body'
  FROM json_each(?3)
  WHERE (SELECT flushed_row FROM ledgers WHERE ledger_id = ?1) = ?4`

/** The statements that write a flush's pages, if the watermark still stands at `from_row`. 2 rows written for each page. */
export function insertPages(
  db: D1Database,
  ledger_id: string,
  flush_entry: number,
  pages: readonly string[],
  from_row: number,
): D1PreparedStatement[] {
  return jsonParameters(pages).map((list) =>
    db.prepare(INSERT_PAGES).bind(ledger_id, flush_entry, list, from_row),
  )
}

/** A page for each wallet among the entries of a flush, each a JSON object with the columns of `ledger_pages`. */
export function packPages(
  entries: readonly Entry[],
  subject: SubjectNumber,
  deltas: readonly UsageDelta[],
): string[] {
  const byWallet = new Map<number, Entry[]>()
  for (const entry of entries) {
    const run = byWallet.get(entry.wallet)
    if (run) run.push(entry)
    else byWallet.set(entry.wallet, [entry])
  }
  const deltaOf = new Map(deltas.map((delta) => [delta.entry, delta]))
  return [...byWallet.values()].map((run) => {
    const added = run.flatMap(({ number }) => deltaOf.get(number) ?? [])
    return packRun(run, subject, added)
  })
}

function packRun(run: readonly Entry[], subject: SubjectNumber, deltas: readonly UsageDelta[]): string {
  const first = run[0]
  const last = run.at(-1)
  if (!first || !last) throw new Error('a page without entries')
  assertChain(run)
  const columns = JSON.stringify({
    wallet_number: first.wallet,
    format: FORMAT,
    first_entry: first.number,
    last_entry: last.number,
    entry_count: run.length,
    first_at_ms: first.at_ms,
    last_at_ms: last.at_ms,
    balance_before_micro: first.balance_after - first.amount,
    balance_after_micro: last.balance_after,
    oldest_ms: Math.min(...run.map(shownAt)),
    ...sumColumns(deltas),
  })
  // The body stands in the object as JSON, not as a string of JSON: every quote of it would be escaped, and what is
  // mostly quotes would double.
  return `${columns.slice(0, -1)},"body":${packPage(run, subject)}}`
}

/** The earliest time by which some list shows an entry. */
function shownAt({ at_ms, effective_at_ms = at_ms, event }: Entry): number {
  return Math.min(effective_at_ms, event && !event.rerates ? event.timestamp_ms : effective_at_ms)
}

/** Decimal text, which STRICT columns take as integers: a sum may pass 2^53. */
function sumColumns(deltas: readonly UsageDelta[]): Record<string, string> {
  const { events, credits_micro, cost_pico, price_pico, paid_pico } = totalsOf(deltas)
  return {
    events: String(events),
    burned_micro: column(credits_micro),
    ...usdColumns('cost', cost_pico),
    ...usdColumns('price', price_pico),
    ...usdColumns('paid', paid_pico),
  }
}

/** Both of the sign of the whole. */
function usdColumns(name: string, pico: bigint): Record<string, string> {
  return { [`${name}_micro`]: column(pico / PICO_PER_MICRO), [`${name}_pico`]: String(pico % PICO_PER_MICRO) }
}

/** 9e18 micro: what a column holds. A page comes there with more than a thousand events of the largest amount. */
const COLUMN_MAX = 2n ** 63n - 1n

function column(sum: bigint): string {
  if (sum > COLUMN_MAX) return String(COLUMN_MAX)
  return String(sum < -COLUMN_MAX ? -COLUMN_MAX : sum)
}

/** Rule 4: each entry of a wallet begins where the one before it ended. */
function assertChain(run: readonly Entry[]): void {
  let balance: number | undefined
  for (const entry of run) {
    if (balance !== undefined && entry.balance_after - entry.amount !== balance) {
      throw new Error(`entry ${entry.number} does not begin where the wallet's last entry ended`)
    }
    balance = entry.balance_after
  }
}
