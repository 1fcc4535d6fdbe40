import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import type { Bindings } from '../../src/bindings.ts'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import type { Mode } from '../../src/db/schema.ts'
import { openLedger } from '../../src/ledger/client/client.ts'
import { LedgerStore } from '../../src/ledger/commit/store.ts'
import { parsePage } from '../../src/ledger/journal/packed-page.ts'
import { unpackRow } from '../../src/ledger/journal/packing.ts'
import type { Account, Caller } from '../../src/ledger/model/account.ts'
import type { Entry } from '../../src/ledger/model/journal.ts'
import { parse } from '../../src/ledger/model/json.ts'
import type { LedgerName } from '../../src/ledger/model/vocabulary.ts'
import type { CustomerLedger } from '../../src/ledger/object.ts'
import type { LedgerContext } from '../../src/ledger/operations.ts'
import type { LedgerRpc, MessageOf, OperationName, ResultOf } from '../../src/ledger/rpc.ts'
import { nameSubjects } from '../../src/projection/read/subjects.ts'
import { unique } from './customers.ts'
import { CALLER } from './messages.ts'

/** Gives tests access to ledger objects without HTTP, to the data in these objects, and to the data in D1. */

export interface TestLedger {
  readonly name: LedgerName
  /** A new stub on every access, because a stub does not work after its object has stopped. */
  readonly stub: DurableObjectStub<CustomerLedger>
}

export function ledgerOf(customer_id: string, mode: Mode = 'live'): TestLedger {
  const name: LedgerName = { customer_id, mode }
  return {
    name,
    get stub() {
      return env.LEDGER.get(env.LEDGER.idFromName(ledgerKey(name)))
    },
  }
}

/**
 * Returns a namespace of ledger objects in which the first calls of one operation fail before they reach the object, or
 * after the object has executed them (`reply`). By default, all calls fail.
 */
export function ledgersLosing(
  operation: OperationName,
  times = Number.POSITIVE_INFINITY,
  part: 'call' | 'reply' = 'call',
): Bindings['LEDGER'] {
  let left = times
  const lost = () => Promise.reject(Object.assign(new Error('Network connection lost.'), { retryable: true }))
  return Object.create(env.LEDGER, {
    idFromName: { value: (name: string) => env.LEDGER.idFromName(name) },
    get: {
      value: (id: DurableObjectId, options?: DurableObjectNamespaceGetDurableObjectOptions) => {
        const stub = env.LEDGER.get(id, options)
        return new Proxy(stub, {
          get:
            (target, property) =>
            async (...args: unknown[]) => {
              const fails = args[0] === operation && left-- > 0
              if (fails && part === 'call') return lost()
              const reply = await Reflect.apply(Reflect.get(target, property), target, args)
              return fails ? lost() : reply
            },
        })
      },
    },
  })
}

/** The account of an active ENTERPRISE customer. */
export const ACCOUNT: Account = { tier: 'ENTERPRISE', status: 'ACTIVE', revision: 1 }

/** Creates a ledger that no other test uses, with `signup_grant_micro` micro-credits in the customer's wallet. */
export async function freshLedger(signup_grant_micro = 0): Promise<TestLedger> {
  const ledger = ledgerOf(unique('ledger'))
  const result = await openLedger(env, { ledger: ledger.name, signup_grant_micro, account: ACCOUNT })
  if (result.kind !== 'opened') throw new Error(`not opened: ${JSON.stringify(result)}`)
  return ledger
}

/** Calls an operation of a ledger object in the same way as the Worker, and returns the result. */
export async function ask<N extends OperationName>(
  object: Pick<LedgerRpc, 'handle'>,
  name: N,
  { caller = CALLER, ...message }: MessageOf<N> & { readonly caller?: Caller },
): Promise<ResultOf<N>> {
  const { result } = await object.handle(name, JSON.stringify(caller), JSON.stringify(message))
  return parse(result)
}

/** Returns a private field of a ledger object, so that tests can measure it or make it fail. */
export function partOf<T>(
  instance: CustomerLedger,
  name: keyof LedgerContext,
  type: new (...args: never[]) => T,
): T {
  const part: unknown = Reflect.get(Object(Reflect.get(instance, 'ledger')), name)
  if (!(part instanceof type)) throw new Error(`the ledger object has no ${name}`)
  return part
}

export function storeOf(instance: CustomerLedger): LedgerStore {
  return partOf(instance, 'store', LedgerStore)
}

/** Runs `use` inside the ledger object with its store, and returns the result. */
export function inStore<T>(ledger: TestLedger, use: (store: LedgerStore) => T): Promise<T> {
  return runInDurableObject(ledger.stub, (instance) => use(storeOf(instance)))
}

/**
 * Runs `work`, and returns the number of rows that the ledger object writes meanwhile. The object must not restart
 * during the work.
 */
export async function rowsWrittenBy(ledger: TestLedger, work: () => Promise<unknown>): Promise<number> {
  const before = await inStore(ledger, (store) => store.rowsWritten)
  await work()
  return (await inStore(ledger, (store) => store.rowsWritten)) - before
}

/** Returns all entries in the journal of the ledger object, oldest first. */
export function journalEntries(ledger: TestLedger): Promise<Entry[]> {
  return runInDurableObject(ledger.stub, (_, { storage }) =>
    storage.sql
      .exec<{ format: number; body: string }>('SELECT format, body FROM journal ORDER BY row_id')
      .toArray()
      .flatMap(({ format, body }) => unpackRow(format, body))
      .filter((record) => record.kind === 'entry'),
  )
}

/** Returns the balances in the object's table of wallets, by wallet key. */
export function storedBalances(ledger: TestLedger): Promise<Record<string, number>> {
  return runInDurableObject(ledger.stub, (_, { storage }) => {
    const rows = storage.sql.exec<{ wallet_key: string; balance_micro: number }>(
      'SELECT wallet_key, balance_micro FROM wallets',
    )
    return Object.fromEntries(rows.toArray().map((row) => [row.wallet_key, row.balance_micro]))
  })
}

/** Runs the alarm of the ledger object immediately, even if the alarm is not set. */
export function runAlarm(ledger: TestLedger): Promise<void> {
  return runInDurableObject(ledger.stub, (instance) => instance.alarm())
}

export interface StoredPage {
  readonly flush_entry: number
  readonly wallet_number: number
  readonly first_entry: number
  readonly last_entry: number
  readonly entry_count: number
  readonly balance_before_micro: number
  readonly balance_after_micro: number
  readonly entries: readonly Entry[]
}

interface PageRow extends Omit<StoredPage, 'entries'> {
  readonly format: number
  readonly body: string
}

/** Returns the ledger's pages in D1, in the order of their entries. */
export async function storedPages(ledger: TestLedger): Promise<StoredPage[]> {
  const ledger_id = ledgerKey(ledger.name)
  const { results } = await env.DB.prepare(
    'SELECT * FROM ledger_pages WHERE ledger_id = ? ORDER BY flush_entry, first_entry',
  )
    .bind(ledger_id)
    .all<PageRow>()
  const { results: known } = await env.DB.prepare('SELECT kind, number FROM subjects WHERE ledger_id = ?')
    .bind(ledger_id)
    .all<{ kind: string; number: number }>()
  const numbers = (kind: string) => new Set(known.filter((row) => row.kind === kind).map((row) => row.number))
  const name = await nameSubjects(env.DB, ledger_id, { user: numbers('user'), team: numbers('team') })
  return results.map(({ format, body, ...page }) => ({
    ...page,
    entries: parsePage(format, body).entries(name),
  }))
}

export interface Watermark {
  readonly flushed_row: number
  readonly flushed_entry: number
}

/** Returns the ledger's watermark in D1; null if D1 has no row for the ledger. */
export function watermark(ledger: TestLedger): Promise<Watermark | null> {
  return env.DB.prepare('SELECT flushed_row, flushed_entry FROM ledgers WHERE ledger_id = ?')
    .bind(ledgerKey(ledger.name))
    .first<Watermark>()
}

/** Runs `work` while the ledger object uses another D1 database, for example one that counts queries or fails. */
export async function withD1<T>(ledger: TestLedger, db: D1Database, work: () => Promise<T>): Promise<T> {
  await giveEnv(ledger, { ...env, DB: db })
  try {
    return await work()
  } finally {
    await giveEnv(ledger, env)
  }
}

async function giveEnv(ledger: TestLedger, bindings: Bindings): Promise<void> {
  await runInDurableObject(ledger.stub, (instance) => {
    if (!Reflect.set(instance, 'env', bindings)) throw new Error('the object kept its bindings')
  })
}
