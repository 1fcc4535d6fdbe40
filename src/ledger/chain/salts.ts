import { Buffer } from 'node:buffer'

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
 * Returns a new random salt. Cuts salts from a block, because generating random bytes for each salt would take a tenth
 * of the time in which an event is processed.
 */
export function newSalt(): string {
  if (used === block.length) {
    block = Buffer.from(crypto.getRandomValues(new Uint8Array(BLOCK_BYTES))).toString('base64url')
    used = 0
  }
  used += SALT_LENGTH
  return block.slice(used - SALT_LENGTH, used)
}
