import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { compactVerify, createLocalJWKSet } from 'jose'
import { afterAll, describe, expect, it } from 'vitest'

/** Tests the verifiers that customers use, with a recorded export and a recorded receipt of a ledger. */

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

/** Writes a copy of the export in which one digit of a line is changed. Returns its path. */
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
 * Writes a copy of the export in which the content of an entry is changed and all hashes are computed again. Returns
 * its path.
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
