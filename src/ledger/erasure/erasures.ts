import type { SubjectKind } from '../../db/schema.ts'
import type { PastEntry } from '../model/messages/credits.ts'
import { walletKey } from '../model/wallet.ts'
import type { Exec, MetaTable } from '../tables.ts'
import { type Erased, eraseFromEntry, eraseFromRow, eraseFromWallet } from './erasure.ts'
import { ErasureRequests } from './requests.ts'

/**
 * An erasure in progress. `LedgerStore.beginErasure` has erased the subject from the object's other tables. The next
 * steps erase the subject from the journal, then from the subject's row in D1, and last from D1's pages. Every step can
 * be repeated. Each step stores its progress, so an erasure continues after any interruption.
 */
export interface Erasure extends Erased {
  /** The subject's number in D1. */
  readonly number: number
  readonly started_at_ms: number
  /** The next journal row to rewrite, and the last row that was written before the erasure. */
  readonly next_row: number
  readonly until_row: number
  /** Whether the subject's row in D1 is erased. Flushes wait until this is true. */
  readonly forgotten: boolean
  /** The last page that was searched. */
  readonly page_entry: number
  readonly page_wallet: number
}

const WRITE = `
  INSERT OR REPLACE INTO erasures (alias, kind, subject_id, subject_number, wallet_number, started_at_ms, next_row,
    until_row, forgotten, page_entry, page_wallet)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// Searches with `instr` first, because few rows name a subject. The search is about a hundred times faster than
// parsing a row of 256 KB.
const ROWS_OF_SUBJECT = `
  SELECT row_id, format, body FROM journal
  WHERE row_id BETWEEN ? AND ? AND (instr(body, ?) > 0 OR instr(body, ?) > 0)`

const WALLETS_OF_SUBJECT = 'SELECT wallet_key, state FROM wallets WHERE instr(state, ?) > 0'

const UNRATED_OF_SUBJECT = `
  SELECT entry, record FROM unrated_events WHERE instr(record, ?) > 0 OR wallet_number = ?`

/**
 * The maximum number of recent erasures that are kept in memory. They are kept because a caller might have read an id
 * before its erasure.
 */
const MAX_REMEMBERED = 100

/** The erasures in progress, and the data of their subjects in the object's own tables. */
export class Erasures {
  /** The erasures that have not begun, and the recently completed erasures. */
  readonly requests: ErasureRequests
  private readonly exec: Exec
  private readonly remembered: { readonly erased: Erased; readonly last_entry: number }[] = []

  constructor(exec: Exec, meta: MetaTable) {
    this.exec = exec
    this.requests = new ErasureRequests(meta)
  }

  /** Keeps an erasure in memory. `last_entry` is the last entry that can name its subject. */
  remember({ kind, id, alias, wallet_number }: Erased, last_entry: number): void {
    this.remembered.push({ erased: { kind, id, alias, wallet_number }, last_entry })
    if (this.remembered.length > MAX_REMEMBERED) this.remembered.shift()
  }

  /**
   * Returns a past entry with erased ids replaced by aliases. The caller might have read the entry just before an
   * erasure, and a void or refund of the entry must not write the erased id again.
   */
  renamed(past: PastEntry): PastEntry {
    const { used } = past
    if (!used) return past
    const nameOf = (kind: SubjectKind, id: string | undefined): string | undefined =>
      this.remembered.find(
        ({ erased, last_entry }) => erased.kind === kind && erased.id === id && past.number <= last_entry,
      )?.erased.alias ?? id
    const user_id = nameOf('user', used.user_id)
    const team_id = nameOf('team', used.team_id)
    return {
      ...past,
      used: { ...used, ...(user_id !== undefined && { user_id }), ...(team_id !== undefined && { team_id }) },
    }
  }

  /** Returns the erasures in progress. Sorts them by alias, and therefore by time, oldest first. */
  all(): Erasure[] {
    return this.exec('SELECT * FROM erasures ORDER BY alias').map(erasureOf)
  }

  /** Reports whether an erasure is in progress or requested. The alarm must then run again. */
  get isPending(): boolean {
    return this.all().length > 0 || this.requests.all().length > 0
  }

  write(erasure: Erasure): void {
    this.exec(
      WRITE,
      erasure.alias,
      erasure.kind,
      erasure.id,
      erasure.number,
      erasure.wallet_number,
      erasure.started_at_ms,
      erasure.next_row,
      erasure.until_row,
      erasure.forgotten ? 1 : 0,
      erasure.page_entry,
      erasure.page_wallet,
    )
  }

  /**
   * Removes a completed erasure, which contains the last stored copy of the subject's id. Records a salted hash of the
   * id, which answers a repeated request. Call this in a transaction.
   */
  complete(erasure: Erasure, now_ms: number): void {
    this.exec('DELETE FROM erasures WHERE alias = ?', erasure.alias)
    this.requests.complete(erasure, now_ms)
  }

  /**
   * Replaces the subject's id with the alias in all wallets and their open holds. Ends the recurring grants and the
   * top-up of the subject's own wallet. Later uses of the id belong to a new subject.
   */
  eraseFromWallets(erased: Erased): void {
    const { kind, id, alias } = erased
    const own_key = walletKey({ kind, id })
    for (const { wallet_key, state } of this.exec(WALLETS_OF_SUBJECT, JSON.stringify(id))) {
      const key = wallet_key === own_key ? walletKey({ kind, id: alias }) : String(wallet_key)
      this.exec(
        'UPDATE wallets SET wallet_key = ?, state = ? WHERE wallet_key = ?',
        key,
        eraseFromWallet(String(state), erased),
        String(wallet_key),
      )
    }
  }

  /** Removes the subject from the stored unrated events. */
  eraseFromUnrated(erased: Erased): void {
    const { id, wallet_number } = erased
    for (const { entry, record } of this.exec(UNRATED_OF_SUBJECT, JSON.stringify(id), wallet_number)) {
      this.exec(
        'UPDATE unrated_events SET record = ? WHERE entry = ?',
        eraseFromEntry(String(record), erased),
        Number(entry),
      )
    }
  }

  /**
   * Rewrites the journal rows from `first_row` to `last_row` that name the subject or have entries of its wallet.
   * Writes 1 row for each rewritten row.
   */
  eraseFromJournal(erased: Erased, first_row: number, last_row: number): void {
    const by_name = JSON.stringify(erased.id)
    const by_wallet = erased.wallet_number === null ? by_name : `"w":${erased.wallet_number},`
    for (const { row_id, format, body } of this.exec(
      ROWS_OF_SUBJECT,
      first_row,
      last_row,
      by_name,
      by_wallet,
    )) {
      const erasedBody = eraseFromRow(Number(format), String(body), erased)
      if (erasedBody !== body) {
        // Without the salt, a guess at the erased text cannot be tested against the hash. The hash itself stays,
        // because the hash of the next row covers it.
        this.exec('UPDATE journal SET body = ?, salt = NULL WHERE row_id = ?', erasedBody, Number(row_id))
      }
    }
  }
}

function erasureOf(row: Record<string, SqlStorageValue>): Erasure {
  const kind: SubjectKind = row.kind === 'team' ? 'team' : 'user'
  return {
    kind,
    id: String(row.subject_id),
    alias: String(row.alias),
    number: Number(row.subject_number),
    wallet_number: row.wallet_number === null ? null : Number(row.wallet_number),
    started_at_ms: Number(row.started_at_ms),
    next_row: Number(row.next_row),
    until_row: Number(row.until_row),
    forgotten: row.forgotten === 1,
    page_entry: Number(row.page_entry),
    page_wallet: Number(row.page_wallet),
  }
}
