import { expect, it } from 'vitest'
import { CUSTOMER_PAGES, OPERATOR_PAGES, type Section } from '../src/shell/navigation.ts'
import {
  api,
  describeInBrowser,
  expectFits,
  goTo,
  LOOKS,
  loaded,
  OPERATOR_TOKEN,
  openDashboard,
  rowsOf,
  useBrowser,
  violations,
} from './support/browser.ts'
import { hostileCustomer, MARKS } from './support/hostile.ts'

useBrowser()

const pathsOf = (sections: readonly Section[]) =>
  sections.flatMap(({ pages }) => pages.map(({ path }) => path)).filter((path) => !path.includes(':'))

/** Tests of every page with the texts of a hostile customer, in each theme and width. */
describeInBrowser('is accessible, fits, and runs nothing of the texts that it shows:', () => {
  it('the sign-in', () => expectGoodPage(undefined, ''))

  it.each([...pathsOf(CUSTOMER_PAGES), '/usage?group_by=user,model', '/usage?group_by=day,feature'])(
    'the page %s of a customer',
    async (path) => expectGoodPage((await hostileCustomer()).api_key, path),
  )

  it('the explanation of an event', async () => {
    const { api_key } = await hostileCustomer()
    const [event] = rowsOf(await api('GET', '/v1/events?unrated=false', { key: api_key }))
    await expectGoodPage(api_key, `/events?event=${event?.id}`)
  })

  it.each(pathsOf(OPERATOR_PAGES))('the page %s of the operator', async (path) => {
    await hostileCustomer()
    await expectGoodPage(OPERATOR_TOKEN, path)
  })

  it("the operator's page of a customer", async () => {
    const { customer_id } = await hostileCustomer()
    await expectGoodPage(OPERATOR_TOKEN, `/customers/${customer_id}`)
  })
})

async function expectGoodPage(credential: string | undefined, path: string): Promise<void> {
  const { page, expectQuiet, close } = await openDashboard(credential === undefined ? {} : { credential })
  if (path === '') await loaded(page)
  else await goTo(page, path)
  for (const { width, colours } of LOOKS) {
    await page.setViewportSize({ width, height: 900 })
    await page.emulateMedia({ colorScheme: colours })
    const place = `at ${width} pixels, ${colours}`
    expect.soft(await violations(page), place).toEqual([])
    await expectFits(page, place)
  }
  expect(await page.evaluate((mark) => mark in window, MARKS.global)).toBe(false)
  expect(await page.locator(`[data-${MARKS.element}]`).count()).toBe(0)
  expect(await page.locator('a[href^="javascript:"]').count()).toBe(0)
  expectQuiet()
  await close()
}
