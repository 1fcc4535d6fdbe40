import { packContent, packPersonal } from '../journal/packed-entry.ts'
import type { Entry } from '../model/journal.ts'
import { type ChainHead, commitmentTo, entryHash, genesisHash } from './chain.ts'

/** An entry with the text that the chain covers. The hashes are null for an entry older than the chain. */
export interface LinkedEntry {
  readonly entry: Entry
  readonly content: string
  readonly before: string | null
  readonly hash: string | null
}

/**
 * Adds entries to a chain, in the order of their numbers. The hashes depend only on the journal. A repeated flush, a
 * rewritten page and a flush after a restore of D1 therefore get the same hashes.
 */
export class Chain {
  private last: ChainHead
  private readonly first_entry: number

  /** Continues after `head`. If `head` is null, begins with `first_entry`. */
  constructor(ledger_id: string, first_entry: number, head: ChainHead | null) {
    this.first_entry = first_entry
    this.last = head ?? { entry: first_entry - 1, hash: genesisHash(ledger_id, first_entry) }
  }

  /** The hash of the last entry; null if the chain has no entry. */
  get hash(): string | null {
    return this.last.entry < this.first_entry ? null : this.last.hash
  }

  link(entry: Entry): LinkedEntry {
    const { number } = entry
    if (number < this.first_entry) {
      return { entry, content: JSON.stringify(packContent(entry, undefined)), before: null, hash: null }
    }
    if (number !== this.last.entry + 1) {
      throw new Error(`entry ${number} does not follow entry ${this.last.entry} of the hash chain`)
    }
    const content = JSON.stringify(packContent(entry, commitmentOf(entry)))
    const before = this.last.hash
    const hash = entryHash(before, content)
    this.last = { entry: number, hash }
    return { entry, content, before, hash }
  }
}

/** Returns the commitment to an entry's personal data. If the salt was destroyed, returns the stored commitment. */
export function commitmentOf(entry: Entry): string {
  if (entry.commitment !== undefined) return entry.commitment
  if (entry.salt === undefined) throw new Error(`entry ${entry.number} has no salt for the hash chain`)
  return commitmentTo(entry.salt, JSON.stringify(packPersonal(entry, (_, id) => id)))
}
