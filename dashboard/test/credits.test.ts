import { expect, it } from 'vitest'
import {
  api,
  describeInBrowser,
  goTo,
  newCustomer,
  openDashboard,
  rowsOf,
  useBrowser,
} from './support/browser.ts'

useBrowser()

describeInBrowser('credits', () => {
  it('are granted and purchased, and the lots are in burn order', async () => {
    const { api_key: key } = await newCustomer()
    const { page, expectQuiet, close } = await openDashboard({ credential: key })
    await goTo(page, '/credits')
    const grant = page.getByRole('form', { name: 'Grant credits' })
    await grant.getByLabel('Credits').fill('123.000001')
    await grant.getByLabel('Reason').fill('Thank you')
    await grant.getByLabel('Priority').fill('10')
    await grant.getByRole('button', { name: 'Grant' }).click()
    await page.getByText('10,123.000001').first().waitFor()
    const purchase = page.getByRole('form', { name: 'Record a purchase' })
    await purchase.getByLabel('Credits').fill('0.5')
    await purchase.getByLabel('Price (USD)').fill('0.01')
    await purchase.getByLabel('Payment reference').fill('inv_1')
    await purchase.getByRole('button', { name: 'Record' }).click()
    await page.getByText('10,123.500001').first().waitFor()

    const lots = rowsOf(await api('GET', '/v1/credits/lots', { key }))
    const table = page.getByRole('table', { name: 'Open lots in burn order' })
    await table.getByRole('row').nth(lots.length).waitFor()
    const shown = await table.locator('tbody tr td:first-child').allTextContents()
    expect(shown).toEqual(lots.map(({ lot_id, kind }) => `${lot_id} (${kind})`))
    expect(lots[0]).toMatchObject({ amount: '123.000001', priority: '10' })
    const transactions = page.getByRole('table', { name: 'Transactions' })
    await transactions.getByText('Thank you').waitFor()
    await transactions.getByText('inv_1').waitFor()
    expectQuiet()
    await close()
  })

  it('are of the named wallet, and a refused change shows the reason', async () => {
    const { api_key: key } = await newCustomer()
    await api('POST', '/v1/credits/grant', { key, body: { amount: 5, user_id: 'ada' } })
    const { page, expectQuiet, close } = await openDashboard({ credential: key, expected: [400, 404] })
    await goTo(page, '/credits?user_id=ada')
    await page.getByRole('region', { name: 'Balance' }).getByText('5 credits').waitFor()
    const grant = page.getByRole('form', { name: 'Grant credits' })
    await grant.getByLabel('Credits').fill('0.0000001')
    await grant.getByRole('button', { name: 'Grant' }).click()
    await grant
      .getByRole('alert')
      .getByText(/amount/)
      .waitFor()
    await goTo(page, '/credits?user_id=nobody')
    await page.getByRole('alert').first().waitFor()
    expectQuiet()
    await close()
  })
})
