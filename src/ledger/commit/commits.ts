import { OVERLOADED, type Refused } from '../model/refusal.ts'
import { Draft } from './draft.ts'
import type { Identity, LedgerStore, Written } from './store.ts'

interface Options {
  readonly ctx: DurableObjectState
  readonly store: LedgerStore
  /**
   * Completes a draft after its last request, before the draft is written. Adds notifications, changes of alerts and
   * due top-ups.
   */
  readonly complete: (draft: Draft, identity: Identity) => void
  /** The size of the database, in bytes, at which the ledger refuses most changes by clients. */
  readonly max_bytes: () => number
  readonly onCommitted: (draft: Draft) => void
  readonly log: (event: string, error: unknown) => void
}

/**
 * The estimated number of bytes that commits add before the size of the database is read again. The size is also read
 * after each alarm. Reading the size takes 8 microseconds, a twentieth of the time that a single event takes. Each
 * commit counts as two database pages in addition to its journal rows.
 */
const BYTES_A_MEASUREMENT = 256 * 1024
const BYTES_A_COMMIT = 8 * 1024

/**
 * The error of a request that would change a full database. A group commit then drops its draft. If the group has
 * several requests, each of them is tried again in a commit of its own.
 */
export class LedgerFull extends Error {}

/** The commits of a ledger object. Each commit makes one change or a group of changes durable. */
export class Commits {
  readonly group: GroupCommit
  /** Whether the database had reached its maximum size when its size was last read. */
  isFull = false
  /** The estimated number of bytes that commits have added since the size was read. */
  private unmeasured = 0
  private readonly options: Options

  constructor(options: Options) {
    this.options = options
    this.group = new GroupCommit((change) => this.commit(change), durabilityOf(options.ctx.storage))
    this.measure()
  }

  /**
   * The time that a commit has if it is made now. It is never earlier than the time of the last commit, so a due item
   * stays due.
   */
  get now_ms(): number {
    return Math.max(Date.now(), this.options.store.counters.at_ms)
  }

  get database_bytes(): number {
    return this.options.ctx.storage.sql.databaseSize
  }

  measure(): void {
    this.unmeasured = 0
    this.isFull = this.database_bytes >= this.options.max_bytes()
  }

  /** Creates a draft, which is one unit of work. A draft that is not written has no effect. */
  draft(): Draft {
    const { store } = this.options
    return new Draft(store, store.counters, Date.now())
  }

  /** Applies a change in a group commit. Refuses the change if too many requests are waiting. */
  submit<T>(weight: number, apply: Apply<T>): Promise<T | Refused> {
    return this.group.hasRoom(weight) ? this.group.submit(weight, apply) : Promise.resolve(OVERLOADED)
  }

  /**
   * Applies a client's change. Throws `LedgerFull` if the database is full and the draft is not empty. Replays and
   * refusals are still returned if the draft is empty. The database can become full if D1 is unavailable for longer
   * than idempotency keys are kept, or if a ledger has more data than an object can store.
   */
  rejectIfFull<T>(draft: Draft, change: () => T): T {
    const result = change()
    if (!draft.isEmpty && this.isFull) throw new LedgerFull()
    return result
  }

  /**
   * Applies a change to a new draft, and makes the draft durable: computes the change on copies, writes it in one
   * transaction, then publishes it. The runtime's output gate holds replies back until the write is on disk. `also`
   * runs in the same transaction. Without an `identity`, an empty draft is not written, and `also` does not run. If
   * `commit` throws, nothing was written, so the caller can try again.
   */
  commit<T>(change: (draft: Draft) => T, identity?: Identity, also = () => {}): T {
    const draft = this.draft()
    const result = change(draft)
    if (draft.isEmpty && !identity) return result
    const { ctx, store, complete } = this.options
    const opened = identity ?? store.identity
    if (opened) complete(draft, opened)
    const written = ctx.storage.transactionSync(() => {
      also()
      return store.write(draft, identity)
    })
    this.publish(draft, written, identity)
    return result
  }

  /** Writes the checkpoint of limit counters. Writes nothing if the checkpoint is up to date. */
  checkpoint(): void {
    const { ctx, store } = this.options
    if (!store.limits.isDirty) return
    ctx.storage.transactionSync(() => store.writeCheckpoint())
    store.checkpointed()
  }

  /**
   * Publishes the written state to readers. Never throws, because the write must not be retried. If the state in memory
   * cannot be updated, the object restarts from the disk, and its callers get an error although the write succeeded.
   */
  private publish(draft: Draft, written: Written, identity?: Identity): void {
    const { ctx, store, onCommitted, log } = this.options
    try {
      store.publish(draft, written, identity)
    } catch (error) {
      log('commit_not_published', error)
      ctx.abort('the written commit could not be published')
      return
    }
    try {
      this.unmeasured += BYTES_A_COMMIT + written.rows.journal_length
      if (this.unmeasured >= BYTES_A_MEASUREMENT) this.measure()
      onCommitted(draft)
    } catch (error) {
      // The commit is valid. The next commit, or the next start of the object, arms the alarm.
      log('alarm_not_armed', error)
    }
  }
}

/** A request's work on a draft. It validates the request, changes the draft and returns the result. */
export type Apply<T> = (draft: Draft) => T

interface Waiting {
  /** The weight of the request: see `weightOf`. */
  readonly weight: number
  /**
   * Applies the request, and returns a function that passes the result to the caller. Call that function after the
   * commit has succeeded.
   */
  readonly apply: (draft: Draft) => () => void
  readonly fail: (error: unknown) => void
}

/**
 * The number of records at which a group accepts no further request, and the maximum weight of a group with several
 * requests. They limit the size of a transaction, the size of its journal rows, and the time for which it blocks the
 * object: 2,000 events take about 20 ms.
 */
const MAX_GROUP_RECORDS = 2_000
const MAX_GROUP_WEIGHT = 4_000

/**
 * The maximum weight of the waiting requests: 22 MB of messages and metadata, enough for 50 batches of 1,000 events.
 * Above the maximum, the ledger immediately refuses requests with `overloaded`, which bounds memory and latency.
 */
export const MAX_WAITING_WEIGHT = 22_000

/**
 * Returns the weight of a waiting request: its length (`Request.length`) divided by 1,024 and rounded up. Messages wait
 * as text and are parsed when they are applied.
 */
export function weightOf(json_length: number): number {
  return Math.ceil(json_length / 1024)
}

/**
 * Returns a function that waits until all writes are on disk. Ignores a failed write, because the output gate then
 * holds the replies back.
 */
export function durabilityOf(storage: DurableObjectStorage): () => Promise<void> {
  return () => storage.sync().catch(() => {})
}

/**
 * Commits requests in groups. The first request is committed at once. Requests that arrive before that commit is
 * durable form the next group, up to the limits of a group. Groups therefore grow with the latency of the disk, and a
 * single request does not wait. No timer is used, because a timer of 0 ms takes 1.15 ms in workerd 1.20261102. The
 * measurements are in docs/decisions/002.
 */
export class GroupCommit {
  private waiting: Waiting[] = []
  private waitingWeight = 0
  private running = false

  private readonly commit: (change: (draft: Draft) => void) => void
  private readonly durable: () => Promise<void>

  /**
   * Creates a group commit without requests. `commit` applies its argument to a new draft, and makes the draft durable.
   * If `commit` throws, it must have changed nothing, because the requests are then tried again. `durable` resolves
   * when the commits are on disk, and never rejects.
   */
  constructor(commit: (change: (draft: Draft) => void) => void, durable: () => Promise<void>) {
    this.commit = commit
    this.durable = durable
  }

  hasRoom(weight: number): boolean {
    return this.waitingWeight + weight <= MAX_WAITING_WEIGHT
  }

  submit<T>(weight: number, apply: Apply<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.waiting.push({
        weight,
        apply: (draft) => {
          const answer = apply(draft)
          return () => resolve(answer)
        },
        fail: reject,
      })
      this.waitingWeight += weight
      if (!this.running) void this.runAll()
    })
  }

  private async runAll(): Promise<void> {
    this.running = true
    try {
      // Requests that arrive in the same turn of the event loop join the first group.
      await undefined
      while (this.waiting.length > 0) {
        this.runGroup()
        await this.durable()
      }
    } finally {
      // Runs even after an unexpected error, so that the next request starts a new group.
      this.running = false
    }
  }

  private runGroup(): void {
    const taken: Waiting[] = []
    const group = this.waiting
    const answers: (() => void)[] = []
    try {
      this.commit((draft) => {
        let weight = 0
        for (const request of group) {
          weight += request.weight
          const full = draft.records.length >= MAX_GROUP_RECORDS || weight > MAX_GROUP_WEIGHT
          if (full && taken.length > 0) break
          taken.push(request)
          answers.push(request.apply(draft))
        }
      })
    } catch (error) {
      this.remove(taken)
      this.runAlone(taken, error)
      return
    }
    this.remove(taken)
    // The commit is written. The functions in `answers` run outside the `try` block, because a retry after one of their
    // errors would burn twice.
    for (const answer of answers) answer()
  }

  /**
   * Tries each request of a failed group again, in a commit of its own, so that no request fails because of another
   * request. If the group has only one request, that request fails at once.
   */
  private runAlone(group: readonly Waiting[], error: unknown): void {
    const [only, ...others] = group
    if (only && others.length === 0) {
      only.fail(error)
      return
    }
    for (const request of group) {
      let answer = () => {}
      try {
        this.commit((draft) => {
          answer = request.apply(draft)
        })
      } catch (own) {
        request.fail(own)
        continue
      }
      answer()
    }
  }

  private remove(taken: readonly Waiting[]): void {
    this.waiting.splice(0, taken.length)
    for (const request of taken) this.waitingWeight -= request.weight
  }
}
