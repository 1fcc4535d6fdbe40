/**
 * Verifies exports, checkpoints and receipts of OpenMonetize Edge, in browsers and in Node. Requires only WebCrypto
 * with Ed25519. Rejects lines that are not in canonical form. `docs/proof.md` describes the formats.
 */

const HASH = '[A-Za-z0-9_-]{43}'
const NUMBER = '(?:0|[1-9][0-9]{0,15})'
const HEADER = new RegExp(
  `^{"export":1,"ledger":"([A-Za-z0-9_:-]+)","first_entry":(${NUMBER}),"from":(${NUMBER}),"before":"(${HASH})"}$`,
)
const ENTRY = new RegExp(
  `^{"entry":({.*}),"hash":"(${HASH})"(?:,"personal":({.*}),"salt":"([A-Za-z0-9_-]{22})")?}$`,
)
const CHECKPOINT = /^{"checkpoint":(".*")}$/
const END = new RegExp(
  `^{"end":{"entry":(${NUMBER}),"hash":"(${HASH})","checkpoints":(${NUMBER}),"next":(null|${NUMBER})}}$`,
)
const STEPS = Object.entries({ entry: ENTRY, checkpoint: CHECKPOINT, end: END })
const NOTE = new RegExp(
  `^(openmonetize ledger checkpoint 1\n([A-Za-z0-9_:-]+)\n(${NUMBER})\n(${NUMBER})\n(${HASH})\n([0-9TZ:.-]{24})\n)\n— (openmonetize\\.ledger) ([A-Za-z0-9+/]+=*)\n$`,
)
const KEY_HASH_BYTES = 4
const ED25519 = 1

class Wrong extends Error {}

/** Verifies an export, or the parts of an export in their order. `keys` must contain the key of every signature. */
export async function verifyExport(chunks, keys) {
  const chain = new Chain(keys)
  let line = 0
  try {
    for await (const bytes of linesOf(chunks)) {
      line++
      await chain.take(utf8(bytes), line)
    }
    return chain.verified()
  } catch (error) {
    if (!(error instanceof Wrong)) throw error
    const { message: problem, line: first } = error
    return { ok: false, line: first ?? line, entry: first === undefined ? chain.next : null, problem }
  }
}

class Chain {
  constructor(keys) {
    this.keys = keys
    this.ledger = ''
    this.first = 0
    this.from = 0
    /** The line number of the header of the current part. */
    this.head = 1
    /** The number of the next entry; null before the first header. The result names it if a line is invalid. */
    this.next = null
    this.hash = ''
    this.open = false
    this.ended = false
    this.more = null
    this.count = 0
    this.checkpoints = 0
    this.covered = null
    /** The balances of the wallets, in micro-credits. */
    this.balances = new Map()
    this.hashes = new Map()
  }
  async take(text, line) {
    if (!this.open) return this.begin(text, line)
    for (const [step, form] of STEPS) {
      const found = form.exec(text)
      if (found) return this[step](found)
    }
    throw new Wrong('the line is not a valid entry, checkpoint or end line')
  }
  async begin(text, line) {
    this.head = line
    const [, ledger = '', first, from, before = ''] =
      HEADER.exec(text) ?? this.refuse('is not the header of an export, or follows its end')
    if (!this.ended)
      Object.assign(this, { ledger, first: Number(first), from: Number(from), next: Number(from) })
    if (ledger !== this.ledger || Number(first) !== this.first) this.refuse('names another chain')
    if (Number(from) !== this.next || (this.ended && before !== this.hash))
      this.refuse('does not continue the part before it')
    const genesis = await sha256(`openmonetize ledger chain 1\n${ledger}\n${first}`)
    if ((genesis === before) !== (from === first))
      this.refuse('has a hash that does not match its ledger and first entry')
    Object.assign(this, { hash: before, open: true, count: 0, covered: null })
  }
  refuse(problem) {
    throw Object.assign(new Wrong(`the first line ${problem}`), { line: this.head })
  }
  async entry([, content = '', hash = '', personal, salt]) {
    const entry = parse(content)
    if (entry.n !== this.next) throw new Wrong(`the line has entry ${entry.n} instead of entry ${this.next}`)
    if ((await sha256(`${this.hash}\n${content}`)) !== hash)
      throw new Wrong('the hash does not match the entry')
    if (personal !== undefined && (await sha256(`${salt}\n${personal}`)) !== entry.pc) {
      throw new Wrong('the personal data do not match the entry')
    }
    this.addUp(entry)
    this.hash = hash
    this.hashes.set(entry.n, hash)
    this.next = entry.n + 1
  }
  /**
   * Rejects an entry if its wallet, amount or balance is not a whole number below 2^53, if its balance is not the known
   * previous balance plus its amount, or if it has lots that do not add up to its amount.
   */
  addUp(entry) {
    checkAmounts(entry)
    const { w, a, b } = entry
    const before = this.balances.get(w) ?? (this.from === 1 ? 0n : BigInt(b) - BigInt(a))
    if (before + BigInt(a) !== BigInt(b)) throw new Wrong(`the balance of wallet ${w} does not add up`)
    this.balances.set(w, BigInt(b))
  }
  async checkpoint([, quoted = '']) {
    const note = parse(quoted)
    if (JSON.stringify(note) !== quoted) throw new Wrong('the checkpoint is not in canonical form')
    const checkpoint = await openNote(note, this.keys)
    const { ledger, first, entry, hash } = checkpoint
    if (ledger !== this.ledger || first !== this.first)
      this.refuse(`or the checkpoint names another chain: ledger ${ledger} from entry ${first}`)
    if (this.covered && entry <= this.covered.entry)
      throw new Wrong('the checkpoints are not in ascending order')
    if (this.next !== null && entry < this.next) {
      const known = entry < this.next - 1 ? this.hashes.get(entry) : this.hash
      if (known !== hash) throw new Wrong(`the checkpoint of entry ${entry} has a different hash`)
    }
    this.covered = checkpoint
    this.count++
    this.checkpoints++
  }
  end([, entry, hash, count, next]) {
    const last = (this.next ?? 0) - 1
    if (Number(entry) !== last || hash !== this.hash)
      throw new Wrong(`the end line does not match entry ${last}`)
    if (Number(count) !== this.count)
      throw new Wrong(`the part has ${this.count} checkpoints, but its end line states ${count}`)
    if (!this.covered || this.covered.entry < last) throw new Wrong('no checkpoint covers the last entry')
    if (next !== 'null' && Number(next) !== this.next)
      throw new Wrong(`the end line names the next entry ${next} instead of ${this.next}`)
    if (next === 'null' && this.covered.entry !== last)
      throw new Wrong('the last checkpoint is of an entry after the end')
    this.more = next === 'null' ? null : Number(next)
    this.open = false
    this.ended = true
  }
  verified() {
    if (this.open || !this.ended) throw new Wrong('the export is truncated')
    const { ledger, from, more, checkpoints, hashes } = this
    return { ok: true, ledger, from, to: (this.next ?? 0) - 1, next: more, checkpoints, hashes }
  }
}

/** Rejects an entry if its wallet, amount or balance is not a whole number below 2^53, or if its lots do not add up. */
function checkAmounts({ n, w, a, b, l = [] }) {
  for (const value of [w, a, b])
    if (!Number.isSafeInteger(value))
      throw new Wrong(`the wallet, amount or balance of entry ${n} is not a whole number below 2^53`)
  const moved = l.reduce((sum, part) => sum + BigInt(part[1] ?? 0), 0n)
  if (l.length > 0 && moved !== BigInt(a)) throw new Wrong(`the lots of entry ${n} do not add up`)
}

/** Converts a decimal amount of credits to micro-credits. Throws if the amount has more than six decimal places. */
function microCredits(text) {
  const [, sign = '', whole = '', parts = ''] =
    /^(-?)(\d+)(?:\.(\d{1,6}))?$/.exec(text) ?? refuse(`the balance ${text} is not an amount of credits`)
  return BigInt(sign + whole + parts.padEnd(6, '0'))
}

/**
 * Verifies a receipt: its signature, the hash, the number and the balances of its entry, and its checkpoint. Compare
 * `entry` and `hash` with an export of the ledger.
 */
export async function verifyReceipt(receipt, keys) {
  try {
    const [, signed = '', head = '', body = '', signature = ''] =
      /^(([\w-]+)\.([\w-]+))\.([\w-]+)$/.exec(receipt) ?? refuse('the receipt is not a compact JWS')
    const { alg, kid } = parse(utf8(bytesOf(head)))
    const key = keys.find((one) => one.kid === kid) ?? refuse(`the key ${kid} is not in the key set`)
    const good = alg === 'EdDSA' && (await verifySignature(key, bytesOf(signature), signed))
    if (!good || base64url(bytesOf(signature)) !== signature)
      throw new Wrong('the signature of the receipt is invalid')
    const claims = parse(utf8(bytesOf(body)))
    const { number, before, content, hash } = claims.entry
    if ((await sha256(`${before}\n${content}`)) !== hash) throw new Wrong('the hash does not match the entry')
    const entry = parse(content)
    if (entry.n !== number) throw new Wrong('the entry has a different number')
    checkAmounts(entry)
    const after = BigInt(entry.b)
    if (
      microCredits(claims.balance_after) !== after ||
      microCredits(claims.balance_before) !== after - BigInt(entry.a)
    )
      throw new Wrong('the balances do not match the entry')
    const checkpoint = await openNote(claims.checkpoint, keys)
    if (checkpoint.ledger !== claims.ledger || checkpoint.entry < number) {
      throw new Wrong('the checkpoint does not cover the entry')
    }
    if (checkpoint.entry === number && checkpoint.hash !== hash)
      throw new Wrong('the checkpoint has a different hash')
    return { ok: true, ledger: claims.ledger, entry: number, hash, claims }
  } catch (error) {
    if (!(error instanceof Wrong)) throw error
    return { ok: false, problem: error.message }
  }
}

/** Parses a checkpoint, which is a signed note of the C2SP specification, and verifies its signature. */
async function openNote(note, keys) {
  const [, text = '', ledger = '', first, entry, hash = '', , name = '', signed = ''] =
    NOTE.exec(note) ?? refuse('the checkpoint is not a signed note')
  const bytes = bytesOf(signed)
  if (base64(bytes) !== signed) throw new Wrong('the signature is not in canonical form')
  for (const key of keys) {
    const named = [...new TextEncoder().encode(`${name}\n`), ED25519, ...bytesOf(key.x)]
    const hashed = new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(named)))
    if (hashed.subarray(0, KEY_HASH_BYTES).some((byte, i) => byte !== bytes[i])) continue
    if (!(await verifySignature(key, bytes.subarray(KEY_HASH_BYTES), text))) break
    return { ledger, first: Number(first), entry: Number(entry), hash }
  }
  throw new Wrong('the checkpoint is not signed by a key of the key set')
}
async function verifySignature({ x }, signature, text) {
  const key = await crypto.subtle.importKey('raw', bytesOf(x), 'Ed25519', false, ['verify'])
  return crypto.subtle.verify('Ed25519', key, signature, new TextEncoder().encode(text))
}
async function* linesOf(chunks) {
  let rest = new Uint8Array()
  for await (const chunk of chunks) {
    let bytes = new Uint8Array(rest.length + chunk.length)
    bytes.set(rest)
    bytes.set(chunk, rest.length)
    for (let at = bytes.indexOf(0x0a); at !== -1; at = bytes.indexOf(0x0a)) {
      yield bytes.subarray(0, at)
      bytes = bytes.subarray(at + 1)
    }
    rest = bytes
  }
  if (rest.length > 0) throw new Wrong('the last line is truncated')
}
function attempt(work, problem) {
  try {
    return work()
  } catch {
    throw new Wrong(problem)
  }
}
function utf8(bytes) {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  return attempt(() => decoder.decode(bytes), 'the text is not UTF-8')
}
function parse(text) {
  return attempt(() => JSON.parse(text), 'the text is not JSON')
}
async function sha256(text) {
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))))
}
function base64(bytes) {
  return btoa(String.fromCharCode(...bytes))
}
function base64url(bytes) {
  return base64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** Returns the bytes of a text in base64 or base64url. */
function bytesOf(text) {
  const decode = () => atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const binary = attempt(decode, 'the text is not base64')
  return Uint8Array.from(binary, (character) => character.charCodeAt(0))
}
function refuse(problem) {
  throw new Wrong(problem)
}
