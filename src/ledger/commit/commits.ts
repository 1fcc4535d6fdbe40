import { earliest } from '../../time/durations.ts'
import { OVERLOADED, type Refused } from '../model/refusal.ts'
import { walletDueAt } from '../model/wallet.ts'
import { Draft } from './draft.ts'
import type { Identity, LedgerStore, Written } from './store.ts'

interface Options {
  readonly ctx: DurableObjectState
  readonly store: LedgerStore
  /** The size of the database from which on it takes no changes of clients. */
  readonly max_bytes: () => number
  /** `due_at_ms`: when the first of the commit's wallets falls due; null for never. */
  readonly onCommitted: (due_at_ms: number | null) => void
  readonly log: (event: string, error: unknown) => void
}

/** Thrown out of a commit, which drops its draft; the other requests of its group are tried again. */
export class LedgerFull extends Error {}

/** The commits of a ledger object: drafts made durable, alone or in groups. */
export class Commits {
  readonly group: GroupCommit
  /** Whether the database has grown to its limit. Updated after each commit and each alarm: reading it takes 20 us. */
  isFull = false
  private readonly options: Options

  constructor(options: Options) {
    this.options = options
    this.group = new GroupCommit((change) => this.commit(change))
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
    this.isFull = this.database_bytes >= this.options.max_bytes()
  }

  /** A new unit of work. Dropped, it has changed nothing. */
  draft(): Draft {
    const { store } = this.options
    return new Draft(store, store.counters, Date.now())
  }

  /** Applies a change in the next group commit, if the group has room for it. */
  submit<T>(weight: number, apply: Apply<T>): Promise<T | Refused> {
    return this.group.hasRoom(weight) ? this.group.submit(weight, apply) : Promise.resolve(OVERLOADED)
  }

  /**
   * Applies a client's change, unless the database is full: D1 has been unavailable for longer than a key is kept, or
   * the ledger is used more than an object can hold. Replays and refusals change nothing, and still get their answer.
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
    const { ctx, store } = this.options
    const written = ctx.storage.transactionSync(() => {
      also()
      return store.write(draft, identity)
    })
    this.publish(draft, written, identity)
    return result
  }

  /** Brings the table of limit counters up to the journal. Costs nothing when nothing was counted. */
  checkpoint(): void {
    const { ctx, store } = this.options
    if (!store.limits.isDirty) return
    ctx.storage.transactionSync(() => store.writeCheckpoint())
    store.checkpointed()
  }

  /**
   * Publishes the written state to readers. Never throws, because the write must not be retried: if memory cannot
   * follow the disk, the object restarts from the disk, and its callers are answered that the outcome is unknown.
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
      this.measure()
      onCommitted(earliest([...draft.wallets.values()].map(walletDueAt)))
    } catch (error) {
      // The next commit arms the alarm, or the next start.
      log('alarm_not_armed', error)
    }
  }
}

/** A request's work on a draft: validates, then changes; returns the answer. */
export type Apply<T> = (draft: Draft) => T

interface Waiting {
  /** The share of a group that the request fills: see `weightOf`. */
  readonly weight: number
  /** Applies the request; the returned function answers it, once the commit has succeeded. */
  readonly apply: (draft: Draft) => () => void
  readonly fail: (error: unknown) => void
}

/** A commit takes no more than this, so that one transaction and its journal rows stay small. */
const MAX_GROUP_WEIGHT = 4_000

/** The most that may wait. Past it, the ledger answers `overloaded` at once, to bound latency and memory. */
const MAX_WAITING_WEIGHT = 20_000

/** Returns the weight of a waiting request: its events, or its kilobytes of JSON if those are more. */
export function weightOf(json_length: number, events = 1): number {
  return Math.max(events, Math.ceil(json_length / 1024))
}

/**
 * Requests that arrive together share one commit. They are gathered by a 0 ms timer: measured, that doubles what one
 * object can do and costs nothing when a request is alone (a microtask gathers none, 2 ms is slower with few callers).
 */
export class GroupCommit {
  private waiting: Waiting[] = []
  private waitingWeight = 0
  private scheduled = false

  private readonly commit: (change: (draft: Draft) => void) => void

  /**
   * `commit` applies the function to a new draft and makes it durable, or throws and leaves no trace: then its requests
   * are tried again. So it must not throw once it is durable.
   */
  constructor(commit: (change: (draft: Draft) => void) => void) {
    this.commit = commit
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
      this.schedule()
    })
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    setTimeout(() => {
      this.scheduled = false
      this.run(this.takeGroup())
      if (this.waiting.length > 0) this.schedule()
    }, 0)
  }

  private takeGroup(): Waiting[] {
    let weight = 0
    const open = this.waiting.findIndex((request, index) => {
      weight += request.weight
      return index > 0 && weight > MAX_GROUP_WEIGHT
    })
    const group = this.waiting.splice(0, open === -1 ? this.waiting.length : open)
    for (const request of group) this.waitingWeight -= request.weight
    return group
  }

  /** If the shared commit fails, each request is tried alone once, so that none fails because of another. */
  private run(group: readonly Waiting[]): void {
    let answers: readonly (() => void)[] = []
    try {
      this.commit((draft) => {
        answers = group.map((request) => request.apply(draft))
      })
    } catch (error) {
      const [only, ...others] = group
      if (only && others.length === 0) only.fail(error)
      else for (const request of group) this.run([request])
      return
    }
    // Durable: nothing from here on may reach the retry above, which would burn twice.
    for (const answer of answers) answer()
  }
}
