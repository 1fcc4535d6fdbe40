import { Buffer } from 'node:buffer'
import { createHash, hash as digest } from 'node:crypto'
import { utf8 } from '../../db/json-parameters.ts'

/** The fields of a journal row that the hash covers in addition to the body. */
export interface HashedRow {
  readonly row_id: number
  readonly first_entry: number
  readonly last_entry: number
  readonly at_ms: number
}

/**
 * Returns the hash of a journal row. It covers the hash of the previous row, a salt, and the content of the row. A
 * commit is covered as soon as it is written, even if it has no entries and is therefore not in the chain of entries
 * (`chain.ts`). Uses `node:crypto` instead of our own SHA-256 because a row is long. `before` is null for the first
 * row that has a hash.
 */
export function rowHash(
  before: string | null,
  salt: string,
  { row_id, first_entry, last_entry, at_ms }: HashedRow,
  body: string | ArrayBuffer,
): string {
  const head = `${before ?? ''}\n${salt}\n${row_id} ${first_entry} ${last_entry} ${at_ms}\n`
  const head_length = utf8.encodeInto(head, bytes).written
  if (typeof body === 'string') {
    const { read, written } = utf8.encodeInto(body, bytes.subarray(head_length))
    if (read === body.length) return digest('sha256', bytes.subarray(0, head_length + written), 'base64url')
  }
  const content = typeof body === 'string' ? body : new Uint8Array(body)
  return createHash('sha256').update(head).update(content).digest('base64url')
}

/**
 * The buffer for the text of a row. Nearly all rows fit. Larger and binary rows use `createHash`, which creates a
 * stream and copies the content.
 */
const bytes = new Uint8Array(272 * 1024)

/** The number of characters of a salt: 132 random bits in base64url. */
const SALT_LENGTH = 22
/**
 * The number of random bytes in a block. Base64 encodes three bytes in four characters, so a block divides into whole
 * salts without padding. `getRandomValues` returns at most 65,536 bytes.
 */
const BLOCK_BYTES = SALT_LENGTH * 3 * 512

let block = ''
let used = 0

/**
 * Returns a new random salt for a journal row or an entry. Cuts salts from a block, because generating random bytes for
 * each salt would take a tenth of the time in which an event is processed.
 */
export function newSalt(): string {
  if (used === block.length) {
    block = Buffer.from(crypto.getRandomValues(new Uint8Array(BLOCK_BYTES))).toString('base64url')
    used = 0
  }
  used += SALT_LENGTH
  return block.slice(used - SALT_LENGTH, used)
}
