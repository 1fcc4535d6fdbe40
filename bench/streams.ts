import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Counts } from './cost/counting-worker.ts'
import { bundle, migrateD1, PROJECT, startWorkerd } from './raw-workerd.ts'

/**
 * `npm run bench:streams`: opens 1,000 event streams for 10 customers, leaves them idle, and counts their billed
 * operations with the Worker of `npm run cost`. Fails if an idle stream has called a ledger object.
 */
const { values: options } = parseArgs({
  options: {
    streams: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '60' },
  },
})
const SECONDS = Number(options.seconds)
/** The maximum number of open streams per customer. */
const STREAMS_A_CUSTOMER = 100
const OPERATOR_TOKEN = 'bench-operator-token'
/** The wait until the first entries of the customers are flushed. */
const SETTLED_MS = 10_000

const folder = mkdtempSync('/dev/shm/bench-streams-')
const entry = path.join(import.meta.dirname, 'cost', 'counting-worker.ts')
const script = bundle(PROJECT, path.join(folder, 'bundle'), entry)
const workerd = await startWorkerd(PROJECT, script, path.join(folder, 'state'), {
  OPERATOR_TOKEN,
  ENCRYPTION_KEY: 'dev-encryption-key',
  RATE_LIMIT_ENTERPRISE: '1000000000',
})
const closing = new AbortController()
let comments = 0

async function newKey(): Promise<string> {
  const response = await fetch(`${workerd.url}/v1/customers/register`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${OPERATOR_TOKEN}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ name: 'streams', email: `${randomUUID()}@bench.example`, tier: 'ENTERPRISE' }),
  })
  if (!response.ok) throw new Error(`registration returned ${response.status}`)
  return String(Object(await response.json()).api_key)
}

async function open(key: string): Promise<void> {
  const response = await fetch(`${workerd.url}/v1/stream`, {
    headers: { Authorization: `Bearer ${key}` },
    signal: closing.signal,
  })
  if (response.status !== 200 || !response.body) throw new Error(`a stream returned ${response.status}`)
  const read = async (body: ReadableStream<Uint8Array>) => {
    for await (const part of body) comments += Buffer.from(part).toString().split(':\n\n').length - 1
  }
  read(response.body).catch(() => undefined)
}

const readCounts = async (): Promise<Counts> => (await fetch(`${workerd.url}/counts`)).json()

try {
  await migrateD1(await workerd.d1())
  const streams = Number(options.streams)
  for (let i = 0; i < streams; i += STREAMS_A_CUSTOMER) {
    const key = await newKey()
    const own = Math.min(STREAMS_A_CUSTOMER, streams - i)
    await Promise.all(Array.from({ length: own }, () => open(key)))
  }
  await sleep(SETTLED_MS)
  const [before, comments_before] = [await readCounts(), comments]
  await sleep(SECONDS * 1_000)
  const [after, comments_after] = [await readCounts(), comments]
  const of = (name: keyof Counts) => after[name] - before[name]
  console.log(`${streams} idle streams for ${SECONDS} s, with ${comments_after - comments_before} comments\n`)
  console.log('| calls of objects | rows written in objects | rows read in D1 | rows written in D1 |')
  console.log('| ---: | ---: | ---: | ---: |')
  console.log(
    `| ${of('object_requests')} | ${of('object_rows_written')} | ${of('d1_rows_read')} | ${of('d1_rows_written')} |`,
  )
  if (of('object_requests') > 0) {
    console.error('\nIdle streams called ledger objects.')
    process.exitCode = 1
  }
} finally {
  closing.abort()
  await workerd.stop()
  rmSync(folder, { recursive: true, force: true })
}
