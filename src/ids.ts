/**
 * Creates and parses ids. An id consists of a prefix, an underscore, and 26 characters in Crockford's base 32, in lower
 * case. The ids of holds and recurring grants have 34 characters after the underscore. In every id, the characters
 * after the underscore begin with a time, so ids with the same prefix sort by this time.
 *
 * The characters after the underscore are one of the following:
 * - a ULID (48 bits of time, 80 bits that are random or from a hash) for ids that only need to be unique, such as those
 *   of customers and keys;
 * - a ledger id (time, number and tag of the ledger) for items that a ledger numbers, such as events and lots. The item
 *   is found by the number. Another ledger refuses the id because the tag differs;
 * - the id of a hold or a recurring grant: a ledger id with the number of the wallet before the tag;
 * - the id of an audit record in a ledger's journal (time, position of the record, and the beginning of the tag).
 */

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const TIME_CHARS = 10
const NUMBER_CHARS = 8
const TAG_CHARS = 8
const WALLET_ITEM_BODY = /^[0-9a-hjkmnp-tv-z]{34}$/
const BODY = /^[0-9a-hjkmnp-tv-z]{26}$/

export type LedgerIdPrefix = 'evt' | 'txn' | 'lot' | 'wal' | 'ntf' | 'pay'
/**
 * The prefixes of items that are stored in the row of a wallet. The id of such an item also contains the number of the
 * wallet.
 */
export type WalletItemPrefix = 'hold' | 'rg'
export type RandomIdPrefix =
  | 'ntf'
  | 'cust'
  | 'key'
  | 'batch'
  | 'ent'
  | 'bt'
  | 'po'
  | 'req'
  | 'erased'
  | 'aud'
  | 'dl'
  | 'pf'
  | 'pk'
  | 'gr'
  | 'pack'
  | 'alr'
  | 'we'
  | 'dlv'

export interface LedgerId {
  readonly at_ms: number
  readonly number: number
}

/**
 * Creates an id from a time and 10 bytes. The bytes must come from a cryptographic random source or from a
 * cryptographic hash. Ids of the same prefix sort by `at_ms`. Throws if there are not 10 bytes.
 */
export function randomId(prefix: RandomIdPrefix, at_ms: number, random: Uint8Array): string {
  if (random.length !== 10) throw new RangeError('an id requires 10 random bytes')
  return `${prefix}_${encodeNumber(at_ms, TIME_CHARS)}${encodeBytes(random)}`
}

/** Returns a text that sorts between the ids with an earlier time and the ids with the time `at_ms`. */
export function firstIdAt(prefix: RandomIdPrefix, at_ms: number): string {
  return `${prefix}_${encodeNumber(at_ms, TIME_CHARS)}`
}

/**
 * Creates an id from a time, by default the current time, and random bytes from the platform's cryptographic source.
 */
export function newId(prefix: RandomIdPrefix, at_ms = Date.now()): string {
  return randomId(prefix, at_ms, crypto.getRandomValues(new Uint8Array(10)))
}

export function ledgerId(prefix: LedgerIdPrefix, at_ms: number, number: number, tag: string): string {
  return `${prefix}_${encodeTime(at_ms)}${encodeNumber(number, NUMBER_CHARS)}${tag}`
}

/** The last encoded time of a ledger id. It is cached because all entries of a commit have the same time. */
let encoded = { at_ms: -1, text: '' }

function encodeTime(at_ms: number): string {
  if (encoded.at_ms !== at_ms) encoded = { at_ms, text: encodeNumber(at_ms, TIME_CHARS) }
  return encoded.text
}

/** Parses a ledger id. Returns undefined if the id is malformed, has another prefix, or belongs to another ledger. */
export function parseLedgerId(prefix: LedgerIdPrefix, id: string, tag: string): LedgerId | undefined {
  const body = id.slice(prefix.length + 1)
  if (!id.startsWith(`${prefix}_`) || !BODY.test(body)) return undefined
  if (body.slice(TIME_CHARS + NUMBER_CHARS) !== tag) return undefined
  return {
    at_ms: decodeNumber(body.slice(0, TIME_CHARS)),
    number: decodeNumber(body.slice(TIME_CHARS, TIME_CHARS + NUMBER_CHARS)),
  }
}

export interface WalletItemId extends LedgerId {
  /** The number of the wallet that contains the item. */
  readonly wallet: number
}

/**
 * Returns the id of a hold or a recurring grant. 8 additional characters contain the number of the wallet. The wallet
 * is therefore found from the id, without a table.
 */
export function walletItemId(
  prefix: WalletItemPrefix,
  { at_ms, number, wallet }: WalletItemId,
  tag: string,
): string {
  const time = encodeNumber(at_ms, TIME_CHARS)
  return `${prefix}_${time}${encodeNumber(number, NUMBER_CHARS)}${encodeNumber(wallet, NUMBER_CHARS)}${tag}`
}

/**
 * Parses the id of a hold or a recurring grant. Returns undefined if the id is malformed, has another prefix, or
 * belongs to another ledger.
 */
export function parseWalletItemId(
  prefix: WalletItemPrefix,
  id: string,
  tag: string,
): WalletItemId | undefined {
  const body = id.slice(prefix.length + 1)
  if (!id.startsWith(`${prefix}_`) || !WALLET_ITEM_BODY.test(body) || !body.endsWith(tag)) return undefined
  const at = (start: number, chars: number) => decodeNumber(body.slice(start, start + chars))
  return {
    at_ms: at(0, TIME_CHARS),
    number: at(TIME_CHARS, NUMBER_CHARS),
    wallet: at(TIME_CHARS + NUMBER_CHARS, NUMBER_CHARS),
  }
}

const AUDIT_INDEX_CHARS = 3
const AUDIT_TAG_CHARS = 5

/**
 * Returns the id of an audit record in a ledger's journal. The id is formed from the position of the record in the
 * journal. The same record therefore always has the same id, and ids sort in commit order. A journal row can have at
 * most 32,768 audit records.
 */
export function auditId(at_ms: number, row_id: number, index: number, tag: string): string {
  const time = encodeNumber(at_ms, TIME_CHARS)
  const place = encodeNumber(row_id, NUMBER_CHARS) + encodeNumber(index, AUDIT_INDEX_CHARS)
  return `aud_${time}${place}${tag.slice(0, AUDIT_TAG_CHARS)}`
}

/** Returns a text that sorts between the audit ids with an earlier time and the audit ids with the time `at_ms`. */
export function firstAuditIdAt(at_ms: number): string {
  return `aud_${encodeNumber(at_ms, TIME_CHARS)}`
}

/** Returns the tag of a ledger: the first 40 bits of the digest of its name, in base 32. */
export function ledgerTag(digest: Uint8Array): string {
  return encodeBytes(digest.subarray(0, (TAG_CHARS * 5) / 8))
}

/** All pairs of characters. With this list, each step of the encoding adds two characters. */
const PAIRS: readonly string[] = [...ALPHABET].flatMap((first) =>
  [...ALPHABET].map((second) => first + second),
)

/**
 * Encodes a number in `chars` characters. Throws if the number needs more characters, because a truncated id could be
 * the id of another item.
 */
function encodeNumber(value: number, chars: number): string {
  let text = ''
  let rest = value
  let left = chars
  for (; left > 1; left -= 2) {
    const pair = rest % 1024
    text = PAIRS[pair] + text
    rest = (rest - pair) / 1024
  }
  if (left === 1) {
    text = ALPHABET.charAt(rest % 32) + text
    rest = Math.floor(rest / 32)
  }
  if (rest > 0) throw new RangeError(`${value} does not fit into ${chars} characters of an id`)
  return text
}

function decodeNumber(text: string): number {
  let value = 0
  for (const char of text) value = value * 32 + ALPHABET.indexOf(char)
  return value
}

function encodeBytes(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let buffer = 0
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += ALPHABET.charAt((buffer >> bits) & 31)
    }
    buffer &= (1 << bits) - 1
  }
  return text
}
