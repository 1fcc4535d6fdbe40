import { createHash } from 'node:crypto'
import { utf8 } from '../../db/json-parameters.ts'
import { base64url43, PADDING_BYTES, sha256 } from '../../http/input/sha256.ts'
import { packContent, packPersonal } from '../journal/packed-entry.ts'
import type { Entry } from '../model/journal.ts'

/**
 * Computes the hash chain over the entries of a ledger. `docs/proof.md` describes the format. Never change the hashes,
 * because exported chains must always verify. A hash is SHA-256 in base64url without padding.
 */

/** A position in the chain: an entry's number and its hash. */
export interface ChainHead {
  readonly entry: number
  readonly hash: string
}

/** An entry, and the text that its hash covers. `before` and `hash` are null if the entry is older than the chain. */
export interface LinkedEntry {
  readonly entry: Entry
  readonly content: string
  readonly before: string | null
  readonly hash: string | null
}

/**
 * Adds entries to a chain, in the order of their numbers. The hashes depend only on the ledger and its journal. A
 * repeated flush, a rewrite of pages, and a flush after a restore of D1 therefore compute the same hashes.
 */
export class Chain {
  private last: ChainHead
  private readonly first_entry: number

  /** Creates a chain that continues after `head`. If `head` is null, the chain begins with `first_entry`. */
  constructor(ledger_id: string, first_entry: number, head: ChainHead | null) {
    this.first_entry = first_entry
    this.last = head ?? { entry: first_entry - 1, hash: genesisHash(ledger_id, first_entry) }
  }

  /** The hash of the last entry; null if the chain has no entry. */
  get hash(): string | null {
    return this.last.entry < this.first_entry ? null : this.last.hash
  }

  /** Reports whether `link` accepts an entry: it is before the chain, or it is the next entry of the chain. */
  accepts({ number }: Entry): boolean {
    return number < this.first_entry || number === this.last.entry + 1
  }

  /**
   * Adds an entry, and returns it with its hash. An entry before the chain is not added and gets no hash. Throws if the
   * chain does not accept the entry.
   */
  link(entry: Entry): LinkedEntry {
    const { number } = entry
    if (number < this.first_entry) {
      return { entry, content: JSON.stringify(packContent(entry, undefined)), before: null, hash: null }
    }
    if (!this.accepts(entry)) {
      throw new Error(`entry ${number} does not follow entry ${this.last.entry} of the hash chain`)
    }
    const content = JSON.stringify(packContent(entry, commitmentOf(entry)))
    const before = this.last.hash
    const hash = entryHash(before, content)
    this.last = { entry: number, hash }
    return { entry, content, before, hash }
  }
}

/**
 * Returns the commitment to an entry's personal data. If the salt was deleted, returns the stored commitment. Throws if
 * the entry has neither.
 */
export function commitmentOf(entry: Entry): string {
  if (entry.commitment !== undefined) return entry.commitment
  if (entry.salt === undefined) throw new Error(`entry ${entry.number} has no salt for the hash chain`)
  return commitmentTo(entry.salt, JSON.stringify(packPersonal(entry, (_, id) => id)))
}

/**
 * Returns the hash that the first entry uses as the hash of its previous entry. It binds the chain to its ledger and to
 * the number of the first entry.
 */
export function genesisHash(ledger_id: string, first_entry: number): string {
  return hashOf(`openmonetize ledger chain 1\n${ledger_id}\n${first_entry}`)
}

/** Returns the hash of an entry. It covers the hash of the previous entry and the content of the entry. */
function entryHash(before: string, content: string): string {
  return hashOf(`${before}\n${content}`)
}

/**
 * Returns the commitment to an entry's personal data. Once the salt is deleted, the commitment reveals nothing about
 * the data.
 */
function commitmentTo(salt: string, personal: string): string {
  return hashOf(`${salt}\n${personal}`)
}

/** The maximum length of a text, in characters, for which `sha256` is faster than `node:crypto`. */
const SHORT = 800
const MAX_BYTES_A_UNIT = 3
const bytes = new Uint8Array(SHORT * MAX_BYTES_A_UNIT + PADDING_BYTES)
const view = new DataView(bytes.buffer)

function hashOf(text: string): string {
  if (text.length > SHORT) return createHash('sha256').update(text).digest('base64url')
  return base64url43(sha256(view, utf8.encodeInto(text, bytes).written))
}
