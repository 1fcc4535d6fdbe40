import type { SubjectKind } from '../../db/schema.ts'
import { newId } from '../../ids.ts'
import { addTotals, totalsOf } from '../../usage/cells/cells.ts'
import { sendUsage } from '../../usage/queue/message.ts'
import { recordChange } from '../commit/audit.ts'
import type { Draft } from '../commit/draft.ts'
import type { LedgerStore } from '../commit/store.ts'
import { uncountErased } from '../entitlements/entitlements.ts'
import { eraseFromPages, forgetSubject, subjectNumber } from '../erasure/erase-subject.ts'
import type { Erasure } from '../erasure/erasures.ts'
import type { ErasureRequest } from '../erasure/requests.ts'
import { readWatermark } from '../journal/cursor.ts'
import type { Caller } from '../model/account.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import type { EntryRange, EraseResult, ErasureResult } from '../model/messages/ledger.ts'
import { OVERLOADED } from '../model/refusal.ts'
import { walletKey } from '../model/wallet.ts'
import { assertCommonPast, flushJournal, rewind } from './flush.ts'
import { hintNotifications } from './notifications.ts'
import { rewritePages } from './pages.ts'

/** The database and the queues to which a ledger is projected. They are looked up on each use. */
export interface Projection {
  readonly db: D1Database
  /** The queue for the usage of flushed entries. */
  readonly queue: Queue
  /** The queue for hints that D1 has new notifications. */
  readonly notifications: Queue
  readonly ledger_id: string
  readonly ids: LedgerIds
}

interface Options {
  readonly store: LedgerStore
  readonly projection: () => Projection
  readonly transaction: (write: () => void) => void
  /** Commits a change. `also` runs in the same transaction. */
  readonly commit: (change: (draft: Draft) => void, also: () => void) => void
  /** Writes the checkpoint of limit counters. Flushed rows can be deleted afterwards. */
  readonly checkpoint: () => void
  /** Copies the deletion of a subject's entitlements from a live ledger to the test ledger. */
  readonly shareErasure: () => Promise<void>
}

/**
 * `MAX_FLUSHES` is the maximum number of flushes in one call of `flush`. `MAX_STEPS` is the maximum number of erasure
 * steps that one `Steps` counts. A step erases from at most `JOURNAL_ROWS_A_STEP` journal rows, or from one round of
 * pages in D1.
 */
const MAX_FLUSHES = 40
const MAX_STEPS = 200
const JOURNAL_ROWS_A_STEP = 32

/**
 * Runs the flushes, the rewrites of pages and the erasures of a ledger in D1, one task at a time. Two flushes at once
 * would write the same rows, and a flush during an erasure would restore erased data.
 */
export class Projector {
  private readonly options: Options
  private last: Promise<unknown> = Promise.resolve()
  /**
   * Whether an endpoint or a stream waits for notifications, according to D1 at the last flush. Also true before the
   * first flush, and after the start of a stream.
   */
  isListenedTo = true

  constructor(options: Options) {
    this.options = options
  }

  /**
   * Flushes the rows that the journal has now, continues erasures, and begins requested erasures. The alarm calls this.
   * Without a requested erasure, starts no further flush for later commits, because a busy ledger would otherwise keep
   * writing pages of a few entries.
   */
  advance(): Promise<'all' | 'a part'> {
    return this.alone(async () => {
      const { store } = this.options
      const flushed = await this.flush(store.journal.lastRow)
      const { erasures } = store
      erasures.requests.forgetCompleted(Date.now())
      const steps = new Steps()
      let erased = true
      for (const erasure of erasures.all()) erased &&= await this.eraseUntil('erased', erasure, steps)
      for (const request of flushed ? erasures.requests.all() : []) {
        erased &&= (await this.eraseRequested(request, steps)).kind !== 'in_progress'
      }
      return flushed && erased ? 'all' : 'a part'
    })
  }

  /**
   * Moves the cursor back if D1 was restored from an older backup, so that the lost rows are flushed again. Throws if
   * D1 and the journal have different histories.
   */
  realign(): Promise<void> {
    return this.alone(async () => {
      const { store } = this.options
      const { db, ledger_id } = this.options.projection()
      const to = await readWatermark(db, ledger_id)
      if (to.flushed_row >= store.journal.flushedRow) return
      assertCommonPast(store.journal, to)
      await rewind(store, ledger_id, to)
    })
  }

  /** Flushes everything committed so far. Returns false if one call is not enough. */
  catchUp(): Promise<boolean> {
    const { lastRow } = this.options.store.journal
    return this.alone(() => this.flush(lastRow))
  }

  /**
   * Rewrites pages from the journal. Returns false if `rewritePages` wrote nothing, or if a pending erasure needs
   * another call. Erases the rows of subjects with pending erasures in D1 first, because the journal can already
   * contain an alias while D1 still contains the id.
   */
  rewrite(range: EntryRange): Promise<boolean> {
    return this.alone(async () => {
      const { store, projection } = this.options
      if (!(await this.forgetErased())) return false
      const { db, ledger_id } = projection()
      return rewritePages(store, db, ledger_id, range)
    })
  }

  /**
   * Erases a user or team from the object, from the subject's row in D1 and from D1's pages, in this order. Keeps
   * amounts, numbers and hash chains. Afterwards, the customer can use the id again. Its next use creates a new subject
   * without a wallet. Stores the request first, so that the alarm completes the erasure if this call does not. Refuses
   * with `overloaded` if 100 other requests are stored.
   */
  erase(caller: Caller, kind: SubjectKind, id: string): Promise<EraseResult> {
    return this.alone(async () => {
      const request = { kind, id, caller }
      if (!this.options.store.erasures.requests.add(request)) return OVERLOADED
      return this.eraseRequested(request, new Steps())
    })
  }

  private async eraseRequested(request: ErasureRequest, steps: Steps): Promise<ErasureResult> {
    const { erasures } = this.options.store
    const { kind, id } = request
    const resumed = erasures.all().find((erasure) => erasure.kind === kind && erasure.id === id)
    if (resumed && !(await this.eraseUntil('erased', resumed, steps))) return { kind: 'in_progress' }
    // A resumed erasure covers only the subject that existed when it began. If the id was used again since then, the
    // new subject is erased as well.
    const erasure = await this.begin(request)
    if (erasure === 'behind') return { kind: 'in_progress' }
    if (!erasure) {
      erasures.requests.remove(request)
      const alias = erasures.requests.aliasOf(request, Date.now())
      return alias === undefined ? { kind: 'none' } : { kind: 'erased', alias }
    }
    if (!(await this.eraseUntil('erased', erasure, steps))) return { kind: 'in_progress' }
    return { kind: 'erased', alias: erasure.alias }
  }

  /**
   * Begins a requested erasure. Returns undefined if the subject does not exist, and `behind` if the flush to D1 did
   * not finish.
   */
  private async begin({ caller, kind, id }: ErasureRequest): Promise<Erasure | 'behind' | undefined> {
    const { store, projection, commit } = this.options
    if (!(await this.flush(store.journal.lastRow))) return 'behind'
    const { db, ledger_id } = projection()
    const number = await subjectNumber(db, ledger_id, kind, id)
    if (number === undefined) return undefined
    const erasure: Erasure = {
      kind,
      id,
      alias: newId('erased'),
      number,
      wallet_number: store.wallet(walletKey({ kind, id }))?.number ?? null,
      started_at_ms: Date.now(),
      next_row: store.journal.oldestRow(),
      until_row: store.journal.lastRow,
      forgotten: false,
      page_entry: 0,
      page_wallet: 0,
    }
    commit(
      (draft) => {
        uncountErased(draft, store.entitlementsToErase(erasure))
        recordChange(draft, caller, {
          outcome: undefined,
          change: { action: `${kind}s.erase`, target: erasure.alias, before: null, after: null },
        })
      },
      () => store.beginErasure(erasure),
    )
    store.dropCaches()
    return erasure
  }

  /**
   * Continues an erasure up to a stage: until the subject's row in D1 is erased, or to the end. Returns false if the
   * steps are used up first.
   */
  private async eraseUntil(stage: 'forgotten' | 'erased', begun: Erasure, steps: Steps): Promise<boolean> {
    const { store, projection } = this.options
    const { db, ledger_id } = projection()
    let erasure = begun
    const progress = (change: Partial<Erasure>, write = () => {}) => {
      erasure = { ...erasure, ...change }
      this.options.transaction(() => {
        write()
        store.erasures.write(erasure)
      })
    }
    while (erasure.next_row <= erasure.until_row) {
      if (!steps.take()) return false
      const first_row = erasure.next_row
      const last_row = Math.min(first_row + JOURNAL_ROWS_A_STEP - 1, erasure.until_row)
      progress({ next_row: last_row + 1 }, () =>
        store.erasures.eraseFromJournal(erasure, first_row, last_row),
      )
      store.dropCaches()
      // Parsing blocks the object's only thread, so waiting requests run between two steps.
      await new Promise((resolve) => setTimeout(resolve, 0))
    }
    if (!erasure.forgotten) {
      await forgetSubject(db, ledger_id, erasure)
      progress({ forgotten: true })
    }
    if (stage === 'forgotten') return true
    for (;;) {
      if (!steps.take()) return false
      const place = await eraseFromPages(db, ledger_id, erasure, erasure)
      if (!place) break
      progress(place)
    }
    await this.options.shareErasure()
    this.options.transaction(() => store.erasures.complete(erasure, Date.now()))
    return true
  }

  /**
   * Flushes until D1 has the journal up to `row_id`. Returns false if one call cannot flush all rows up to `row_id`.
   */
  private async flush(row_id: number): Promise<boolean> {
    const { store, projection, checkpoint } = this.options
    if (!(await this.forgetErased())) return false
    const { db, queue, notifications, ledger_id, ids } = projection()
    checkpoint()
    for (let i = 0; i < MAX_FLUSHES && store.journal.flushedRow < row_id; i++) {
      const flushed = await flushJournal(store, ids, db, ledger_id, Date.now())
      if (flushed.kind === 'nothing') break
      if (flushed.kind === 'behind') {
        await rewind(store, ledger_id, flushed.to)
        continue
      }
      const { to, entries, deltas } = flushed
      await hintNotifications(notifications, ledger_id, to, flushed.notifications)
      this.isListenedTo = to.handed_notification !== null || (to.streamed_until_ms ?? 0) > Date.now()
      const after_entry = store.journal.flushedEntry()
      const at_ms = entries.at(-1)?.at_ms ?? 0
      await sendUsage(queue, { ledger_id, after_entry, to_entry: to.flushed_entry, at_ms }, deltas)
      checkpoint()
      const { usage } = store.journal.cursor
      store.writeCursor({
        row: to.flushed_row,
        usage: addTotals(usage, totalsOf(deltas)),
        hash: to.chain_hash,
      })
    }
    return store.journal.flushedRow >= row_id
  }

  /** Erases the rows of subjects with pending erasures in D1. Returns false if one call is not enough. */
  private async forgetErased(): Promise<boolean> {
    const steps = new Steps()
    for (const erasure of this.options.store.erasures.all()) {
      if (!(await this.eraseUntil('forgotten', erasure, steps))) return false
    }
    return true
  }

  private alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.last.then(work)
    this.last = result.catch(() => undefined)
    return result
  }
}

/** Counts erasure steps, up to `MAX_STEPS`. A flush and the operation that runs it count their steps separately. */
class Steps {
  private left = MAX_STEPS

  take(): boolean {
    return this.left-- > 0
  }
}
