import { createHash } from 'node:crypto'
import { utf8 } from '../../db/json-parameters.ts'
import { base64url43, PADDING_BYTES, sha256 } from '../../http/input/sha256.ts'

/**
 * The hash chain over the entries of a ledger: pure functions of text. `docs/proof.md` has the format; an
 * exported chain must always verify, so never change these functions. A hash is SHA-256 in base64url without
 * padding.
 */

/** A position in the chain: an entry's number and its hash. */
export interface ChainHead {
  readonly entry: number
  readonly hash: string
}

/** The hash before the first entry. It binds the chain to its ledger and to the number at which it begins. */
export function genesisHash(ledger_id: string, first_entry: number): string {
  return hashOf(`openmonetize ledger chain 1\n${ledger_id}\n${first_entry}`)
}

/** The hash of an entry: of the hash before it, and of its content. */
export function entryHash(before: string, content: string): string {
  return hashOf(`${before}\n${content}`)
}

/**
 * The commitment to an entry's personal data, which reveals nothing of the data once the salt is destroyed.
 */
export function commitmentTo(salt: string, personal: string): string {
  return hashOf(`${salt}\n${personal}`)
}

/** The length up to which `sha256` is faster than `node:crypto`, in characters. */
const SHORT = 800
const MAX_BYTES_A_UNIT = 3
const bytes = new Uint8Array(SHORT * MAX_BYTES_A_UNIT + PADDING_BYTES)
const view = new DataView(bytes.buffer)

function hashOf(text: string): string {
  if (text.length > SHORT) return createHash('sha256').update(text).digest('base64url')
  return base64url43(sha256(view, utf8.encodeInto(text, bytes).written))
}
