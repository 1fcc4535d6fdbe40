import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Mode } from '../../db/schema.ts'

/**
 * Defines the text format of an API key: `om_live_` or `om_test_`, the 26 characters of its id, 43 characters in base
 * 62 for 256 random bits, and 6 characters in base 62 for the CRC32 of all characters before the checksum. The checksum
 * is not secret. It detects typing errors without I/O, and secret scanners use it to confirm a match.
 */

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const ID_PREFIX = 'key_'
const SECRET_BYTES = 32
const SECRET_CHARS = 43
const CHECKSUM_CHARS = 6
const SHAPE = /^om_(live|test)_[0-9a-hjkmnp-tv-z]{26}[0-9A-Za-z]{49}$/

/**
 * Returns the text of a key. `secret` must be 32 bytes from a cryptographic random source. Throws if `secret` has
 * another length, or if `key_id` is not the id of a key.
 */
export function composeApiKey(mode: Mode, key_id: string, secret: Uint8Array): string {
  if (secret.length !== SECRET_BYTES) throw new RangeError(`an API key requires ${SECRET_BYTES} random bytes`)
  const body = `om_${mode}_${key_id.slice(ID_PREFIX.length)}${base62(bigEndian(secret), SECRET_CHARS)}`
  const key = body + checksum(body)
  if (!isWellFormed(key)) throw new RangeError('the key id is not key_ and 26 characters of base 32')
  return key
}

/** Reports whether a text has the format of a key and a correct checksum. */
export function isWellFormed(text: string): boolean {
  if (!SHAPE.test(text)) return false
  const end = text.length - CHECKSUM_CHARS
  return checksum(text.slice(0, end)) === text.slice(end)
}

/**
 * Returns the stored form of a key: its SHA-256 hash in hex. A slow hash is not necessary, because the key contains 256
 * random bits.
 */
export function hashApiKey(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

function checksum(body: string): string {
  return base62(BigInt(crc32(body)), CHECKSUM_CHARS)
}

function base62(value: bigint, chars: number): string {
  let text = ''
  for (let rest = value; text.length < chars; rest /= 62n) text = ALPHABET.charAt(Number(rest % 62n)) + text
  return text
}

function bigEndian(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => value * 256n + BigInt(byte), 0n)
}

/**
 * The key of the demo customer that `npm start` seeds. The key is public, so it works only if `ENVIRONMENT` is
 * `development`. In another environment, the key is refused even if the database contains it.
 */
export const DEVELOPMENT_KEY_ID = 'key_00000000000000000000000000'
export const DEVELOPMENT_KEY =
  'om_live_00000000000000000000000000hDPtjXGyR06wPUklfq865zd9FLfNIASlMNgHYaT80NT2fYy7S'
export const DEVELOPMENT_KEY_HASH = 'a33d28358f9312d5955f4090e4940605bc12433768bbbc11cd011a98255d21e1'
export const DEVELOPMENT_OPERATOR_TOKEN = 'dev-operator-token'
