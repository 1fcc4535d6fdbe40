import fc from 'fast-check'
import { expect, it } from 'vitest'
import { grouped } from '../src/api/decimal.ts'
import {
  api,
  describeInBrowser,
  goTo,
  newCustomer,
  openDashboard,
  rowsOf,
  signIn,
  useBrowser,
} from './support/browser.ts'
import { counted } from './support/events.ts'

useBrowser()

/** The number of generated ledgers. `LEDGERS=200` makes a longer run. */
const LEDGERS = Number(process.env.LEDGERS ?? 5)

/** Amounts of credits with up to six decimals, including the largest one that a wallet accepts. */
const amounts = fc
  .tuple(fc.oneof(fc.nat(9), fc.nat(99_999), fc.constant(7_999_999_000)), fc.nat(999_999))
  .map(([whole, micro]) => `${whole}.${String(micro).padStart(6, '0')}`)
  .filter((amount) => Number(amount) > 0)

const ledgers = fc.record({
  grants: fc.array(amounts, { minLength: 1, maxLength: 3 }),
  purchases: fc.array(fc.tuple(amounts, fc.nat(99_999_999)), { maxLength: 2 }),
  events: fc.array(
    fc.record({
      model: fc.constantFrom('gpt-4o', 'gpt-4o-mini', 'o3', 'gpt-4.1-nano'),
      input_tokens: fc.nat(200_000),
      output_tokens: fc.nat(9_000),
      user_id: fc.constantFrom('ada', 'mia'),
    }),
    { minLength: 1, maxLength: 12 },
  ),
})

describeInBrowser('every number on the screen', () => {
  it(`has the digits of the API, in ${LEDGERS} generated ledgers`, {
    timeout: 60_000 + LEDGERS * 20_000,
  }, async () => {
    const { page, expectQuiet, close } = await openDashboard()
    const samples = fc.sample(ledgers, { numRuns: LEDGERS, seed })
    for (const ledger of samples) {
      const { api_key: key } = await newCustomer()
      for (const amount of ledger.grants)
        await api('POST', '/v1/credits/grant', { key, body: { amount } }).catch(tooMuch)
      for (const [amount, pico] of ledger.purchases) {
        const price_usd = `1.${String(pico).padStart(12, '0')}`
        await api('POST', '/v1/credits/purchase', { key, body: { amount, price_usd } }).catch(tooMuch)
      }
      const each = { event_type: 'TOKEN_USAGE', feature_id: 'chat', provider: 'OPENAI' }
      const events = ledger.events.map((event) => ({ ...each, ...event }))
      const { accepted } = Object(await api('POST', '/v1/events/ingest', { key, body: { events } }))
      await counted(key, Number(accepted))

      await signIn(page, key)
      await goTo(page, '/')
      await expectShown('/', [Object(await api('GET', '/v1/credits/balance', { key })).balance])
      await goTo(page, '/credits')
      const lots = rowsOf(await api('GET', '/v1/credits/lots', { key }))
      const transactions = rowsOf(await api('GET', '/v1/credits/transactions', { key }))
      await expectShown('/credits', [
        ...lots.flatMap(({ remaining, amount, reserved }) => [remaining, amount, reserved]),
        ...transactions.flatMap(({ amount, balance_before, balance_after }) => [
          amount,
          balance_before,
          balance_after,
        ]),
      ])
      await goTo(page, '/events')
      const burned = rowsOf(await api('GET', '/v1/events', { key }))
      await expectShown(
        '/events',
        burned.flatMap(({ credits_burned, provider_cost_usd, balance_after }) => [
          credits_burned,
          provider_cost_usd,
          balance_after,
        ]),
      )
      await goTo(page, '/usage?group_by=model,user')
      const usage = Object(await api('GET', '/v1/analytics/usage?group_by=model,user', { key }))
      await expectShown(
        '/usage',
        [...rowsOf(usage), usage.totals].flatMap(({ credits, events: count, provider_cost_usd }) => [
          credits,
          count,
          provider_cost_usd,
        ]),
      )
      await page.getByRole('button', { name: 'Sign out' }).click()
    }
    expectQuiet()
    await close()

    /** Expects that the page shows these numbers, with thousands separators. */
    async function expectShown(place: string, wanted: readonly (string | undefined)[]): Promise<void> {
      for (const amount of wanted) expect(amount, place).toMatch(/^-?\d/)
      const missing = async () => {
        const shown = await page.locator('.amount').allTextContents()
        const texts = new Set(shown.map((text) => text.replace(/^\+/, '').replace(/ (credits|USD)$/, '')))
        return wanted.map((amount) => grouped(amountOf(amount))).filter((amount) => !texts.has(amount))
      }
      const text = () => page.locator('main').textContent()
      await expect
        .poll(missing, { message: `${place}, seed ${seed}: ${await text()}`, timeout: 10_000 })
        .toEqual([])
    }
  })
})

const seed = Number(process.env.FC_SEED ?? Date.now() % 1_000_000)

function amountOf(text: string | undefined) {
  return (text ?? '') as Parameters<typeof grouped>[0]
}

/** Ignores the API's refusal of an amount, because a wallet holds at most 8e9 credits. Throws every other error. */
function tooMuch(error: Error): void {
  if (!/returned (400|409)/.test(error.message)) throw error
}
