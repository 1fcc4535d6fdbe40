import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach, expect, inject, it, vi } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { ingest } from '../../src/ledger/client/client.ts'
import { findProvider } from '../../src/pricing/catalogue/catalogue.ts'
import { OPERATOR } from '../../src/rating/price-epochs.ts'
import { addOverlay, loadOverlays } from '../../src/rating/price-overrides/store.ts'
import { runJob } from '../support/cron.ts'
import { unique } from '../support/customers.ts'
import { countedD1 } from '../support/d1.ts'
import { ask, freshLedger, inStore, ledgersLosing, runAlarm, type TestLedger } from '../support/ledgers.ts'
import { batch, eventItem, grant } from '../support/messages.ts'

/** Tests the scheduled job that rates events whose price was added later. */

vi.setConfig({ testTimeout: 240_000 })
vi.spyOn(console, 'log').mockImplementation(() => undefined)
beforeEach(async () => {
  await env.DB.batch(
    ['sweeps', 'late_ratings', 'ledgers'].map((table) => env.DB.prepare(`DELETE FROM ${table}`)),
  )
})

const ONE_USD = { amount: '1', per: 1_000_000 }
/** The charge of an event that is rated late, in micro-credits: 0.0015 USD at 2,000 credits per USD. */
const PRICE_MICRO = 3_000_000
const PLENTY = 1_000_000_000

const provider = findProvider('openai')?.id ?? ''

/** Ingests events of a model without a price, and flushes the ledger. */
async function record(ledger: TestLedger, model: string, events: number): Promise<void> {
  for (let left = events; left > 0; left -= 1_000) {
    const items = Array.from({ length: Math.min(left, 1_000) }, () =>
      eventItem(0, { provider: 'openai', model, charge: { kind: 'unpriced', price_version: 'test' } }),
    )
    await ingest(env, ledger.name, batch(items))
  }
  await runAlarm(ledger)
}

async function priceComes(model: string): Promise<void> {
  const overlays = await loadOverlays(env, OPERATOR)
  const overlay = {
    overlay_id: unique('po'),
    epoch: (overlays.at(-1)?.epoch ?? 0) + 1,
    provider,
    model,
    service_tier: null,
    prices: JSON.stringify({ units: { input_tokens: ONE_USD, output_tokens: ONE_USD } }),
    effective_from_ms: 0,
    effective_to_ms: null,
    created_at_ms: Date.now(),
    created_by: 'operator',
  }
  expect(await addOverlay(env, OPERATOR, overlay, undefined, [])).toBe('added')
}

const unratedIn = (ledger: TestLedger) => inStore(ledger, (store) => store.unrated.count())

/** Runs the job. Returns the number of its calls to ledger objects, and the number of its D1 statements. */
async function callsOf(): Promise<{ ledgers: number; statements: number }> {
  let ledgers = 0
  const LEDGER: typeof env.LEDGER = Object.create(env.LEDGER, {
    idFromName: { value: (name: string) => env.LEDGER.idFromName(name) },
    get: {
      value: (id: DurableObjectId) => {
        ledgers++
        return env.LEDGER.get(id)
      },
    },
  })
  const { counts } = await countedD1((DB) => runJob('late_rating', { ...env, DB, LEDGER }))
  return { ledgers, statements: counts.statements }
}

/** The number of ledgers in the test. `npm run test:late-rating` uses 200 ledgers with 10,000 events in total. */
const LEDGERS = inject('ledgers') ?? 50

it(`reaches every one of ${LEDGERS} ledgers and ${LEDGERS * 50} events in bounded runs`, async () => {
  const model = unique('model').toLowerCase()
  const ledgers: TestLedger[] = []
  for (let i = 0; i < LEDGERS; i++) {
    const ledger = await freshLedger(PLENTY)
    await record(ledger, model, 50)
    ledgers.push(ledger)
  }
  await priceComes(model)
  let runs = 0
  for (; runs < 20; runs++) {
    const { ledgers: called } = await callsOf()
    if (called === 0) break
  }
  for (const ledger of ledgers) expect(await unratedIn(ledger)).toBe(0)
  expect(runs).toBeLessThanOrEqual(LEDGERS / 25)
})

it('finds an event behind 10,500 newer ones whose model still has no price', async () => {
  const [priced, unpriced] = [unique('priced').toLowerCase(), unique('unpriced').toLowerCase()]
  const ledger = await freshLedger(PLENTY)
  await record(ledger, priced, 1)
  await record(ledger, unpriced, 10_500)
  await priceComes(priced)
  for (let run = 0; run < 3; run++) await runJob('late_rating')
  expect(await unratedIn(ledger)).toBe(10_500)
})

it('costs two statements and no call of a ledger while no price changes', async () => {
  const ledger = await freshLedger(PLENTY)
  await record(ledger, unique('model').toLowerCase(), 3_000)
  while ((await callsOf()).ledgers > 0);
  expect(await callsOf()).toEqual({ ledgers: 0, statements: 2 })
})

it('examines only the models that a price change names', async () => {
  const [changed, other] = [unique('changed').toLowerCase(), unique('other').toLowerCase()]
  const ledger = await freshLedger(PLENTY)
  await record(ledger, other, 700)
  await record(ledger, changed, 3)
  while ((await callsOf()).ledgers > 0);
  await priceComes(changed)
  // The job makes three calls: it reads the models without a price, reads the events of the changed model, and rates
  // these events.
  expect((await callsOf()).ledgers).toBe(3)
  expect(await unratedIn(ledger)).toBe(700)
})

it('rates the events of other ledgers although one ledger is damaged', async () => {
  const model = unique('model').toLowerCase()
  const ledgers = [await freshLedger(PLENTY), await freshLedger(PLENTY), await freshLedger(PLENTY)]
  for (const ledger of ledgers) await record(ledger, model, 2)
  const [first, second, third] = ledgers.toSorted((a, b) => (ledgerKey(a.name) < ledgerKey(b.name) ? -1 : 1))
  if (!first || !second || !third) throw new Error('there are three ledgers')
  await runInDurableObject(second.stub, (_, { storage }) => {
    storage.sql.exec('DROP INDEX unrated_models')
    storage.sql.exec("UPDATE unrated_events SET record = 'not JSON'")
  })
  await priceComes(model)
  await runJob('late_rating')
  expect(await unratedIn(first)).toBe(0)
  expect(await unratedIn(third)).toBe(0)
  expect(await unratedIn(second)).toBe(2)
})

it('does not complete a pass whose models were not read, and logs the refusal', async () => {
  const model = unique('changed').toLowerCase()
  const ledger = await freshLedger(PLENTY)
  await record(ledger, model, 3)
  while ((await callsOf()).ledgers > 0);
  await priceComes(model)
  const warned = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  // The first call and its repeat fail, and later calls succeed.
  let calls = 0
  const losing = ledgersLosing('unrated')
  const LEDGER: typeof env.LEDGER = Object.create(losing, {
    get: { value: (id: DurableObjectId) => (++calls <= 2 ? losing : env.LEDGER).get(id) },
  })
  await runJob('late_rating', { ...env, LEDGER })
  const logged = warned.mock.calls.map(([line]) => JSON.parse(String(line)))
  warned.mockRestore()
  expect(logged).toEqual([
    { level: 'warn', event: 'ledger_not_rerated', ledger: ledgerKey(ledger.name), code: 'unavailable' },
  ])
  expect(await unratedIn(ledger)).toBe(3)
  await runJob('late_rating')
  expect(await unratedIn(ledger)).toBe(0)
})

it('continues with unpaid events that a credit left, once the credit is flushed', async () => {
  const model = unique('model').toLowerCase()
  const ledger = await freshLedger(1)
  await record(ledger, model, 1_150)
  await priceComes(model)
  while ((await callsOf()).ledgers > 0);
  await runAlarm(ledger)
  expect(await callsOf()).toEqual({ ledgers: 0, statements: 2 })
  await ask(ledger.stub, 'credit', grant(1_150 * PRICE_MICRO))
  expect(await unratedIn(ledger)).toBe(150)
  await runAlarm(ledger)
  await runJob('late_rating')
  expect(await unratedIn(ledger)).toBe(0)
})
