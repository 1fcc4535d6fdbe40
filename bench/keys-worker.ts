import { DurableObject } from 'cloudflare:workers'
import { LedgerStore } from '../src/ledger/commit/store.ts'
import { PackedKeys } from '../src/ledger/idempotency/store.ts'
import { migrate } from '../src/ledger/tables.ts'
import { KeysJournal } from '../test/support/keys-journal.ts'

interface Env {
  readonly KEYS: DurableObjectNamespace<KeysBench>
}

const A_COMMIT = 100

/** The state of the idempotency store, which the object returns on every request. */
export interface KeysState {
  readonly wrong: number
  readonly rows_written: number
  readonly rows_read: number
  readonly memory_bytes: number
  readonly database_bytes: number
  readonly runs: number
  readonly segments: number
  readonly buckets: number
  readonly last_row: number
}

/** The idempotency store in a real object, without the ledger. It can commit keys, look them up, and delete them. */
export class KeysBench extends DurableObject<Env> {
  private readonly keys: KeysJournal

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    migrate(ctx.storage)
    this.keys = new KeysJournal(ctx.storage, new LedgerStore(ctx.storage.sql), {})
  }

  override async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const from = Number(searchParams.get('from'))
    const count = Number(searchParams.get('count'))
    const keys = Array.from({ length: count }, (_, i) => randomKey(from + i))
    let wrong = 0
    switch (pathname) {
      // Works like an ingest request: looks the keys up and then commits them. The number of the first key serves as
      // the time.
      case '/commit':
        wrong = this.keys.remembered(keys).size
        this.keys.commit(keys, from)
        break
      // Makes many commits without lookups.
      case '/fill':
        for (let at = 0; at < count; at += A_COMMIT)
          this.keys.commit(keys.slice(at, at + A_COMMIT), from + at)
        break
      case '/known':
        wrong = this.wrongOf(keys)
        break
      case '/unknown':
        wrong = this.keys.remembered(keys).size
        break
      case '/forget':
        this.keys.forgetBefore(from)
        break
    }
    return Response.json(this.state(wrong, searchParams.has('whole')))
  }

  /** Counts the recorded keys for which the store does not return their request. */
  private wrongOf(keys: readonly string[]): number {
    const found = this.keys.remembered(keys)
    return keys.filter((key) => !found.get(key)?.startsWith(`f:${key}@`)).length
  }

  private state(wrong: number, whole: boolean): KeysState {
    const store: unknown = Reflect.get(this.keys.journal, 'keys')
    return {
      wrong,
      rows_written: this.keys.rowsWritten,
      rows_read: this.keys.rowsRead,
      memory_bytes: store instanceof PackedKeys ? store.memoryBytes : 0,
      database_bytes: this.ctx.storage.sql.databaseSize,
      runs: whole ? this.keys.count('key_runs') : 0,
      segments: whole ? this.keys.count('key_segments') : 0,
      buckets: whole ? this.keys.count('key_buckets') : 0,
      last_row: this.keys.journal.lastRow,
    }
  }
}

export default {
  fetch: (request: Request, env: Env) => env.KEYS.get(env.KEYS.idFromName('bench')).fetch(request),
}

/**
 * Returns the key with a number. It looks like a UUID and is derived from the number, so that the bench need not store
 * the keys.
 */
function randomKey(index: number): string {
  let hex = ''
  for (let word = 0; word < 4; word++) hex += mixed(index, word).toString(16).padStart(8, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function mixed(index: number, word: number): number {
  let bits =
    Math.imul(index ^ 0x9e37_79b9, 0x85eb_ca6b) ^
    Math.imul(word + 1, 0xc2b2_ae35) ^
    Math.floor(index / 2 ** 31)
  for (let round = 0; round < 2; round++) {
    bits = Math.imul(bits ^ (bits >>> 16), 0x21f0_aaad)
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a_2d97)
  }
  return (bits ^ (bits >>> 15)) >>> 0
}
