import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import {
  api,
  describeInBrowser,
  goTo,
  newCustomer,
  openDashboard,
  picture,
  rowsOf,
  useBrowser,
} from './support/browser.ts'
import { atStripe, buy, report, STRIPE_PAGES } from './support/checkout.ts'

useBrowser()

describeInBrowser('payments', () => {
  it('sell a pack at Stripe, and charge the saved card when the wallet runs low', async () => {
    const { api_key: key } = await newCustomer()
    // The API returns 404 for a wallet without an automatic top-up.
    const options = { expected: [404], leads_to: STRIPE_PAGES, at: '/payments' }
    const { page, expectQuiet, close } = await openDashboard({ credential: key, ...options })
    await page.getByText('No pack yet').waitFor()
    await page.getByText('No payment yet').waitFor()
    await page.getByText('No automatic top-up').waitFor()

    const create = page.getByRole('form', { name: 'Create a pack' })
    await create.getByLabel('Name').fill('A bit more than 1,234')
    await create.getByLabel('Credits', { exact: true }).fill('1234.000001')
    await create.getByLabel('Price (USD)').fill('12.5')
    await create.getByLabel('Days that the credits last').fill('365')
    await create.getByRole('button', { name: 'Create' }).click()
    const pack = page.getByRole('row', { name: /1,234\.000001.*12\.5 USD.*365 days/ })
    await pack.getByRole('button', { name: /^Change/ }).click()
    const change = page.getByRole('form', { name: 'Change a pack' })
    await change.getByLabel('Price (USD)').fill('13.75')
    await change.getByLabel('Days that the credits last').fill('')
    await change.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('row', { name: /1,234\.000001.*13\.75 USD.*forever/ }).waitFor()
    const stored = rowsOf(await api('GET', '/v1/credit-packs', { key }))
    expect(stored).toMatchObject([{ credits: '1234.000001', price_usd: '13.75', expires_in_days: null }])

    // The balance is already below the threshold, so the saved card is charged immediately. The limit allows one
    // charge.
    const rule = page.getByRole('form', { name: 'Set the automatic top-up' })
    await rule.getByLabel('When fewer credits').fill('20000.5')
    await rule.getByLabel('Credits to add').fill('500.25')
    await rule.getByLabel('Price (USD)').fill('5.25')
    await rule.getByLabel('Maximum amount in a month').fill('5.25')
    await rule.getByRole('button', { name: 'Set' }).click()
    await page.getByText(/^No card is saved/).waitFor()
    await expectFigures(page, { State: 'paused', 'Spent this month': '0 USD' })

    const checkout = page.getByRole('form', { name: 'Open a checkout' })
    await checkout.getByLabel('Sells').selectOption({ label: 'the pack A bit more than 1,234 for 13.75 USD' })
    await checkout.getByLabel('save the card').check()
    const { success_url, event } = await atStripe(page, { pays: true })
    await page.goto(success_url)
    await page.getByText(/^Stripe has sent you back/).waitFor()
    const payments = page.getByRole('region', { name: 'Payments' })
    await payments.getByRole('row', { name: /checkout account 1,234\.000001 13\.75 USD pending/ }).waitFor()

    await report(event)
    await payments.getByRole('row', { name: /checkout account 1,234\.000001 13\.75 USD succeeded/ }).waitFor()
    const receipt = payments.getByRole('link', { name: /^Receipt/ }).first()
    expect(await receipt.getAttribute('href')).toMatch(/^https:\/\/pay\.stripe\.com\/receipts\//)
    expect(await receipt.getAttribute('rel')).toContain('noopener')

    const topUp = page.getByRole('region', { name: 'Automatic top-up of the wallet' })
    await expect
      .poll(
        async () => {
          await topUp.getByRole('button', { name: 'Refresh' }).click()
          return topUp.getByRole('region', { name: 'Spent this month' }).textContent()
        },
        { timeout: 15_000 },
      )
      .toContain('5.25 USD')
    await topUp.getByText(/^The limit of this month is reached/).waitFor()
    await topUp.getByText(/^last charge .*: succeeded$/).waitFor()
    await payments.getByRole('button', { name: 'Refresh' }).click()
    await payments.getByRole('row', { name: /top-up account 500\.25 5\.25 USD succeeded/ }).waitFor()
    await picture(page, 'payments')

    await goTo(page, '/credits')
    await page.getByRole('region', { name: 'Balance' }).getByText('11,734.250001').waitFor()

    await goTo(page, '/payments')
    await topUp.getByRole('button', { name: /^Delete/ }).click()
    await topUp.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByText('No automatic top-up').waitFor()
    const packs = page.getByRole('region', { name: 'Credit packs' })
    await packs.getByRole('button', { name: /^Delete/ }).click()
    await packs.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByText('No pack yet').waitFor()
    expect(rowsOf(await api('GET', '/v1/credit-packs', { key }))).toEqual([])
    expectQuiet()
    await close()
  })

  it('of an amount for a user wait until they are paid, and show the reason of a refusal', async () => {
    const { api_key: key } = await newCustomer()
    const options = { expected: [400, 404], leads_to: STRIPE_PAGES, at: '/payments' }
    const { page, expectQuiet, close } = await openDashboard({ credential: key, ...options })
    const checkout = page.getByRole('form', { name: 'Open a checkout' })
    await checkout.getByLabel('Credits', { exact: true }).fill('7.000001')
    await checkout.getByLabel('Price (USD)').fill('0.49')
    await checkout.getByLabel('Credits go to').selectOption('user_id')
    await checkout.getByLabel("The user's id").fill('ada & co')
    await checkout.getByLabel('save the card').check()
    await checkout.getByRole('button', { name: 'Continue to Stripe' }).click()
    await checkout
      .getByRole('alert')
      .getByText(/price_usd/)
      .waitFor()
    expect(rowsOf(await api('GET', '/v1/payments', { key }))).toEqual([])

    await checkout.getByLabel('Price (USD)').fill('0.50')
    const { cancel_url } = await atStripe(page, { pays: false })
    const left = page.url()
    await page.goto(cancel_url)
    await page.getByText(/^The checkout was left without a payment/).waitFor()
    const row = page.getByRole('row', { name: /checkout user ada & co 7\.000001 0\.5 USD pending/ })
    expect(await row.getByRole('link', { name: /^Pay/ }).getAttribute('href')).toBe(left)
    const wallet = await row.getByRole('link', { name: 'user ada & co' }).getAttribute('href')
    expect(wallet).toBe('#/credits?user_id=ada+%26+co')

    await report((await buy({ url: left, pays: true, card: 'declined' })).event)
    await goTo(page, `/payments?user_id=${encodeURIComponent('ada & co')}`)
    await page.getByText('No automatic top-up').waitFor()
    const rule = { below: '8', credits: '1.5', price_usd: '0.75', max_usd_per_month: '9' }
    await api('PUT', '/v1/credits/auto-top-up?user_id=ada%20%26%20co', { key, body: rule })
    const topUp = page.getByRole('region', { name: 'Automatic top-up of the wallet' })
    await expect
      .poll(
        async () => {
          await topUp.getByRole('button', { name: 'Refresh' }).click()
          return topUp.textContent()
        },
        { timeout: 15_000 },
      )
      .toMatch(/last charge .*: failed\. Your card was declined\. insufficient_funds/)
    await expectFigures(page, { State: 'active', 'Spent this month': '0 USD' })
    expect(await topUp.getByLabel('Credits to add').inputValue()).toBe('1.5')
    await page.getByRole('region', { name: 'Payments' }).getByRole('button', { name: 'Refresh' }).click()
    await page
      .getByRole('row', { name: /top-up user ada & co 1\.5 0\.75 USD failed Your card was declined/ })
      .waitFor()
    expectQuiet()
    await close()
  })

  it('state what is missing where Stripe is not set up', async () => {
    const { api_key: owner } = await newCustomer()
    const made = await api('POST', '/v1/api-keys', { key: owner, body: { name: 'Test', mode: 'test' } })
    const options = { expected: [503], at: '/payments' }
    const { page, expectQuiet, close } = await openDashboard({
      credential: Object(made).api_key,
      ...options,
    })
    const text = page.getByRole('region', { name: 'Payments are not set up' })
    await text.getByText('STRIPE_TEST_SECRET_KEY').waitFor()
    expect(await page.getByRole('form').count()).toBe(0)
    expectQuiet()
    await close()
  })
})

async function expectFigures(page: Page, figures: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(figures)) {
    await page.getByRole('region', { name, exact: true }).getByText(text).first().waitFor()
  }
}
