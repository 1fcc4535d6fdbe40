import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { beforeEach, describe, expect, inject, it, vi } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { eraseSubject } from '../../src/ledger/client/client.ts'
import { readNotifications } from '../../src/notifications/store.ts'
import { checkpointDaily } from '../../src/proof/checkpoint.ts'
import { exportLines } from '../../src/proof/export.ts'
import { verifyExport, verifyReceipt } from '../../verify/verify.js'
import { api, jsonOf } from '../support/api.ts'
import { GPT_4O, granted, ingested, purchased } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { countingD1 } from '../support/d1.ts'
import { deployed } from '../support/deployment.ts'
import { ledgerOf, runAlarm, type TestLedger } from '../support/ledgers.ts'
import { CALLER } from '../support/messages.ts'

vi.setConfig({ testTimeout: 60_000 })

let key: string
let ledger: TestLedger

beforeEach(async () => {
  const customer = await createCustomer()
  key = customer.api_key
  ledger = ledgerOf(customer.customer_id)
})

/** Creates entries of most types in two wallets, and flushes them twice. Returns the id of an event. */
async function live(): Promise<string> {
  await purchased(key, { amount: 50, price_usd: 5, payment_reference: 'pi_1' })
  await granted(key, { user_id: 'ann', amount: 100, reason: 'hi', metadata: { note: 'é "quoted" 🚀' } })
  const { id } = await ingested(key, { ...GPT_4O, user_id: 'ann', metadata: { run: 7 } })
  await runAlarm(ledger)
  await ingested(key, { events: [GPT_4O, { ...GPT_4O, team_id: 'red' }] })
  await post(`/v1/events/${String(id)}/void`, {})
  await post('/v1/credits/transfer', { from: {}, to: { user_id: 'ann' }, amount: 3 })
  return String(id)
}

async function post(path: string, body: object): Promise<void> {
  expect((await api(path, { key, body })).status).toBeLessThan(300)
}

async function textOf(response: Response): Promise<string> {
  return new TextDecoder().decode(await response.arrayBuffer())
}

async function exported(query = ''): Promise<string> {
  const response = await api(`/v1/ledger/export${query}`, { key })
  expect(response.status).toBe(200)
  return textOf(response)
}

interface Key {
  readonly kid: string
  readonly x: string
}

async function keySet(): Promise<Key[]> {
  const { keys } = await jsonOf(await api('/.well-known/openmonetize-keys.json', {}))
  return JSON.parse(JSON.stringify(keys))
}

const encoded = (text: string) => [new TextEncoder().encode(text)]

async function verified(text: string, keys?: readonly Key[]) {
  const result = await verifyExport(encoded(text), keys ?? (await keySet()))
  if (!result.ok) throw new Error(JSON.stringify(result))
  return result
}

async function wrongEntry(lines: readonly string[], keys: readonly Key[]): Promise<number | null> {
  const result = await verifyExport(encoded(lines.join('\n')), keys)
  if (result.ok) throw new Error('the export was accepted')
  return result.entry
}

const checkpoint = async () => jsonOf(await api('/v1/ledger/checkpoint', { key }))

describe('an export', () => {
  it('verifies, and has every entry with its personal data', async () => {
    await live()
    const text = await exported()
    const { from, to, next, checkpoints } = await verified(text)
    expect({ from, to, next, checkpoints }).toEqual({ from: 1, to: 9, next: null, checkpoints: 1 })
    expect(text).toContain('"personal":{"o":{"kind":"user","id":"ann"},"d":"hi"')
  })

  it('can begin at any entry, and states where the next part begins', async () => {
    await live()
    await checkpoint()
    const whole = await verified(await exported())
    expect((await verified(await exported('?from=5'))).hashes.get(9)).toBe(whole.hashes.get(9))
    const range = { ledger_id: ledgerKey(ledger.name), first_entry: 1, from: 1, to: 9 }
    const parts: string[] = []
    for await (const lines of exportLines(env, range, 1)) parts.push(lines)
    const part = await verified(parts.join(''))
    expect([part.to, part.next]).toEqual([4, 5])
    expect((await verified(parts.join('') + (await exported('?from=5')))).to).toBe(9)
  })

  it('is refused with the entry at fault, whichever byte is flipped', async () => {
    await granted(key, { user_id: 'ann', amount: 1, reason: 'é' })
    await ingested(key, GPT_4O)
    const bytes = new TextEncoder().encode(await exported())
    const keys = await keySet()
    expect(await verifyExport([bytes], keys)).toMatchObject({ ok: true })
    const starts = lineStarts(bytes)
    for (let at = 0; at < bytes.length; at++) {
      for (const bit of [1, 0x20, 0x80]) {
        const changed = bytes.slice()
        changed[at] = (changed[at] ?? 0) ^ bit
        const result = await verifyExport([changed], keys)
        const line = starts.findLastIndex((start) => start <= at)
        const entry = result.ok ? 'accepted' : result.entry
        // A change in the first line is reported without an entry. A change in the last lines, which are the checkpoint
        // and the end, is reported with the last entry.
        expect(entry, `byte ${at}`).toBe(line === 0 ? null : Math.min(line, 4))
        if (line > 0) continue
        const problem = bit === 0x80 ? 'the text is not UTF-8' : expect.stringMatching(/^the first line /)
        expect(result, `byte ${at}`).toMatchObject({ line: 1, problem })
      }
    }
  })

  it('is refused with the entry at fault, whichever byte of a part is flipped', async () => {
    await live()
    const bytes = new TextEncoder().encode(await exported('?from=6'))
    const keys = await keySet()
    const starts = lineStarts(bytes)
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice()
      changed[at] = (changed[at] ?? 0) ^ 1
      const result = await verifyExport([changed], keys)
      const line = starts.findLastIndex((start) => start <= at)
      if (result.ok) throw new Error(`byte ${at} is accepted`)
      // The first line contains the hash before entry 6. If it does not match, the first line or entry 6 can be
      // reported.
      if (line > 0) expect(result.entry, `byte ${at}`).toBe(Math.min(line + 5, 10))
      else if (result.entry !== null) expect(result, `byte ${at}`).toMatchObject({ line: 2 })
      else expect(result.problem, `byte ${at}`).toMatch(/^the first line /)
    }
  })

  it('of thousands of entries is refused with the entry at fault for a change at any place', async () => {
    await granted(key, { amount: 1_000_000 })
    for (let i = 0; i < 3; i++) {
      await ingested(key, {
        events: Array.from({ length: 1000 }, (_, n) => ({ ...GPT_4O, user_id: `user-${n % 7}` })),
      })
      await runAlarm(ledger)
    }
    const text = await exported()
    const keys = await keySet()
    const last = (await verified(text, keys)).to
    expect(last).toBeGreaterThan(3000)
    const bytes = new TextEncoder().encode(text)
    const starts = lineStarts(bytes)
    const lines = text.split('\n')
    const { seed } = inject('fuzz')
    await fc.assert(
      fc.asyncProperty(
        fc.nat(bytes.length - 1),
        fc.nat(7),
        fc.integer({ min: 1, max: last }),
        fc.integer({ min: 1, max: last }),
        async (at, bit, entry, other) => {
          const changed = bytes.slice()
          changed[at] = (changed[at] ?? 0) ^ (1 << bit)
          const result = await verifyExport([changed], keys)
          if (result.ok) throw new Error('the flipped byte is accepted')
          const line = starts.findLastIndex((start) => start <= at)
          expect(result.entry).toBe(line === 0 ? null : Math.min(line, last + 1))
          const [moved, inserted] = [lines[entry] ?? '', lines[other] ?? '']
          expect(await wrongEntry(lines.toSpliced(entry, 1), keys)).toBe(entry)
          expect(await wrongEntry(lines.toSpliced(entry, 0, inserted), keys)).toBe(
            other === entry ? entry + 1 : entry,
          )
          expect(await wrongEntry(lines.slice(0, entry + 1), keys)).toBe(entry)
          expect(await wrongEntry([...lines.slice(0, entry + 1), ''], keys)).toBe(entry + 1)
          if (other === entry) return
          const reordered = lines.with(entry, inserted).with(other, moved)
          expect(await wrongEntry(reordered, keys)).toBe(Math.min(entry, other))
        },
      ),
      { numRuns: 12, ...(seed !== undefined && { seed }) },
    )
  })

  it('is refused with the entry at fault when a line is deleted, repeated, moved or inserted', async () => {
    await live()
    const lines = (await exported()).split('\n')
    const keys = await keySet()
    for (let entry = 1; entry <= 9; entry++) {
      const line = lines[entry] ?? ''
      expect(await wrongEntry(lines.toSpliced(entry, 1), keys)).toBe(entry)
      expect(await wrongEntry(lines.toSpliced(entry, 0, line), keys)).toBe(entry + 1)
      expect(await wrongEntry(lines.toSpliced(entry, 0, line.replace('"n":', '"n":9')), keys)).toBe(entry)
      if (entry === 9) continue
      expect(await wrongEntry(lines.toSpliced(entry, 2, lines[entry + 1] ?? '', line), keys)).toBe(entry)
    }
    for (const place of [0, 10, 11]) await wrongEntry(lines.toSpliced(place, 1), keys)
    await wrongEntry(lines.slice(0, 5), keys)
  })

  it('verifies after a user is erased, without the personal data of that user', async () => {
    await live()
    const before = await verified(await exported())
    await eraseSubject(env, ledger.name, { caller: CALLER, kind: 'user', id: 'ann' })
    const text = await exported()
    expect(text).not.toContain('ann')
    expect(text).toContain('"g":"red"')
    const after = await verified(text)
    for (const [entry, hash] of before.hashes) expect(after.hashes.get(entry)).toBe(hash)
  })
})

describe('a checkpoint', () => {
  it('covers the last entry, is stored, and is not made again while the ledger does not change', async () => {
    await live()
    const first = await checkpoint()
    expect(first).toMatchObject({ entry_number: 9, key_id: (await keySet())[0]?.kid })
    expect(await checkpoint()).toEqual(first)
    await ingested(key, GPT_4O)
    expect(await checkpoint()).toMatchObject({ entry_number: 10 })
    expect((await verified(await exported())).checkpoints).toBe(2)
  })

  it('is refused when the chain does not contain the last one', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    await live()
    await checkpoint()
    await ingested(key, GPT_4O)
    await runAlarm(ledger)
    const ledger_id = ledgerKey(ledger.name)
    const tampered = `UPDATE ledger_pages SET hash_after = substr(hash_after, 2) || substr(hash_after, 1, 1) WHERE ledger_id = ? AND last_entry = 9`
    await env.DB.prepare(tampered).bind(ledger_id).run()
    const response = await api('/v1/ledger/checkpoint', { key })
    expect(response.status).toBe(409)
    expect(await jsonOf(response)).toMatchObject({
      code: 'conflict',
      detail: 'The ledger does not contain its checkpoint of entry 9. The operator must find the cause.',
    })
    expect(log.mock.calls.flat().join()).toMatch(/checkpoint_refused/)
    log.mockRestore()
  })

  it('is not made for an export that begins after the last entry, nor for an event from before the chain', async () => {
    const id = await live()
    await runAlarm(ledger)
    const ledger_id = ledgerKey(ledger.name)
    const past = await api('/v1/ledger/export?from=900', { key })
    expect(past.status).toBe(409)
    expect(await jsonOf(past)).toMatchObject({ code: 'conflict' })
    await env.DB.prepare('UPDATE ledgers SET chain_first_entry = flushed_entry WHERE ledger_id = ?')
      .bind(ledger_id)
      .run()
    const early = await api(`/v1/events/${id}/receipt`, { key })
    expect(await jsonOf(early)).toMatchObject({
      code: 'conflict',
      detail: 'The event is older than the hash chain of the ledger and has no receipt.',
    })
    const kept = await env.DB.prepare('SELECT count(*) AS n FROM checkpoints WHERE ledger_id = ?')
      .bind(ledger_id)
      .first('n')
    expect(kept).toBe(0)
  })

  it('is signed once a day for a ledger that has grown', async () => {
    await live()
    await runAlarm(ledger)
    const ledger_id = ledgerKey(ledger.name)
    const kept = () =>
      env.DB.prepare('SELECT entry_number FROM checkpoints WHERE ledger_id = ?').bind(ledger_id).raw()
    await daily(placeBefore(ledger_id))
    await daily(placeBefore(ledger_id))
    expect(await kept()).toEqual([[9]])
    await ingested(key, GPT_4O)
    await runAlarm(ledger)
    await daily(placeBefore(ledger_id))
    expect(await kept()).toEqual([[9]])
    await daily(placeBefore(ledger_id), Date.now() + 86_400_001)
    expect(await kept()).toEqual([[9], [10]])
  })

  it('is signed each day for all ledgers that have grown, in a few calls of D1', async () => {
    const prefix = await grownLedgers(2500)
    await live()
    await runAlarm(ledger)
    const { db, counts } = countingD1()
    const places: string[] = []
    await daily(prefix, Date.now(), { ...env, DB: db }, (place) => places.push(place))
    const last = `${prefix}${numberOf(2500)}`
    expect(places[0]).toBe(`${prefix}${numberOf(2000)}`)
    expect(await signedOf(prefix)).toBe(2500)
    // The job runs two rounds of up to 2,000 ledgers. Each round makes two calls: it reads the ledgers, and writes the
    // key and the checkpoints in one batch.
    expect(counts).toMatchObject({ calls: 4, statements: 6 })
    expect(places.at(-1)).toBe('')
    const note = await env.DB.prepare('SELECT note FROM checkpoints WHERE ledger_id = ?')
      .bind(last)
      .first<string>('note')
    expect(note).toMatch(new RegExp(`^openmonetize ledger checkpoint 1\\n${last}\\n1\\n7\\n`))
    counts.calls = 0
    await daily(prefix, Date.now(), { ...env, DB: db })
    expect(counts.calls).toBe(2)
  })

  it('is not signed by the daily job for a ledger whose chain does not contain its last one', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const prefix = await grownLedgers(3)
    await daily(prefix)
    await env.DB.prepare(
      "UPDATE ledgers SET flushed_entry = 8 WHERE ledger_id > ?1 AND ledger_id < ?1 || '~'",
    )
      .bind(prefix)
      .run()
    await daily(prefix, Date.now() + 86_400_001)
    // The pages between the last checkpoint and the entry `flushed_entry` are missing in D1, so no checkpoint is added.
    expect(await signedOf(prefix)).toBe(3)
    expect(
      log.mock.calls
        .flat()
        .join()
        .match(/checkpoint_refused/g),
    ).toHaveLength(3)
    log.mockRestore()
  })

  it('is sent to webhook endpoints by the daily job', async () => {
    await live()
    await runAlarm(ledger)
    const ledger_id = ledgerKey(ledger.name)
    const types = async () => (await notificationsOf(ledger)).map(({ type }) => type)
    await daily(placeBefore(ledger_id))
    expect(await types()).not.toContain('ledger.checkpoint')
    await env.DB.prepare('UPDATE ledgers SET handed_notification = 0 WHERE ledger_id = ?')
      .bind(ledger_id)
      .run()
    await ingested(key, GPT_4O)
    await runAlarm(ledger)
    await daily(placeBefore(ledger_id), Date.now() + 86_400_001)
    const pushed = (await notificationsOf(ledger)).filter(({ type }) => type === 'ledger.checkpoint')
    expect(pushed.map(({ data }) => data)).toEqual([await checkpoint()])
  })

  it('needs a signing key that is not the one of development, outside of it', async () => {
    for (const vars of [
      { LEDGER_SIGNING_KEY: '' },
      { LEDGER_SIGNING_KEY: 'dev-signing-key', ENVIRONMENT: 'production' },
    ]) {
      const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
      const response = await deployed(vars, '/v1/ledger/checkpoint', { key })
      log.mockRestore()
      expect(response.status).toBe(503)
      expect(await jsonOf(response)).toMatchObject({ code: 'signing_not_configured' })
    }
  })
})

describe('a receipt', () => {
  const receiptOf = async (id: string) =>
    String((await jsonOf(await api(`/v1/events/${id}/receipt`, { key }))).receipt)

  it('has amounts as text, and the entry with the hash that the export has', async () => {
    const id = await live()
    const result = await verifyReceipt(await receiptOf(id), await keySet())
    expect(result).toMatchObject({
      ok: true,
      ledger: ledgerKey(ledger.name),
      entry: 4,
      claims: {
        sub: id,
        balance_before: '100',
        balance_after: '85',
        explanation: { credits_burned: '15', provider_cost_usd: '0.0075', lots: [{ amount: '-15' }] },
      },
    })
    const { hashes } = await verified(await exported())
    expect(result.ok && hashes.get(4)).toBe(result.ok && result.hash)
  })

  it('verifies after the key was replaced, as do checkpoints of both keys', async () => {
    const old = await receiptOf(await live())
    const vars = { LEDGER_SIGNING_KEY: 'another key of the operator' }
    await ingested(key, GPT_4O)
    const text = await textOf(await deployed(vars, '/v1/ledger/export', { key }))
    const response = await deployed(vars, '/.well-known/openmonetize-keys.json', {})
    const { keys }: { keys: Key[] } = JSON.parse(await textOf(response))
    expect(await verifyReceipt(old, keys)).toMatchObject({ ok: true })
    expect((await verified(text, keys)).checkpoints).toBe(2)
    expect((await verified(text)).checkpoints).toBe(2)
  })

  it('is refused when any character of it is changed', async () => {
    const receipt = await receiptOf(await live())
    const keys = await keySet()
    for (let at = 0; at < receipt.length; at += 7) {
      const other = receipt[at] === 'A' ? 'B' : 'A'
      const changed = `${receipt.slice(0, at)}${other}${receipt.slice(at + 1)}`
      expect(await verifyReceipt(changed, keys), `character ${at}`).toMatchObject({ ok: false })
    }
  })
})

function lineStarts(bytes: Uint8Array): number[] {
  const starts = [0]
  bytes.forEach((byte, at) => {
    if (byte === 0x0a) starts.push(at + 1)
  })
  return starts
}

/** Returns a position of the daily job directly before a ledger, so that the job continues with this ledger. */
function placeBefore(ledger_id: string): string {
  return `${ledger_id.slice(0, -1)}!`
}

function daily(
  after: string,
  now_ms = Date.now(),
  bindings: typeof env = env,
  reach: (place: string) => void = () => undefined,
): Promise<void> {
  return checkpointDaily({ env: bindings, now_ms, after, reach })
}

/**
 * Adds ledgers with flushed entries to D1. Their ids sort after all other ids. Returns the common prefix of the ids.
 */
async function grownLedgers(count: number): Promise<string> {
  const prefix = `zz_${crypto.randomUUID()}_`
  await env.DB.prepare(
    `INSERT INTO ledgers (ledger_id, flushed_row, flushed_entry, flushed_at_ms, chain_first_entry, chain_hash)
    SELECT ?1 || value, 7, 7, 1, 1, ?3 FROM json_each(?2)`,
  )
    .bind(prefix, JSON.stringify(Array.from({ length: count }, (_, i) => numberOf(i + 1))), 'h'.repeat(43))
    .run()
  return prefix
}

const numberOf = (count: number) => String(count).padStart(5, '0')

/** Returns the number of checkpoints in D1 for the ledgers whose ids start with `prefix`. */
function signedOf(prefix: string): Promise<number | null> {
  return env.DB.prepare(
    "SELECT count(*) AS n FROM checkpoints WHERE ledger_id > ?1 AND ledger_id < ?1 || '~'",
  )
    .bind(prefix)
    .first<number>('n')
}

async function notificationsOf({ name }: TestLedger) {
  const read = await readNotifications(env, name, { caller: CALLER, after_sequence: 0, limit: 100 })
  if (read.kind !== 'done') throw new Error('the notifications were not read')
  return read.notifications
}
