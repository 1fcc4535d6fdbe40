import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { openLedger } from '../../src/ledger/client/client.ts'
import { LedgerAlarm } from '../../src/ledger/flush/alarm.ts'
import { CUSTOMERS_A_RUN } from '../../src/projection/sweep-ledgers.ts'
import { alarmOf } from '../faults/injection.ts'
import { GPT_4O, ingested } from '../support/client.ts'
import { runJob } from '../support/cron.ts'
import { createCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import {
  ACCOUNT,
  inStore,
  ledgerOf,
  partOf,
  rowsWrittenBy,
  runAlarm,
  type TestLedger,
  watermark,
} from '../support/ledgers.ts'

/** Tests that the scheduled job calls every ledger, including ledgers that are not used. */

vi.spyOn(console, 'log').mockImplementation(() => undefined)
beforeEach(async () => {
  await env.DB.prepare('DELETE FROM sweeps').run()
})
afterEach(() => {
  vi.useRealTimers()
})

async function loseAlarm(ledger: TestLedger): Promise<void> {
  await runInDurableObject(ledger.stub, (instance, { storage }) => {
    const alarms = partOf(instance, 'alarms', LedgerAlarm)
    if (!Reflect.has(alarms, 'at_ms') || !Reflect.set(alarms, 'at_ms', null))
      throw new Error('the alarm kept its time')
    return storage.deleteAlarm()
  })
}

it('an unused ledger without its alarm, unknown to D1, still flushes', async () => {
  const { customer_id, api_key } = await createCustomer()
  const ledger = ledgerOf(customer_id)
  await ingested(api_key, GPT_4O)
  await loseAlarm(ledger)
  expect(await watermark(ledger)).toBeNull()
  await runJob('ledgers')
  expect(await alarmOf(ledger)).not.toBeNull()
  await runAlarm(ledger)
  expect(await inStore(ledger, ({ journal }) => journal.isDirty)).toBe(false)
})

it('test ledgers are swept, too', async () => {
  const { customer_id } = await createCustomer()
  await createKey(customer_id, { mode: 'test' })
  const name = { customer_id, mode: 'test' } as const
  await openLedger(env, { ledger: name, signup_grant_micro: 5, account: ACCOUNT })
  const ledger: TestLedger = {
    name,
    get stub() {
      return env.LEDGER.getByName(ledgerKey(name))
    },
  }
  await loseAlarm(ledger)
  await runJob('ledgers')
  expect(await alarmOf(ledger)).not.toBeNull()
})

it('a healthy ledger is not written', async () => {
  const { customer_id, api_key } = await createCustomer()
  const ledger = ledgerOf(customer_id)
  await ingested(api_key, GPT_4O)
  await runAlarm(ledger)
  await loseAlarm(ledger)
  expect(await rowsWrittenBy(ledger, () => runJob('ledgers'))).toBe(0)
  expect(await alarmOf(ledger)).toBeNull()
})

it('a ledger that cannot be woken does not delay the others', async () => {
  const { customer_id, api_key } = await createCustomer()
  const ledger = ledgerOf(customer_id)
  await ingested(api_key, GPT_4O)
  await loseAlarm(ledger)
  const other = await createCustomer()
  const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
  const LEDGER: typeof env.LEDGER = Object.create(env.LEDGER, {
    getByName: {
      value: (name: string) => {
        if (name === other.customer_id) throw new Error('the machine has failed')
        return env.LEDGER.getByName(name)
      },
    },
  })
  await runJob('ledgers', { ...env, LEDGER })
  expect(await alarmOf(ledger)).not.toBeNull()
  expect(log.mock.calls.flat().join()).toMatch(/ledger_not_woken/)
  log.mockRestore()
})

it('continues where it stopped, over all customers, and then starts again', async () => {
  const insert = `
    INSERT INTO customers (customer_id, name, email, email_key, tier, status, created_at_ms)
    SELECT 'cust_swept' || printf('%06d', value), 'n', 'swept' || value, 'swept' || value, 'STARTER', 'ACTIVE', 1
    FROM json_each(?1)`
  const numbers = Array.from({ length: CUSTOMERS_A_RUN * 2 }, (_, i) => i)
  await env.DB.prepare(insert).bind(JSON.stringify(numbers)).run()
  const woken: string[] = []
  const LEDGER: typeof env.LEDGER = Object.create(env.LEDGER, {
    getByName: { value: (name: string) => ({ wake: async () => void woken.push(name) }) },
  })
  for (let run = 0; run < 2; run++) await runJob('ledgers', { ...env, LEDGER })
  expect(woken.length).toBeGreaterThanOrEqual(CUSTOMERS_A_RUN * 2)
  expect(new Set(woken).size).toBe(woken.length)
  for (let run = 0; run < 3; run++) await runJob('ledgers', { ...env, LEDGER })
  const { results } = await env.DB.prepare(
    "SELECT customer_id FROM customers WHERE status <> 'PENDING'",
  ).all<{
    customer_id: string
  }>()
  expect(new Set(woken)).toEqual(new Set([...woken, ...results.map(({ customer_id }) => customer_id)]))
  expect(new Set(woken).size).toBeLessThan(woken.length)
  await env.DB.prepare("DELETE FROM customers WHERE customer_id LIKE 'cust_swept%'").run()
})
