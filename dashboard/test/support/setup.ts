import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { chromium } from 'playwright-core'
import type { TestProject } from 'vitest/node'
import { npmStart } from '../../../test/support/npm-start.ts'
import { serveStripe } from '../../../test/support/stripe-server.ts'
import { serveBuyer } from './buyer.ts'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'

/**
 * The shared parts of the dashboard's tests: one server of `npm start`, one browser, and a scripted Stripe with its
 * buyer.
 */
export interface Shared {
  readonly url: string
  readonly browser: string
  readonly buyer: string
}

/**
 * Starts the shared parts. If Chromium is not installed, starts nothing and prints a warning, and the browser tests are
 * skipped.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (!existsSync(CHROMIUM)) {
    console.warn(
      `No Chromium at ${CHROMIUM}: the tests of the dashboard are skipped. Set CHROMIUM to the path of a Chromium.`,
    )
    project.provide('dashboard', null)
    return async () => undefined
  }
  const state = mkdtempSync(path.join(tmpdir(), 'openmonetize-dashboard-'))
  const stripe = await serveStripe()
  const buyer = await serveBuyer(stripe.stripe)
  // The delays are short, because analytics wait for the flush. Ledgers in test mode have no Stripe account.
  const VARS = `FLUSH_DELAY_MS=100 NOTIFICATION_DELAY_MS=50 STRIPE_API_URL=${stripe.url} STRIPE_TEST_SECRET_KEY=`
  const [server, browser] = await Promise.all([
    npmStart({ state, env: { VARS } }),
    chromium.launchServer({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] }),
  ])
  project.provide('dashboard', { url: server.url, browser: browser.wsEndpoint(), buyer: buyer.url })
  return async () => {
    await browser.close()
    await server.stop()
    buyer.close()
    stripe.close()
    rmSync(state, { recursive: true, force: true })
  }
}

declare module 'vitest' {
  interface ProvidedContext {
    /** The shared parts; null if Chromium is not installed. */
    readonly dashboard: Shared | null
  }
}
