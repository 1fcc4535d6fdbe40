import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { timeJson } from '../http/input/times.ts'
import type { SigningKey } from './keys.ts'

/** A position in a ledger's chain: an entry with its hash, and the first entry of the chain. */
export interface ChainPlace {
  readonly ledger_id: string
  readonly first_entry: number
  readonly entry_number: number
  readonly hash: string
}

/** The name of the signer in notes. The name is part of the key's hash. */
const SIGNER = 'openmonetize.ledger'
/** The signature type of Ed25519 in C2SP signed-note. */
const ED25519 = 1

/** Signs a statement that the ledger has this hash, in the form of C2SP signed-note (`docs/proof.md`). */
export async function signCheckpoint(key: SigningKey, place: ChainPlace, at_ms: number): Promise<string> {
  const { ledger_id, first_entry, entry_number, hash } = place
  const text = `${['openmonetize ledger checkpoint 1', ledger_id, first_entry, entry_number, hash, timeJson(at_ms)].join('\n')}\n`
  const signature = Buffer.concat([keyHash(key.public_key), await key.sign(text)])
  return `${text}\n— ${SIGNER} ${signature.toString('base64')}\n`
}

/** Returns the first four bytes of the SHA-256 hash of name, newline, type and public key. */
function keyHash(public_key: string): Buffer {
  const hash = createHash('sha256').update(`${SIGNER}\n`).update(Uint8Array.of(ED25519))
  return hash.update(Buffer.from(public_key, 'base64url')).digest().subarray(0, 4)
}
