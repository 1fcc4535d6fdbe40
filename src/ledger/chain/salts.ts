import { Buffer } from 'node:buffer'

/** The characters of a salt: 132 random bits in base64url. */
const SALT_LENGTH = 22
/** Base64 has four characters for three bytes, so a block divides into whole salts without padding; at most 65,536 bytes. */
const BLOCK_BYTES = SALT_LENGTH * 3 * 512

let block = ''
let used = 0

/**
 * Returns a new random salt. Salts are cut from a block, because random bytes for one salt alone take a tenth of an
 * event's time.
 */
export function newSalt(): string {
  if (used === block.length) {
    block = Buffer.from(crypto.getRandomValues(new Uint8Array(BLOCK_BYTES))).toString('base64url')
    used = 0
  }
  used += SALT_LENGTH
  return block.slice(used - SALT_LENGTH, used)
}
