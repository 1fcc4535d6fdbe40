/**
 * Ids consist of a prefix and 26 characters of Crockford's base 32 in lower case. The ids of holds and recurring
 * grants have 34 characters. Ids sort by time.
 *
 * The characters are one of the following:
 * - a ULID (48 bits of time, 80 random bits) for ids that only need to be unique, such as those of customers and
 *   keys;
 * - a ledger id for everything that a ledger numbers: the time, the number and a tag of the ledger. The page of the
 *   item is found by key. Other ledgers refuse the id because of its tag.
 */

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const TIME_CHARS = 10
const NUMBER_CHARS = 8
const TAG_CHARS = 8
const WALLET_ITEM_BODY = /^[0-9a-hjkmnp-tv-z]{34}$/
const BODY = /^[0-9a-hjkmnp-tv-z]{26}$/

export type LedgerIdPrefix = 'evt' | 'txn' | 'lot' | 'wal' | 'ntf' | 'pay'
/** The prefixes of items that are stored in the row of a wallet. Their ids also contain the number of the wallet. */
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

/** Creates a random id from 10 bytes of a cryptographic source. Ids sort by `at_ms`. */
export function randomId(prefix: RandomIdPrefix, at_ms: number, random: Uint8Array): string {
  if (random.length !== 10) throw new RangeError('an id requires 10 random bytes')
  return `${prefix}_${encodeNumber(at_ms, TIME_CHARS)}${encodeBytes(random)}`
}

/** Returns a text that sorts below every id of this prefix and time, and above all earlier ids. */
export function firstIdAt(prefix: RandomIdPrefix, at_ms: number): string {
  return `${prefix}_${encodeNumber(at_ms, TIME_CHARS)}`
}

/** Creates a random id with the platform's random source. The default time is the current time. */
export function newId(prefix: RandomIdPrefix, at_ms = Date.now()): string {
  return randomId(prefix, at_ms, crypto.getRandomValues(new Uint8Array(10)))
}

export function ledgerId(prefix: LedgerIdPrefix, at_ms: number, number: number, tag: string): string {
  return `${prefix}_${encodeTime(at_ms)}${encodeNumber(number, NUMBER_CHARS)}${tag}`
}

/** The last encoded time of a ledger id. All entries of a commit have the same time. */
let encoded = { at_ms: -1, text: '' }

function encodeTime(at_ms: number): string {
  if (encoded.at_ms !== at_ms) encoded = { at_ms, text: encodeNumber(at_ms, TIME_CHARS) }
  return encoded.text
}

/** Parses a ledger id; undefined if it is malformed, of another kind or of another ledger. */
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
  /** The number of the item's wallet. */
  readonly wallet: number
}

/**
 * Returns the id of a hold or a recurring grant. 8 additional characters contain the number of its wallet, so that no
 * table is needed to find the wallet.
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
 * Parses the id of a hold or a recurring grant; undefined if it is malformed, of another kind or of another ledger.
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
 * Returns the id of an audit record in a ledger's journal. The id follows from the position of the record, so it
 * sorts in commit order and is always the same. The row of a commit has at most 32,768 records.
 */
export function auditId(at_ms: number, row_id: number, index: number, tag: string): string {
  const time = encodeNumber(at_ms, TIME_CHARS)
  const place = encodeNumber(row_id, NUMBER_CHARS) + encodeNumber(index, AUDIT_INDEX_CHARS)
  return `aud_${time}${place}${tag.slice(0, AUDIT_TAG_CHARS)}`
}

/** Returns a text that sorts below every audit id of this time or later, and above all earlier audit ids. */
export function firstAuditIdAt(at_ms: number): string {
  return `aud_${encodeNumber(at_ms, TIME_CHARS)}`
}

/** Returns the tag of a ledger: the first 40 bits of a digest of its name. */
export function ledgerTag(digest: Uint8Array): string {
  return encodeBytes(digest.subarray(0, (TAG_CHARS * 5) / 8))
}

/** All pairs of characters, so that encoding an id takes half the steps. */
const PAIRS: readonly string[] = [...ALPHABET].flatMap((first) =>
  [...ALPHABET].map((second) => first + second),
)

/** Encodes a number. Throws if it needs more characters, because a truncated id would be the id of another item. */
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
