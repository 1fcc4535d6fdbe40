import { earliest } from '../../time/durations.ts'
import { OVERLOADED, type Refused } from '../model/refusal.ts'
import { walletDueAt } from '../model/wallet.ts'
import { Draft } from './draft.ts'
import { type Apply, GroupCommit } from './group-commit.ts'
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

  /** The time of a commit made now. It never runs backwards, so what was due once stays due. */
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
   * Applies a client's change, unless the database is full: D1 has been away for longer than a key lives, or the ledger
   * is used more than an object can hold. Replays and refusals change nothing, and still get their answer.
   */
  rejectIfFull<T>(draft: Draft, change: () => T): T {
    const result = change()
    if (!draft.isEmpty && this.isFull) throw new LedgerFull()
    return result
  }

  /**
   * Makes a draft durable: computed first, on copies, then written in one transaction, then published. Replies wait
   * for the disk by themselves (output gate), so what is answered after this is durable. Throws only before anything
   * is written, so the caller may try again. `also` is written in the same transaction.
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
   * Makes what was written the state that is read. Never throws, since the write must not be tried again: if memory
   * cannot follow the disk, the object restarts from the disk, and its callers learn that the outcome is unknown.
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
