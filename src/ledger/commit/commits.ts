import { OVERLOADED, type Refused } from '../model/refusal.ts'
import { Draft } from './draft.ts'
import type { Identity, LedgerStore, Written } from './store.ts'

interface Options {
  readonly ctx: DurableObjectState
  readonly store: LedgerStore
  /** Runs before a draft is written, after its last request: adds its notifications, alerts and due top-ups. */
  readonly complete: (draft: Draft, identity: Identity) => void
  /** The size of the database at which it stops accepting changes of clients. */
  readonly max_bytes: () => number
  readonly onCommitted: (draft: Draft) => void
  readonly log: (event: string, error: unknown) => void
}

/**
 * The size of the database is read when commits have added about this much to it, and after each alarm: reading it takes
 * 8 us, a twentieth of a single event. A commit counts as two pages, beside its journal rows.
 */
const BYTES_A_MEASUREMENT = 256 * 1024
const BYTES_A_COMMIT = 8 * 1024

/** Thrown by a request of a commit. The commit drops its draft, and tries the other requests of its group again. */
export class LedgerFull extends Error {}

/** The commits of a ledger object: drafts made durable, alone or in groups. */
export class Commits {
  readonly group: GroupCommit
  /** Whether the database has grown to its limit. */
  isFull = false
  /** An upper bound of the bytes that commits have added since the size was read. */
  private unmeasured = 0
  private readonly options: Options

  constructor(options: Options) {
    this.options = options
    this.group = new GroupCommit((change) => this.commit(change), durabilityOf(options.ctx.storage))
    this.measure()
  }

  /** The time of a commit made now. It never runs backwards, so a due item stays due. */
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

  /** Creates a unit of work. Dropping it undoes it. */
  draft(): Draft {
    const { store } = this.options
    return new Draft(store, store.counters, Date.now())
  }

  /** Applies a change in the next group commit, if the group has room for it. */
  submit<T>(weight: number, apply: Apply<T>): Promise<T | Refused> {
    return this.group.hasRoom(weight) ? this.group.submit(weight, apply) : Promise.resolve(OVERLOADED)
  }

  /**
   * Applies a client's change, unless the database is full. It fills up when D1 is unavailable for longer than a key is
   * kept, or when a ledger has more data than an object can hold. Replays and refusals change nothing, and still get
   * their answer.
   */
  rejectIfFull<T>(draft: Draft, change: () => T): T {
    const result = change()
    if (!draft.isEmpty && this.isFull) throw new LedgerFull()
    return result
  }

  /**
   * Makes a draft durable: computed first, on copies, then written in one transaction, then published. Replies wait for
   * the disk by themselves (output gate), so an answer after this is durable. Throws only before anything is written,
   * so the caller may try again. `also` is written in the same transaction.
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

  /** Updates the table of limit counters from the journal. Costs nothing if nothing was counted. */
  checkpoint(): void {
    const { ctx, store } = this.options
    if (!store.limits.isDirty) return
    ctx.storage.transactionSync(() => store.writeCheckpoint())
    store.checkpointed()
  }

  /**
   * Publishes the written state to readers. Never throws, because the write must not be retried: if the state in memory
   * cannot be updated, the object restarts from the disk, and its callers get an error for an unknown outcome.
   */
  private publish(draft: Draft, written: Written, identity?: Identity): void {
    const { ctx, store, onCommitted, log } = this.options
    try {
      store.publish(draft, written, identity)
    } catch (error) {
      log('commit_not_published', error)
      ctx.abort('what was committed could not be published')
      return
    }
    try {
      this.unmeasured += BYTES_A_COMMIT + written.rows.journal_length
      if (this.unmeasured >= BYTES_A_MEASUREMENT) this.measure()
      onCommitted(draft)
    } catch (error) {
      // The next commit or the next start arms the alarm.
      log('alarm_not_armed', error)
    }
  }
}

/** The work of a request on a draft. It validates the request, changes the draft and returns the answer. */
export type Apply<T> = (draft: Draft) => T

interface Waiting {
  /** The memory that the request takes while it waits: see `weightOf`. */
  readonly weight: number
  /** Applies the request; the returned function answers it, once the commit has succeeded. */
  readonly apply: (draft: Draft) => () => void
  readonly fail: (error: unknown) => void
}

/**
 * A group that has this many records or this weight accepts no further request. This keeps a transaction, its
 * journal rows and the time for which it blocks the object small: 2,000 events take about 20 ms.
 */
const MAX_GROUP_RECORDS = 2_000
const MAX_GROUP_WEIGHT = 4_000

/**
 * The limit of the waiting requests: 22 MB of messages and of the memory of their metadata, enough for 50
 * batches of 1,000 events. Above it, the ledger answers `overloaded` at once, to bound memory and latency.
 */
export const MAX_WAITING_WEIGHT = 22_000

/** Returns the weight of a waiting request, in kilobytes: messages wait as text, and are parsed when they are applied. */
export function weightOf(json_length: number): number {
  return Math.ceil(json_length / 1024)
}

/** Returns a function that waits for storage. Ignores its failure: the output gate then holds the answers back. */
export function durabilityOf(storage: DurableObjectStorage): () => Promise<void> {
  return () => storage.sync().catch(() => {})
}

/**
 * Requests that arrive together share one commit. The first one is committed at once, and requests that
 * arrive until it is durable are the next group. Groups therefore grow with the latency of the disk, and a
 * single request does not wait. No timer is involved: in workerd 1.20261102, a timer of 0 ms takes 1.15 ms.
 * docs/decisions/002 has the measurements.
 */
export class GroupCommit {
  private waiting: Waiting[] = []
  private waitingWeight = 0
  private running = false

  private readonly commit: (change: (draft: Draft) => void) => void
  private readonly durable: () => Promise<void>

  /**
   * `commit` applies the function to a new draft and makes it durable, or throws and leaves no trace: then
   * its requests are tried again. So it must not throw once it is durable. `durable` resolves when the
   * commits are on disk, and never rejects.
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
      // Requests of the same turn of the event loop join the first group.
      await undefined
      while (this.waiting.length > 0) {
        this.runGroup()
        await this.durable()
      }
    } finally {
      // Runs even after an unexpected error, so that the next request starts again.
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
    // The commit is durable: an error from here on must not reach the retry above, which would burn twice.
    for (const answer of answers) answer()
  }

  /** If a shared commit fails, each of its requests is tried alone once, so that none fails because of another. */
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
