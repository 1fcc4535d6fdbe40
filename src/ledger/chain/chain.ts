import { createHash } from 'node:crypto'
import { utf8 } from '../../db/json-parameters.ts'
import { base64url43, PADDING_BYTES, sha256 } from '../../http/input/sha256.ts'

/**
 * The hash chain over the entries of a ledger, as pure functions of text. `docs/proof.md` describes the format. Never
 * change these functions, because exported chains must always verify. A hash is SHA-256 in base64url without padding.
 */

/** A position in the chain: an entry's number and its hash. */
export interface ChainHead {
  readonly entry: number
  readonly hash: string
}

/** Returns the hash before the first entry. It binds the chain to its ledger and to the number of the first entry. */
export function genesisHash(ledger_id: string, first_entry: number): string {
  return hashOf(`openmonetize ledger chain 1\n${ledger_id}\n${first_entry}`)
}

/** Returns the hash of an entry. It covers the hash of the previous entry and the content of the entry. */
export function entryHash(before: string, content: string): string {
  return hashOf(`${before}\n${content}`)
}

/**
 * Returns the commitment to an entry's personal data. Once the salt is destroyed, the commitment reveals nothing
 * about the data.
 */
export function commitmentTo(salt: string, personal: string): string {
  return hashOf(`${salt}\n${personal}`)
}

/** The length, in characters, up to which `sha256` is faster than `node:crypto`. */
const SHORT = 800
const MAX_BYTES_A_UNIT = 3
const bytes = new Uint8Array(SHORT * MAX_BYTES_A_UNIT + PADDING_BYTES)
const view = new DataView(bytes.buffer)

function hashOf(text: string): string {
  if (text.length > SHORT) return createHash('sha256').update(text).digest('base64url')
  return base64url43(sha256(view, utf8.encodeInto(text, bytes).written))
}
