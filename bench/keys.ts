import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { KeysState } from './keys-worker.ts'
import { bundle, type RawWorkerd, startWorkerd } from './raw-workerd.ts'

/**
 * `npm run bench:keys`: fills a window of idempotency keys in the real store in raw workerd, in commits of 100. Reports
 * times and sizes. Fails if a lookup is wrong, or if rows, memory or the time of the first commit after a start exceed
 * their limits. Environment variables: KEYS is the number of keys (default: 20 million). STATE_DIR is the folder for
 * the storage of the objects (default: the temporary folder of the system).
 */

const CONFIG = path.join(import.meta.dirname, 'keys.toml')
const KEYS = Number(process.env.KEYS ?? 20_000_000)
const A_COMMIT = 100
/**
 * The number of keys per turn. The first commit of a turn follows a lookup, as in a request, and its time is measured.
 * The other commits of the turn only fill the store.
 */
const A_TURN = 1000
const LOOKS = 200

/**
 * The maximum number of written rows per key. The goal is 0.10 written rows per event in requests of 100 events. The
 * row of the wallet takes 0.01 of this.
 */
const MAX_ROWS_A_KEY = 0.1 - 0.01
const MAX_MEMORY_BYTES = 48 * 1024 * 1024
const MAX_START_MS = 150

const failures: string[] = []

function check(what: string, is: number, most: number): void {
  const fine = is <= most
  console.log(`  ${fine ? 'ok  ' : 'MISS'} ${what}: ${rounded(is)} (at most ${most})`)
  if (!fine) failures.push(what)
}

function rounded(value: number): number {
  return Number(value.toPrecision(4))
}

const megabytes = (bytes: number) => `${Math.round(bytes / 1e5) / 10} MB`

async function ask(
  server: RawWorkerd,
  what: string,
  from = 0,
  count = 0,
): Promise<KeysState & { ms: number }> {
  const began = performance.now()
  const response = await fetch(
    `${server.url}/${what}?from=${from}&count=${count}${count === 0 ? '&whole' : ''}`,
  )
  if (!response.ok) throw new Error(`${what} returned ${response.status}: ${await response.text()}`)
  const state: KeysState = await response.json()
  return { ...state, ms: performance.now() - began }
}

/** Looks up keys from `first` to the end of the window, and as many keys that were never recorded. */
async function look(server: RawWorkerd, first: number): Promise<{ wrong: number; ms: number[] }> {
  let wrong = 0
  const ms: number[] = []
  for (let i = 0; i < LOOKS; i++) {
    const from = first + Math.floor(((KEYS - first - A_COMMIT) * i) / LOOKS)
    const known = await ask(server, 'known', from, A_COMMIT)
    const unknown = await ask(server, 'unknown', 2 * KEYS + from, A_COMMIT)
    wrong += known.wrong + unknown.wrong
    ms.push(unknown.ms)
  }
  return { wrong, ms }
}

function report(name: string, times: readonly number[]): void {
  if (times.length === 0) return
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share: number) =>
    rounded(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)
  console.log(`  ${name}: median ${at(0.5)} ms, 99 % ${at(0.99)} ms, longest ${at(1)} ms, of ${times.length}`)
}

const home = path.resolve(process.env.STATE_DIR ?? tmpdir())
mkdirSync(home, { recursive: true })
const state = mkdtempSync(path.join(home, 'bench-keys-'))
try {
  const script = bundle(CONFIG, path.join(state, 'dist'))
  let server = await startWorkerd(CONFIG, script, path.join(state, 'objects'))
  console.log(`${KEYS} keys, ${A_COMMIT} a commit, in ${home}`)
  const plain: number[] = []
  const working: number[] = []
  let wrong = 0
  let memory = 0
  let before = await ask(server, 'state')
  const rows_before = before.rows_written
  const began = performance.now()
  for (let from = 0; from < KEYS; from += A_TURN) {
    const timed = await ask(server, 'commit', from, A_COMMIT)
    // A commit writes one row. A commit with more rows also wrote a run or a segment.
    if (timed.rows_written - before.rows_written > 1) working.push(timed.ms)
    else plain.push(timed.ms)
    wrong += timed.wrong
    before = await ask(server, 'fill', from + A_COMMIT, A_TURN - A_COMMIT)
    memory = Math.max(memory, before.memory_bytes)
    if ((from + A_TURN) % (KEYS / 10) === 0) {
      const { runs, segments, buckets, database_bytes } = await ask(server, 'state')
      const seconds = Math.round((performance.now() - began) / 1000)
      const rows = rounded((before.rows_written - rows_before) / (from + A_TURN))
      console.log(
        `  ${from + A_TURN} keys after ${seconds} s: ${rows} rows a key, ${runs} runs, ${segments} segments, ${buckets} buckets, memory ${megabytes(before.memory_bytes)}, disk ${megabytes(database_bytes)}`,
      )
    }
  }
  report('a commit with its 100 lookups', plain)
  report('a commit that also writes a run or a segment', working)
  check('new keys found as used', wrong, 0)
  check('rows written for each key', (before.rows_written - rows_before) / KEYS, MAX_ROWS_A_KEY)
  check('memory for keys in bytes', memory, MAX_MEMORY_BYTES)
  const looked = await look(server, 0)
  report('a lookup of 100 unknown keys', looked.ms)
  check('keys that were not found, or found wrongly', looked.wrong, 0)

  await server.stop()
  server = await startWorkerd(CONFIG, script, path.join(state, 'objects'))
  await ask(server, 'state')
  const start = await ask(server, 'commit', KEYS, A_COMMIT)
  check('the first commit of keys after a start, in ms', start.ms, MAX_START_MS)
  const again = await look(server, 0)
  check('keys that were not found after a start, or found wrongly', again.wrong, 0)

  const half = Math.floor(KEYS / 2 / A_COMMIT) * A_COMMIT
  const freeing: number[] = []
  const forgotten_before = await ask(server, 'state')
  for (let from = 0; from <= half; from += 10 * A_COMMIT) freeing.push((await ask(server, 'forget', from)).ms)
  report(`forgetting ${10 * A_COMMIT} keys`, freeing)
  const left = await ask(server, 'state')
  check(
    'rows written for each key forgotten',
    (left.rows_written - forgotten_before.rows_written) / half,
    MAX_ROWS_A_KEY,
  )
  check('forgotten keys that are found', (await ask(server, 'unknown', half - A_COMMIT, A_COMMIT)).wrong, 0)
  check('keys that were not found after others were forgotten', (await look(server, half)).wrong, 0)
  console.log(`  left: ${left.runs} runs, ${left.segments} segments, ${left.buckets} buckets`)
  await server.stop()
} finally {
  rmSync(state, { recursive: true, force: true })
}
if (failures.length > 0) {
  console.error(`failed checks: ${failures.join('; ')}`)
  process.exit(1)
}
