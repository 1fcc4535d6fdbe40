import { expect, it } from 'vitest'
import { CUSTOMER_PAGES, OPERATOR_PAGES, type Section } from '../src/shell/navigation.ts'
import {
  api,
  describeInBrowser,
  expectFits,
  goTo,
  LOOKS,
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

/** Every page, with the texts of a hostile customer in it, in each theme and width. */
describeInBrowser('every page is accessible, fits, and runs nothing of the texts that it shows', () => {
  it('the sign-in', () => expectGoodPages(undefined, ['']))

  it("a customer's", async () => {
    const { api_key } = await hostileCustomer()
    const [event] = rowsOf(await api('GET', '/v1/events?unrated=false', { key: api_key }))
    const details = [
      `/events?event=${event?.id}`,
      '/usage?group_by=user,model',
      '/usage?group_by=day,feature',
    ]
    await expectGoodPages(api_key, [...pathsOf(CUSTOMER_PAGES), ...details])
  })

  it("the operator's", async () => {
    const { customer_id } = await hostileCustomer()
    await expectGoodPages(OPERATOR_TOKEN, [...pathsOf(OPERATOR_PAGES), `/customers/${customer_id}`])
  })
})

async function expectGoodPages(credential: string | undefined, paths: readonly string[]): Promise<void> {
  const { page, expectQuiet, close } = await openDashboard(credential === undefined ? {} : { credential })
  for (const path of paths) {
    if (path !== '') await goTo(page, path)
    for (const { width, colours } of LOOKS) {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ colorScheme: colours })
      const place = `${path} at ${width} pixels, ${colours}`
      expect.soft(await violations(page), place).toEqual([])
      await expectFits(page, place)
    }
    expect(await page.evaluate((mark) => mark in window, MARKS.global), path).toBe(false)
    expect(await page.locator(`[data-${MARKS.element}]`).count(), path).toBe(0)
    expect(await page.locator('a[href^="javascript:"]').count(), path).toBe(0)
  }
  expectQuiet()
  await close()
}
