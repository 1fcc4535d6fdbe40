import { expect, it } from 'vitest'
import { CUSTOMER_PAGES, OPERATOR_PAGES, type Section } from '../src/shell/navigation.ts'
import {
  describeInBrowser,
  expectFits,
  goTo,
  OPERATOR_TOKEN,
  openDashboard,
  useBrowser,
  violations,
} from './support/browser.ts'
import { hostileCustomer, MARKS } from './support/hostile.ts'

useBrowser()

const pathsOf = (sections: readonly Section[]) =>
  sections.flatMap(({ pages }) => pages.map(({ path }) => path)).filter((path) => !path.includes(':'))

const LOOKS = [
  { width: 1440, colours: 'light' },
  { width: 1440, colours: 'dark' },
  { width: 360, colours: 'light' },
  { width: 360, colours: 'dark' },
] as const

/** Every page, with the texts of a hostile customer in it. */
describeInBrowser.each(LOOKS)('at $width pixels, $colours', (look) => {
  it('the sign-in is accessible', async () => {
    const { page, expectQuiet, close } = await openDashboard(look)
    await page.getByRole('heading', { name: 'OpenMonetize Edge' }).waitFor()
    expect(await violations(page)).toEqual([])
    await expectFits(page)
    expectQuiet()
    await close()
  })

  it("every page of a customer is accessible, fits, and runs nothing of the customer's texts", async () => {
    const customer = await hostileCustomer()
    await expectGoodPages(customer.api_key, pathsOf(CUSTOMER_PAGES))
  })

  it("every page of the operator is accessible, fits, and runs nothing of the customers' texts", async () => {
    await hostileCustomer()
    await expectGoodPages(OPERATOR_TOKEN, pathsOf(OPERATOR_PAGES))
  })

  async function expectGoodPages(credential: string, paths: readonly string[]): Promise<void> {
    const { page, expectQuiet, close } = await openDashboard({ ...look, credential })
    for (const path of paths) {
      await goTo(page, path)
      expect(await violations(page), path).toEqual([])
      await expectFits(page)
      expect(await page.evaluate((mark) => mark in window, MARKS.global), path).toBe(false)
      expect(await page.locator(`[data-${MARKS.element}]`).count(), path).toBe(0)
    }
    expectQuiet()
    await close()
  }
})
