import type { Page } from 'playwright-core'
import { expect, inject } from 'vitest'
import { URL_OF_SERVER } from './browser.ts'
import type { Visit, Wish } from './buyer.ts'

export const STRIPE_PAGES = 'https://checkout.stripe.com'

/** Submits the checkout form, and acts as the buyer on the page of Stripe. */
export async function atStripe(page: Page, { pays }: Pick<Wish, 'pays'>): Promise<Visit> {
  await page.route(`${STRIPE_PAGES}/**`, (route) =>
    route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Pay</title>' }),
  )
  await page.getByRole('button', { name: 'Continue to Stripe' }).click()
  await page.waitForURL(`${STRIPE_PAGES}/**`)
  return buy({ url: page.url(), pays })
}

/** Acts as the buyer on a page of Stripe. */
export async function buy(wish: Wish): Promise<Visit> {
  const answer = await fetch(inject('dashboard')?.buyer ?? '', {
    method: 'POST',
    body: JSON.stringify(wish),
  })
  return (await answer.json()) as Visit
}

/** Sends a webhook event to the server, as Stripe does. */
export async function report(event: Visit['event']): Promise<void> {
  const webhook = `${URL_OF_SERVER}/v1/payments/stripe/webhook`
  expect((await fetch(webhook, { method: 'POST', ...event })).status).toBe(200)
}
