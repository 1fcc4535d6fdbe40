import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { AxeResults } from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright-core'
import { build, type PreviewServer, preview } from 'vite'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { freePort } from '../../../scripts/local-server.ts'
import { npmStart, type StartedServer } from '../../../test/support/npm-start.ts'
import { type StripeServer, serveStripe } from '../../../test/support/stripe-server.ts'
import { type Json, objectOf, parseExact, textOf } from '../../src/exact.ts'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const EXAMPLE = path.join(import.meta.dirname, '../../../examples/widgets')
const OPERATOR_TOKEN = 'dev-operator-token'

if (!existsSync(CHROMIUM)) {
  console.warn(
    `No Chromium at ${CHROMIUM}: the tests of the widgets are skipped. Set CHROMIUM to the path of a Chromium.`,
  )
}
export const describeInBrowser = describe.skipIf(!existsSync(CHROMIUM))

/** The shared parts of the tests: the API with a customer, the scripted Stripe, and a browser. */
export interface World {
  readonly meter: string
  readonly api_key: string
  readonly stripe: StripeServer
  readonly browser: Browser
}

let world: World | undefined
const opened: (() => unknown)[] = []

/** Starts the shared parts before the tests of a file. Returns a function that returns them. */
export function useWorld(): () => World {
  beforeAll(async () => {
    if (!existsSync(CHROMIUM)) return
    const state = mkdtempSync(path.join(tmpdir(), 'openmonetize-widgets-'))
    const stripe = await serveStripe()
    opened.push(() => rmSync(state, { recursive: true, force: true }), stripe.close)
    const server = await npmStart({
      state,
      // Analytics are delayed by the flush and the queue.
      env: { VARS: `FLUSH_DELAY_MS=100 STRIPE_API_URL=${stripe.url}` },
    })
    opened.push(() => server.stop())
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu'],
    })
    opened.push(() => browser.close())
    world = { ...(await newCustomer(server)), stripe, browser }
  }, 180_000)
  afterAll(async () => {
    for (const close of opened.splice(0).reverse()) await close()
  })
  return () => {
    if (!world) throw new Error('useWorld() was not called')
    return world
  }
}

let made = 0

async function newCustomer({ url }: StartedServer) {
  const email = `widgets-${process.pid}-${++made}@example.com`
  const body = { name: 'A customer', email, tier: 'ENTERPRISE' }
  const registered = objectOf(await ask(url, 'POST', '/v1/customers/register', OPERATOR_TOKEN, body))
  const owner = textOf(registered.api_key)
  const key = objectOf(await ask(url, 'POST', '/v1/api-keys', owner, { name: 'Pages' }))
  return { meter: url, api_key: textOf(key.api_key) }
}

/** Calls the API. Numbers in the response are returned as their digits. Throws if the API refuses the request. */
export async function ask(
  meter: string,
  method: string,
  place: string,
  key: string,
  body?: object,
): Promise<Json> {
  const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }
  const response = await fetch(meter + place, {
    method,
    headers,
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${place} returned ${response.status}: ${text}`)
  return text === '' ? null : parseExact(text)
}

export interface SiteServer {
  readonly origin: string
  close(): Promise<void>
}

interface SiteOptions {
  readonly token_seconds?: number
  /** The origin for which the portal tokens are valid. Default: the origin of the site. */
  readonly token_origin?: string
  readonly api_key?: string
}

/** Builds the example pages and serves them on a separate port, with their backend. */
export async function serveSite({ meter, api_key }: World, options: SiteOptions = {}): Promise<SiteServer> {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const outDir = mkdtempSync(path.join(tmpdir(), 'openmonetize-pages-'))
  const environment = {
    VITE_METER: meter,
    OPENMONETIZE_API_KEY: options.api_key ?? api_key,
    ORIGIN: options.token_origin ?? origin,
    TOKEN_SECONDS: String(options.token_seconds ?? 900),
    PORT: String(port),
  }
  Object.assign(process.env, environment)
  const config = { configFile: path.join(EXAMPLE, 'vite.config.ts'), logLevel: 'warn' as const }
  await build({ ...config, build: { outDir, emptyOutDir: true } })
  const server: PreviewServer = await preview({ ...config, build: { outDir } })
  return {
    origin,
    async close() {
      await server.close()
      rmSync(outDir, { recursive: true, force: true })
    },
  }
}

interface Look {
  readonly width?: number
  readonly colours?: 'light' | 'dark'
  readonly user?: string
  readonly locale?: string
  readonly zone?: string
}

export interface OpenedPage {
  readonly page: Page
  /** The paths of the requests to the API, in order. */
  readonly asked: string[]
  /** The errors of the page, blocked resources, and requests to origins other than the site and the API. */
  readonly faults: string[]
  close(): Promise<void>
}

/** Opens a page of a site in a separate browser context. */
export async function openPage(
  { browser, meter }: World,
  url: string,
  { width = 1440, colours = 'light', user = 'ada', locale = 'en-GB', zone = 'UTC' }: Look = {},
): Promise<OpenedPage> {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: colours,
    locale,
    timezoneId: zone,
  })
  const { origin } = new URL(url)
  await context.addCookies([{ name: 'user', value: user, url: origin }])
  const page = await context.newPage()
  const asked: string[] = []
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text())
  })
  page.on('dialog', (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    const { origin: to, pathname } = new URL(request.url())
    if (to === meter && pathname.startsWith('/v1/') && request.method() !== 'OPTIONS') asked.push(pathname)
    if (![origin, meter].includes(to) && !request.isNavigationRequest()) faults.push(`a request to ${to}`)
  })
  await page.goto(url)
  return { page, asked, faults, close: () => context.close() }
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Returns the violations of WCAG and of good practice on a page, one line for each. */
export async function violations(page: Page): Promise<string[]> {
  // Runs the script through the debugger, because the content security policy of the page would block it.
  await page.evaluate(axe)
  const results = (await page.evaluate('axe.run()')) as AxeResults
  return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

/** Fails if the page is wider than its window and therefore scrolls sideways. */
export async function expectFits(page: Page): Promise<void> {
  const excess = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
  expect(excess, 'pixels beyond the window').toBeLessThanOrEqual(0)
}

/** Returns a shown number as the API writes it, without thousands separators. */
export function digitsOf(text: string | null): string {
  return (text ?? '').replace(/[^\d.-]/g, '')
}

const SCREENSHOTS = process.env.WIDGET_SCREENSHOTS

/** Writes a screenshot into the folder `WIDGET_SCREENSHOTS`, if the variable is set. */
export async function picture(page: Page, name: string): Promise<void> {
  if (SCREENSHOTS !== undefined)
    await page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`), fullPage: true })
}
