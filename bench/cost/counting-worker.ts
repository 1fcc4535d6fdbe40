import type { Bindings } from '../../src/bindings.ts'
import worker, { CustomerLedger as Ledger } from '../../src/index.ts'
import { countingD1 } from '../../test/support/d1.ts'

/**
 * The counts of billed operations. `npm run cost` runs the Worker of this project with bindings and storage that count
 * their calls. The Worker and its objects share one isolate in the local runtime, so they also share these counts.
 */
export interface Counts {
  worker_requests: number
  object_requests: number
  object_rows_written: number
  object_rows_read: number
  queue_messages: number
  queue_operations: number
  kv_reads: number
  kv_writes: number
  d1_rows_written: number
  d1_rows_read: number
  object_bytes: number
  d1_bytes: number
}

const counts = {
  worker_requests: 0,
  object_requests: 0,
  queue_messages: 0,
  queue_operations: 0,
  kv_reads: 0,
  kv_writes: 0,
  object_rows_written: 0,
  object_rows_read: 0,
}
const d1 = countingD1()
/** The size of each object's database in bytes, after the latest statement. */
const sizes = new Map<SqlStorage, number>()

const QUEUE_BLOCK_BYTES = 64 * 1024
/** The number of queue operations for each 64 KiB of a message: a write, a read and a delete. */
const OPERATIONS_A_BLOCK = 3

export class CustomerLedger extends Ledger {
  constructor(ctx: DurableObjectState, env: Bindings) {
    super(countStorage(ctx), counted(env))
  }

  override async alarm(): Promise<void> {
    counts.object_requests++
    await super.alarm()
  }
}

export default {
  fetch: async (request: Request, env: Bindings, ctx: ExecutionContext): Promise<Response> => {
    if (new URL(request.url).pathname === '/counts') return Response.json(await readCounts(env))
    counts.worker_requests++
    return worker.fetch(request, counted(env), ctx)
  },
  queue: (batch: MessageBatch, env: Bindings, ctx: ExecutionContext) => {
    counts.worker_requests++
    return worker.queue(batch, counted(env), ctx)
  },
  scheduled: worker.scheduled,
}

async function readCounts({ DB }: Bindings): Promise<Counts> {
  const { meta } = await DB.prepare('SELECT 1').all()
  return {
    ...counts,
    d1_rows_written: d1.counts.rows_written,
    d1_rows_read: d1.counts.rows_read,
    object_bytes: [...sizes.values()].reduce((total, bytes) => total + bytes, 0),
    d1_bytes: meta.size_after,
  }
}

let wrapped: Bindings | undefined

/**
 * Returns the bindings with counters. Always returns the same object, because the Worker caches values by this
 * object.
 */
function counted(env: Bindings): Bindings {
  wrapped ??= {
    ...env,
    DB: d1.db,
    LEDGER: Object.create(env.LEDGER, {
      idFromName: { value: (name: string) => env.LEDGER.idFromName(name) },
      get: {
        value: (...args: Parameters<typeof env.LEDGER.get>) =>
          intercept(env.LEDGER.get(...args), () => counts.object_requests++),
      },
    }),
    USAGE: intercept(env.USAGE, (method, args) => countMessages(method, args[0])),
    API_KEYS: intercept(env.API_KEYS, (method) => {
      if (method === 'put' || method === 'delete') counts.kv_writes++
      else counts.kv_reads++
    }),
  }
  return wrapped
}

function countMessages(method: string, sent: unknown): void {
  const messages = method === 'sendBatch' && Array.isArray(sent) ? sent : [sent]
  for (const message of messages) {
    counts.queue_messages++
    const blocks = Math.max(1, Math.ceil(JSON.stringify(message).length / QUEUE_BLOCK_BYTES))
    counts.queue_operations += blocks * OPERATIONS_A_BLOCK
  }
}

/** Returns a proxy of the object that reports each method call to `onCall` before it makes the call. */
function intercept<T extends object>(target: T, onCall: (method: string, args: unknown[]) => void): T {
  return new Proxy(target, {
    get: (_, method) => {
      const value: unknown = Reflect.get(target, method)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        onCall(String(method), args)
        return Reflect.apply(value, target, args)
      }
    },
  })
}

function countStorage(ctx: DurableObjectState): DurableObjectState {
  const { storage } = ctx
  const { sql } = storage
  const { exec } = sql
  Reflect.set(sql, 'exec', (...args: Parameters<typeof exec>) => {
    const cursor: SqlStorageCursor<Record<string, SqlStorageValue>> = Reflect.apply(exec, sql, args)
    sizes.set(sql, sql.databaseSize)
    countRows(cursor)
    return cursor
  })
  const { setAlarm } = storage
  Reflect.set(storage, 'setAlarm', (...args: Parameters<typeof setAlarm>) => {
    // Cloudflare bills an alarm as a written row.
    counts.object_rows_written++
    return Reflect.apply(setAlarm, storage, args)
  })
  return ctx
}

/**
 * Counts the rows of a cursor. The counts of a cursor are complete only after it has been read to its end. The counts
 * of an empty cursor are complete immediately.
 */
function countRows(cursor: SqlStorageCursor<Record<string, SqlStorageValue>>): void {
  let read = 0
  let written = 0
  const count = () => {
    counts.object_rows_read += cursor.rowsRead - read
    counts.object_rows_written += cursor.rowsWritten - written
    read = cursor.rowsRead
    written = cursor.rowsWritten
  }
  count()
  const { toArray } = cursor
  Reflect.set(cursor, 'toArray', () => {
    const rows: unknown = Reflect.apply(toArray, cursor, [])
    count()
    return rows
  })
}
