#!/usr/bin/env node
import { createReadStream, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { verifyExport, verifyReceipt } from './verify.js'

const USAGE = `npx @openmonetize/verify EXPORT... --keys FILE_OR_URL [--receipt FILE]...

Verifies an export of a ledger and its receipts, offline unless --keys is a URL. Pass the parts of an export in order.`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { keys: { type: 'string' }, receipt: { type: 'string', multiple: true, default: [] } },
})
const { keys, receipt: receipts } = values
if (keys === undefined || positionals.length + receipts.length === 0) {
  console.error(USAGE)
  process.exit(2)
}

async function* bytes() {
  for (const file of positionals) yield* createReadStream(file)
}

const isUrl = /^https?:/.test(keys)
const set = (isUrl ? await (await fetch(keys)).json() : JSON.parse(readFileSync(keys, 'utf8'))).keys
let failed = false
let hashes = new Map()
if (positionals.length > 0) {
  const result = await verifyExport(bytes(), set)
  failed = !result.ok
  if (result.ok) {
    const { ledger, from, to, checkpoints, next } = result
    hashes = result.hashes
    const more = next === null ? '' : `; the next part begins with entry ${next}`
    console.log(`${ledger}: entries ${from} to ${to} are valid, checkpoints: ${checkpoints}${more}`)
  } else {
    const at = result.entry === null ? '' : `entry ${result.entry} `
    console.error(`${at}(line ${result.line}): ${result.problem}`)
  }
}
for (const file of receipts) {
  const result = await verifyReceipt(readFileSync(file, 'utf8').trim(), set)
  const known = result.ok && (hashes.get(result.entry) ?? result.hash) === result.hash
  failed ||= !known
  if (known) console.log(`${file}: receipt of entry ${result.entry} of ${result.ledger}`)
  else
    console.error(
      `${file}: ${result.ok ? `entry ${result.entry} has a different hash in the export` : result.problem}`,
    )
}
process.exitCode = failed ? 1 : 0
