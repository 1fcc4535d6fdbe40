import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { jsonOf } from '../support/api.ts'
import { createCustomer, type TestCustomer } from '../support/customers.ts'
import { deployed } from '../support/deployment.ts'
import { ledgerOf, rowsWrittenBy } from '../support/ledgers.ts'

/**
 * The work of a request as counts, which are the same on every machine. `npm run bench` measures times. The limits of
 * the tests are about a tenth above the current counts. Lower a limit after an improvement. If a test fails, find the
 * cause before you raise its limit.
 */
interface Work {
  /** The size of the arguments and results of all calls between Worker and object, in bytes. */
  readonly message_bytes: number
  /** The size of the journal rows that the request writes, in bytes. */
  readonly journal_bytes: number
  readonly statements: number
  readonly rows: number
}

interface Case {
  readonly name: string
  readonly path?: string
  readonly body: object
  readonly headers?: Readonly<Record<string, string>>
  /** The maximum work of the request. */
  readonly most: Work
}

const TOKENS = { provider: 'OPENAI', model: 'gpt-4o', input_tokens: 1000, output_tokens: 500 }
const EVENT = { event_type: 'TOKEN_USAGE', feature_id: 'chat', ...TOKENS }

function events(count: number, keyed: boolean): object {
  return {
    events: Array.from({ length: count }, (_, i) =>
      keyed ? { ...EVENT, idempotency_key: `key-${i}` } : EVENT,
    ),
  }
}

const cases: readonly Case[] = [
  {
    name: 'one event with a key',
    body: { ...EVENT, idempotency_key: 'key' },
    most: { message_bytes: 740, journal_bytes: 590, statements: 2, rows: 2 },
  },
  {
    name: '100 events with a key each',
    body: events(100, true),
    most: { message_bytes: 15_800, journal_bytes: 41_000, statements: 2, rows: 2 },
  },
  {
    name: '100 events with one key',
    body: events(100, false),
    headers: { 'Idempotency-Key': 'batch' },
    most: { message_bytes: 12_600, journal_bytes: 49_000, statements: 2, rows: 2 },
  },
  {
    name: '1,000 events with a key each',
    body: events(1000, true),
    most: { message_bytes: 155_000, journal_bytes: 412_000, statements: 4, rows: 4 },
  },
  {
    name: 'a balance',
    path: '/v1/credits/balance',
    body: {},
    most: { message_bytes: 410, journal_bytes: 0, statements: 0, rows: 0 },
  },
  {
    name: 'a check',
    path: '/v1/entitlements/check',
    body: { feature_id: 'chat' },
    most: { message_bytes: 420, journal_bytes: 0, statements: 0, rows: 0 },
  },
]

it.each(cases)('$name takes a bounded amount of work', async (request) => {
  const customer = await createCustomer()
  await send(customer, { path: '/v1/credits/grant', body: { amount: 1_000_000 } })
  // Sends the first requests after a start, which load data that later requests find in memory. They are not measured.
  await send(customer, { path: '/v1/events/ingest', body: { ...EVENT, idempotency_key: 'first' } })
  await send(customer, { path: '/v1/entitlements/check', body: { feature_id: 'chat' } })
  const work = await workOf(customer, request)
  console.log(request.name, work)
  for (const [figure, limit] of Object.entries(request.most)) {
    expect.soft(Reflect.get(work, figure), figure).toBeLessThanOrEqual(limit)
  }
})

async function workOf(customer: TestCustomer, request: Case): Promise<Work> {
  const ledger = ledgerOf(customer.customer_id)
  const before = await journalBytes(customer)
  const counting = countingLedgers()
  const statements = { count: 0 }
  const rows = await rowsWrittenBy(ledger, async () => {
    await countStatements(customer, statements)
    await send(customer, request, counting.LEDGER)
    await countStatements(customer, null)
  })
  return {
    message_bytes: counting.bytes(),
    journal_bytes: (await journalBytes(customer)) - before,
    statements: statements.count,
    rows,
  }
}

async function send(
  { api_key }: TestCustomer,
  { path = '/v1/events/ingest', body, headers = {} }: Pick<Case, 'path' | 'body' | 'headers'>,
  LEDGER: typeof env.LEDGER = env.LEDGER,
): Promise<void> {
  const sent = path === '/v1/credits/balance' ? {} : { body }
  const response = await deployed({ LEDGER }, path, { key: api_key, headers, ...sent })
  if (!response.ok) throw new Error(JSON.stringify(await jsonOf(response)))
}

/** Returns the ledger namespace with a function that returns the total size of all calls, in bytes. */
function countingLedgers(): { readonly LEDGER: typeof env.LEDGER; readonly bytes: () => number } {
  let bytes = 0
  const get: typeof env.LEDGER.get = (id, options) =>
    new Proxy(env.LEDGER.get(id, options), {
      get:
        (stub, method) =>
        async (...args: unknown[]) => {
          bytes += sizeOf(args)
          const reply: unknown = await Reflect.apply(Reflect.get(stub, method), stub, args)
          bytes += sizeOf(reply)
          return reply
        },
    })
  const LEDGER: typeof env.LEDGER = Object.create(env.LEDGER, {
    idFromName: { value: (name: string) => env.LEDGER.idFromName(name) },
    get: { value: get },
  })
  return { LEDGER, bytes: () => bytes }
}

/** Returns the approximate size of an argument or result of a call, in bytes. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return value.byteLength
  if (typeof value !== 'object' || value === null) return 8
  return Object.values(value).reduce((sum: number, part) => sum + sizeOf(part), 0)
}

/**
 * Counts in `counter` the SQL statements that the customer's ledger object executes after this call. With null, stops
 * counting.
 */
function countStatements({ customer_id }: TestCustomer, counter: { count: number } | null): Promise<void> {
  return runInDurableObject(ledgerOf(customer_id).stub, (_, { storage: { sql } }) => {
    if (counter === null) {
      Reflect.deleteProperty(sql, 'exec')
      return
    }
    const { exec } = sql
    Reflect.set(sql, 'exec', (...args: Parameters<typeof exec>) => {
      counter.count++
      return Reflect.apply(exec, sql, args)
    })
  })
}

/** Returns the total size of all columns of the journal, in bytes. */
function journalBytes({ customer_id }: TestCustomer): Promise<number> {
  return runInDurableObject(ledgerOf(customer_id).stub, (_, { storage }) =>
    storage.sql
      .exec<Record<string, SqlStorageValue>>('SELECT * FROM journal')
      .toArray()
      .reduce((sum, row) => sum + sizeOf(row), 0),
  )
}
