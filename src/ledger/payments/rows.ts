import { DAY_MS } from '../../time/durations.ts'
import type { Erased } from '../erasure/erasure.ts'
import { parseStored } from '../model/json.ts'
import {
  isUnsettled,
  NO_PAYMENTS,
  type Payer,
  type Payment,
  type PaymentCounts,
  type PaymentFigures,
} from '../model/payments.ts'
import { walletKey } from '../model/wallet.ts'
import type { Exec, MetaTable } from '../tables.ts'

const READ = 'SELECT ask_at_ms, payment FROM payment_intents WHERE number = ?'
// Writes 1 row, and 1 row of the index while a check with Stripe is scheduled.
const WRITE = 'INSERT OR REPLACE INTO payment_intents (number, ask_at_ms, payment) VALUES (?, ?, ?)'
const LIST = 'SELECT ask_at_ms, payment FROM payment_intents WHERE number < ? ORDER BY number DESC LIMIT ?'
const TO_ASK = 'SELECT number FROM payment_intents WHERE ask_at_ms <= ? ORDER BY ask_at_ms LIMIT ?'
// The index also contains failed payments, at the time from which they can be deleted. The condition on the time
// excludes most failed payments.
const COUNT_OPEN =
  'SELECT count(*) AS count FROM (SELECT 1 FROM payment_intents WHERE ask_at_ms <= ? LIMIT ?)'

const READ_PAYER = 'SELECT payer FROM payers WHERE wallet_key = ?'
const WRITE_PAYER = `
  INSERT INTO payers (wallet_key, payer) VALUES (?, ?)
  ON CONFLICT (wallet_key) DO UPDATE SET payer = excluded.payer`
// Writes 1 row, and 1 row of the index if the time is not null. Writes no row if the payer was erased or the time is
// unchanged.
const WRITE_DUE = 'UPDATE payers SET due_at_ms = ?2 WHERE wallet_key = ?1 AND due_at_ms IS NOT ?2'
const DUE = 'SELECT wallet_key FROM payers WHERE due_at_ms <= ? ORDER BY due_at_ms LIMIT ?'

const COUNTS = 'payment_counts'
// Reads all rows. Runs only until counts are stored. Before that, only a ledger that an earlier version created has
// rows.
const COUNT_ALL = "SELECT payment ->> '$.status' AS status, count(*) AS count FROM payment_intents GROUP BY 1"
/** The maximum number of payments, and of payers, that are read for the figures. */
const MAX_COUNTED = 10_000
// The condition on the time includes all payments without an outcome, because each of them is checked within a day.
const OLDEST_OPEN = `
  SELECT min(created_at_ms) AS at_ms FROM (
    SELECT payment ->> '$.created_at_ms' AS created_at_ms, payment ->> '$.status' AS status FROM payment_intents
    WHERE ask_at_ms <= ?1 LIMIT ${MAX_COUNTED})
  WHERE status IN ('pending', 'action_required')`
// Counts paused top-ups that have a time for the next decision. A paused top-up of a low wallet has one, unless the
// wallet has no customer at Stripe.
const COUNT_PAUSED = `
  SELECT coalesce(sum(payer ->> '$.paused' IS NOT NULL), 0) AS count FROM (
    SELECT payer FROM payers WHERE due_at_ms IS NOT NULL LIMIT ${MAX_COUNTED})`

const NEXT = `
  SELECT min(at_ms) AS at_ms FROM (
    SELECT min(ask_at_ms) AS at_ms FROM payment_intents WHERE ask_at_ms IS NOT NULL
    UNION ALL SELECT min(due_at_ms) FROM payers WHERE due_at_ms IS NOT NULL)`

const OF_SUBJECT = 'SELECT number, payment FROM payment_intents WHERE instr(payment, ?) > 0'

/** The stored payments of the ledger, and the payers of its wallets. */
export class PaymentIntentRows {
  private readonly exec: Exec
  private readonly meta: MetaTable
  private last: number | null = null

  constructor(exec: Exec, meta: MetaTable) {
    this.exec = exec
    this.meta = meta
  }

  /** The number of the newest payment; 0 if there is none. */
  get lastNumber(): number {
    this.last ??= Number(this.exec('SELECT max(number) AS last FROM payment_intents')[0]?.last ?? 0)
    return this.last
  }

  /** Clears the cached number of the newest payment, so that the next use reads it from the table. */
  forget(): void {
    this.last = null
  }

  get(number: number): Payment | undefined {
    const [row] = this.exec(READ, number)
    return row && paymentOf(row)
  }

  /** Returns the payments with numbers below `before`, newest first. */
  list(before: number, limit: number): Payment[] {
    return this.exec(LIST, before, limit).map(paymentOf)
  }

  payer(wallet_key: string): Payer | undefined {
    const [row] = this.exec(READ_PAYER, wallet_key)
    return row && parseStored(row.payer)
  }

  /** Returns the numbers of the payments whose check with Stripe is due, the longest overdue first. */
  toAsk(now_ms: number, limit: number): number[] {
    return this.exec(TO_ASK, now_ms, limit).map(({ number }) => Number(number))
  }

  /** Returns the keys of the wallets whose top-up decision is due, the longest overdue first. */
  due(now_ms: number, limit: number): string[] {
    return this.exec(DUE, now_ms, limit).map(({ wallet_key }) => String(wallet_key))
  }

  /** Returns the time of the alarm's next task for payments; null if there is none. */
  nextAt(): number | null {
    const at_ms = this.exec(NEXT)[0]?.at_ms ?? null
    return at_ms === null ? null : Number(at_ms)
  }

  /** Counts the payments whose check with Stripe is due at `until_ms` or before, up to `limit`. */
  countOpen(until_ms: number, limit: number): number {
    return Number(this.exec(COUNT_OPEN, until_ms, limit)[0]?.count ?? 0)
  }

  /** Returns the number of payments by status. */
  counts(): PaymentCounts {
    const known = this.meta.get(COUNTS)
    if (known !== null) return parseStored(known)
    const found = this.exec(COUNT_ALL).map(({ status, count }) => [String(status), Number(count)])
    return { ...NO_PAYMENTS, ...Object.fromEntries(found) }
  }

  /**
   * Returns the figures for operators; null for a ledger without payments. Reads a limited number of rows once counts
   * are stored.
   */
  figures(now_ms: number): PaymentFigures | null {
    if (this.lastNumber === 0) return null
    const oldest = this.exec(OLDEST_OPEN, now_ms + DAY_MS)[0]?.at_ms ?? null
    return {
      ...this.counts(),
      oldest_open_at_ms: oldest === null ? null : Number(oldest),
      top_ups_paused: Number(this.exec(COUNT_PAUSED)[0]?.count ?? 0),
    }
  }

  write(
    payments: ReadonlyMap<number, Payment>,
    payers: ReadonlyMap<string, Payer>,
    due: ReadonlyMap<string, number | null>,
  ): void {
    this.count([...payments.values()])
    for (const [number, { ask_at_ms, ...payment }] of payments) {
      this.exec(WRITE, number, ask_at_ms, JSON.stringify(payment))
      this.last = Math.max(this.lastNumber, number)
    }
    for (const [key, payer] of payers) this.exec(WRITE_PAYER, key, JSON.stringify(payer))
    for (const [key, at_ms] of due) this.exec(WRITE_DUE, key, at_ms)
  }

  /** Deletes a failed payment. A failed payment has moved no credits. */
  delete(number: number): void {
    const counts = this.counts()
    this.meta.set(COUNTS, JSON.stringify({ ...counts, failed: counts.failed - 1 }))
    this.exec('DELETE FROM payment_intents WHERE number = ?', number)
  }

  /** Updates the counts for payments that are new or whose status changes. Writes 1 row if the counts change. */
  private count(payments: readonly Payment[]): void {
    const changed = payments.flatMap(({ number, status }) => {
      const before = this.get(number)?.status
      return before === status ? [] : [{ before, after: status }]
    })
    if (changed.length === 0) return
    const counts = { ...this.counts() }
    for (const { before, after } of changed) {
      if (before) counts[before] -= 1
      counts[after] += 1
    }
    this.meta.set(COUNTS, JSON.stringify(counts))
  }

  /**
   * Erases a subject from payments. Ends its top-ups, removes the ids of its customer and cards at Stripe, and
   * assigns its payments to the alias. The payments are kept because they are accounting records. A payment that is
   * paid later credits the wallet of the alias. A top-up without an outcome keeps its customer and card until its
   * outcome, because checks with Stripe need them.
   */
  erase({ kind, id, alias }: Erased): void {
    this.exec('DELETE FROM payers WHERE wallet_key = ?', walletKey({ kind, id }))
    for (const { number, payment } of this.exec(OF_SUBJECT, JSON.stringify(id))) {
      const stored = parseStored<Omit<Payment, 'ask_at_ms'>>(payment)
      if (stored.owner.kind !== kind || stored.owner.id !== id) continue
      const { customer: _, card: __, ...rest } = stored
      const is_under_way = stored.type === 'top_up' && isUnsettled(stored)
      const erased = JSON.stringify({ ...(is_under_way ? stored : rest), owner: { kind, id: alias } })
      this.exec('UPDATE payment_intents SET payment = ? WHERE number = ?', erased, Number(number))
    }
  }
}

function paymentOf({ ask_at_ms, payment }: Record<string, SqlStorageValue>): Payment {
  return {
    ...parseStored<Omit<Payment, 'ask_at_ms'>>(payment),
    ask_at_ms: ask_at_ms === null || ask_at_ms === undefined ? null : Number(ask_at_ms),
  }
}
