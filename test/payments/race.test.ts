import { env } from 'cloudflare:workers'
import { expect, inject, it } from 'vitest'
import { ingest } from '../../src/ledger/client/client.ts'
import { balanceOf, read } from '../support/client.ts'
import { ledgerOf, runAlarm, storedBalances, storedPages } from '../support/ledgers.ts'
import { eventItem, single } from '../support/messages.ts'
import { ring, setTopUp, withCard, withStripe } from './support.ts'

/**
 * Tests burns that run at the same time as top-ups. All sums must be consistent, and no burn must wait for a charge.
 */

const stripe = withStripe()
const { runs } = inject('fuzz')
/** The number of burns: 10,000 if FC_RUNS is set, and otherwise 600. */
const BURNS = runs === undefined ? 600 : 10_000
const AT_ONCE = 100
/** The cost of a burn in micro-credits: 20 credits, so that the burns soon use up the 11,000 credits of the wallet. */
const BURN = 20_000_000

it('burns that race top-ups keep the accounts balanced', async () => {
  const customer = await withCard(stripe.current())
  const { api_key: key, customer_id } = customer
  await setTopUp(key, { below: 5000, credits: 50_000, price_usd: 500, max_usd_per_month: 1_000_000 })
  const ledger = ledgerOf(customer_id)
  let burned = 0
  for (let sent = 0; sent < BURNS; sent += AT_ONCE) {
    const burns = Array.from({ length: AT_ONCE }, () => ingest(env, ledger.name, single(eventItem(BURN))))
    const [results] = await Promise.all([Promise.all(burns), ring(customer), runAlarm(ledger)])
    burned += results.filter(({ kind }) => kind !== 'refused').length
  }
  await ring(customer)
  const charges = stripe.current().succeeded()
  const top_ups = charges.length - 1
  expect(top_ups).toBeGreaterThan(0)
  const balance = 11_000 + top_ups * 50_000 - burned * 20
  expect(await balanceOf(key)).toBe(balance)
  expect(await storedBalances(ledger)).toEqual({ customer: balance * 1_000_000 })
  const entries = (await storedPages(ledger)).flatMap((page) => page.entries)
  expect(entries.reduce((sum, { amount }) => sum + amount, 0)).toBe(balance * 1_000_000)
  expect(entries.filter(({ type }) => type === 'BURN')).toHaveLength(burned)
  expect(await read(key, '/v1/credits/auto-top-up')).toMatchObject({ spent_usd_this_month: top_ups * 500 })
}, 600_000)
