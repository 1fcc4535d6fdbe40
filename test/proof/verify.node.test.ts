import { spawnSync } from 'node:child_process'
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { compactVerify, createLocalJWKSet } from 'jose'
import { afterAll, describe, expect, it } from 'vitest'

/** Tests the verifiers that customers run, with a recorded export and a recorded receipt of a ledger. */

const ROOT = path.join(import.meta.dirname, '../..')
const RECORDED = path.join(import.meta.dirname, 'recorded')
const EXPORT = path.join(RECORDED, 'export.jsonl')
const RECEIPT = path.join(RECORDED, 'receipt.jws')
const KEYS = path.join(RECORDED, 'keys.json')
const scratch = mkdtempSync(path.join(tmpdir(), 'verify-'))
afterAll(() => rmSync(scratch, { recursive: true }))

function run(command: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' })
  return { status, output: `${stdout}${stderr}`.trim() }
}

const node = (...args: string[]) => run(process.execPath, 'verify/bin.js', ...args)
const python = (...args: string[]) => run('python3', 'docs/proof/verify.py', KEYS, ...args)

/** Writes a copy of the recorded export with one changed digit in line `line`. Returns the path of the copy. */
function changed(line: number): string {
  const lines = readFileSync(EXPORT, 'utf8').split('\n')
  const text = lines[line] ?? ''
  const at = text.indexOf('"a":-') + 5
  lines[line] = text.slice(0, at) + (text[at] === '1' ? '3' : '1') + text.slice(at + 1)
  const file = path.join(scratch, `changed-${line}.jsonl`)
  writeFileSync(file, lines.join('\n'))
  return file
}

/**
 * Writes a copy of the recorded export in which one entry is changed and all hashes are computed again. Returns the
 * path of the copy.
 */
function rehashed(number: number, change: (entry: string) => string): string {
  let before = ''
  const lines = readFileSync(EXPORT, 'utf8')
    .split('\n')
    .map((line) => {
      before ||= /"before":"([^"]+)"/.exec(line)?.[1] ?? ''
      const [, content = '', rest = ''] = /^{"entry":({.*}),"hash":"[^"]+"(.*)$/.exec(line) ?? []
      if (content === '') return line
      const kept = content.startsWith(`{"n":${number},`) ? change(content) : content
      before = createHash('sha256').update(`${before}\n${kept}`).digest('base64url')
      return `{"entry":${kept},"hash":"${before}"${rest}`
    })
  const file = path.join(scratch, 'rehashed.jsonl')
  writeFileSync(file, lines.join('\n'))
  return file
}

describe.each([
  { verifier: 'verify.js', verify: (file: string) => node(file, '--keys', KEYS) },
  { verifier: 'verify.py', verify: (file: string) => python(file) },
])('$verifier, of an export with true hashes', ({ verify }) => {
  it('finds an amount that is not the sum of its lots', () => {
    const file = rehashed(4, (entry) => entry.replace(/"l":\[\[(\d+),-\d+/, '"l":[[$1,-1'))
    expect(verify(file)).toEqual({
      status: 1,
      output: expect.stringMatching(/^entry 4.*: the lots .*do not add up$/),
    })
  })

  it('finds a balance from which credits are missing at the start', () => {
    const file = rehashed(1, (entry) => entry.replace(/"b":(\d+)/, '"b":1$1'))
    expect(verify(file)).toEqual({
      status: 1,
      output: expect.stringMatching(/^entry 1.*: the balance .*does not add up$/),
    })
  })
})

describe('the command', () => {
  it('accepts an export and a receipt', () => {
    expect(node(EXPORT, '--keys', KEYS, '--receipt', RECEIPT)).toEqual({
      status: 0,
      output: expect.stringMatching(/entries 1 to 9 are valid, checkpoints: 1\n.*receipt of entry 4/),
    })
  })

  it('names the first wrong entry', () => {
    expect(node(changed(4), '--keys', KEYS)).toEqual({
      status: 1,
      output: 'entry 4 (line 5): the hash does not match the entry',
    })
  })

  it('prints its usage after a wrong call', () => {
    expect(node(EXPORT)).toEqual({ status: 2, output: expect.stringContaining('--keys FILE_OR_URL') })
  })
})

describe("the script for Python's standard library", () => {
  it('accepts an export and a receipt', () => {
    expect(python(EXPORT, RECEIPT)).toEqual({ status: 0, output: '9 entries are valid\nreceipt of entry 4' })
  })

  it('names the first wrong entry', () => {
    expect(python(changed(4))).toEqual({ status: 1, output: 'entry 4: the hash does not match the entry' })
  })

  it('refuses a changed receipt', () => {
    const receipt = path.join(scratch, 'receipt.jws')
    const [head, body, signature] = readFileSync(RECEIPT, 'utf8').split('.')
    writeFileSync(receipt, `${head}.${body?.replace('e', 'f')}.${signature}`)
    expect(python(EXPORT, receipt).status).toBe(1)
  })

  it('reports a receipt that is another file', () => {
    expect(python(EXPORT, KEYS)).toEqual({
      status: 1,
      output: expect.stringMatching(/\nthe receipt is malformed$/),
    })
  })
})

/** The parts of a receipt's claims that the tests change. */
interface Claims {
  readonly balance_before: string
  readonly balance_after: string
  readonly entry: { readonly before: string; readonly content: string }
}

interface Resigned {
  readonly receipt: string
  readonly keys: string
}

/**
 * Writes a copy of the recorded receipt with changed claims, a hash that matches its entry, and the signature of a new
 * key. Writes a set of keys with the recorded key and the new key. Returns the paths of the receipt and of the keys.
 */
function resigned(change: (claims: Claims) => Claims): Resigned {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const [, body = ''] = readFileSync(RECEIPT, 'utf8').split('.')
  const { entry, ...claims } = change(JSON.parse(Buffer.from(body, 'base64url').toString()))
  const hash = createHash('sha256').update(`${entry.before}\n${entry.content}`).digest('base64url')
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${encode({ alg: 'EdDSA', kid: 'new' })}.${encode({ ...claims, entry: { ...entry, hash } })}`
  const receipt = path.join(scratch, 'resigned.jws')
  writeFileSync(receipt, `${text}.${sign(null, Buffer.from(text), privateKey).toString('base64url')}`)
  const keys = path.join(scratch, 'resigned-keys.json')
  const recorded: { readonly keys: readonly object[] } = JSON.parse(readFileSync(KEYS, 'utf8'))
  const added = { ...publicKey.export({ format: 'jwk' }), kid: 'new' }
  writeFileSync(keys, JSON.stringify({ keys: [...recorded.keys, added] }))
  return { receipt, keys }
}

function withContent(claims: Claims, change: (content: string) => string): Claims {
  return { ...claims, entry: { ...claims.entry, content: change(claims.entry.content) } }
}

describe.each([
  {
    verifier: 'verify.js',
    verify: ({ receipt, keys }: Resigned) => node('--keys', keys, '--receipt', receipt),
    // Without an export, nothing shows that this entry is not in the ledger.
    accepted: /receipt of entry 4/,
  },
  {
    verifier: 'verify.py',
    verify: ({ receipt, keys }: Resigned) => run('python3', 'docs/proof/verify.py', keys, EXPORT, receipt),
    accepted: /\nthe receipt does not match the export$/,
  },
])('$verifier, of a receipt with a true hash and signature', ({ verify, accepted }) => {
  it('accepts the balances of its entry, also with fractions and below zero', () => {
    expect(verify(resigned((claims) => claims)).status).toBe(0)
    const fractions = resigned((claims) => ({
      ...withContent(claims, (content) =>
        content
          .replace('"a":-15000000,"b":85000000', '"a":-1500001,"b":-1500000')
          .replace('[3,-15000000]', '[3,-1500001]'),
      ),
      balance_before: '0.000001',
      balance_after: '-1.5',
    }))
    expect(verify(fractions).output).toMatch(accepted)
  })

  it.each<[string, (claims: Claims) => Claims, RegExp]>([
    [
      'a wrong balance before',
      (claims) => ({ ...claims, balance_before: '99' }),
      /the balances do not match the entry$/,
    ],
    [
      'a wrong balance after',
      (claims) => ({ ...claims, balance_after: '85.000001' }),
      /the balances do not match the entry$/,
    ],
    [
      'a balance that is no number',
      (claims) => ({ ...claims, balance_after: 'x' }),
      /is not an amount of credits$|is malformed$/,
    ],
    [
      'lots that do not add up',
      (claims) => withContent(claims, (content) => content.replace('[3,-15000000]', '[3,-1]')),
      /the lots .*do not add up$/,
    ],
  ])('refuses %s', (_name, change, problem) => {
    expect(verify(resigned(change))).toEqual({ status: 1, output: expect.stringMatching(problem) })
  })
})

it('a receipt verifies with jose', async () => {
  const keys = createLocalJWKSet(JSON.parse(readFileSync(KEYS, 'utf8')))
  const { payload, protectedHeader } = await compactVerify(readFileSync(RECEIPT, 'utf8').trim(), keys)
  expect(protectedHeader.alg).toBe('EdDSA')
  expect(JSON.parse(new TextDecoder().decode(payload))).toMatchObject({
    receipt: 1,
    balance_before: '100',
    balance_after: '85',
  })
})
