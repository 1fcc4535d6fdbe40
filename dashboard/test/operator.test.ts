import { expect, it } from 'vitest'
import {
  api,
  describeInBrowser,
  goTo,
  newCustomer,
  OPERATOR_TOKEN,
  openDashboard,
  picture,
  useBrowser,
} from './support/browser.ts'

useBrowser()

describeInBrowser('the operator', () => {
  it('finds a customer by email, suspends it, and sees the change in the audit log', async () => {
    const customer = await newCustomer({ name: 'Suspicious Ltd' })
    const own = await openDashboard({ credential: customer.api_key, at: '/credits', expected: [403] })
    const { page, expectQuiet, close } = await openDashboard({ credential: OPERATOR_TOKEN })
    await page.getByLabel('Email').fill(customer.email)
    await page.getByLabel('Email').blur()
    const row = page.getByRole('row', { name: /Suspicious Ltd/ })
    await row.getByRole('link').click()
    await page.getByRole('heading', { name: 'Suspicious Ltd', level: 1 }).waitFor()
    const form = page.getByRole('form', { name: 'Change the account' })
    await form.getByLabel('Status').selectOption('SUSPENDED')
    await form.getByRole('button', { name: 'Change' }).click()
    await page.getByRole('cell', { name: 'customers.change' }).waitFor()
    await picture(page, 'customer')
    const stored = Object(
      await api('GET', `/v1/admin/customers/${customer.customer_id}`, { key: OPERATOR_TOKEN }),
    )
    expect(stored.status).toBe('SUSPENDED')

    // The open session of the suspended customer can still read, but not write.
    const grant = own.page.getByRole('form', { name: 'Grant credits' })
    await grant.getByLabel('Credits').fill('5')
    await grant.getByRole('button', { name: 'Grant' }).click()
    await grant.getByRole('alert').getByText('customer_suspended').waitFor()
    await own.page.reload()
    await own.page.getByText('suspended: read only').waitFor()
    await own.page.getByRole('region', { name: 'Balance' }).getByText('10,000').waitFor()

    await page.getByRole('button', { name: 'Reconcile' }).click()
    await page.getByRole('status').getByText(customer.customer_id).waitFor()
    for (const opened of [own.expectQuiet, expectQuiet]) opened()
    await own.close()
    await close()
  })

  it('sees the lag of every part, and the price feed', async () => {
    const { page, expectQuiet, close } = await openDashboard({ credential: OPERATOR_TOKEN })
    await goTo(page, '/health')
    await page.getByRole('region', { name: 'Flush lag' }).getByText('seconds').waitFor()
    await page.getByText('Every usage message was counted.').waitFor()
    await page.getByRole('button', { name: 'Replay all' }).click()
    await page.getByText('0 replayed, 0 failed.').waitFor()
    await picture(page, 'health')
    await goTo(page, '/prices')
    await page.getByText('The feed is off.').waitFor()
    await page.getByRole('button', { name: 'Rate them now' }).click()
    await page.getByText(/events without a price examined/).waitFor()
    await goTo(page, '/audit')
    await page.getByRole('cell', { name: 'admin.rerate' }).first().waitFor()
    expectQuiet()
    await close()
  })

  it('has pages that no API key can open', async () => {
    const { api_key, customer_id } = await newCustomer()
    const { page, close } = await openDashboard({ credential: api_key, expected: [403] })
    await goTo(page, `/customers/${customer_id}`)
    await page.getByText('There is no such page').waitFor()
    const status = await page.evaluate(async () => (await fetch('/dashboard/api/v1/admin/stats')).status)
    expect(status).toBe(403)
    await close()
  })
})
