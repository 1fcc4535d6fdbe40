import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import type { AxeResults } from 'axe-core'
import { type Browser, chromium, type Download, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject } from 'vitest'
import { parseExact } from '../../../widgets/src/exact.ts'

const shared = inject('dashboard')

/** The URL of the server under test. */
export const URL_OF_SERVER = shared?.url ?? ''
export const OPERATOR_TOKEN = 'dev-operator-token'

export const describeInBrowser = describe.skipIf(shared === null)

let browser: Browser | undefined

/** Connects a test file to the browser that all files share. */
export function useBrowser(): void {
  beforeAll(async () => {
    if (shared) browser = await chromium.connect(shared.browser)
  })
  afterAll(() => browser?.close())
}

export interface Opened {
  readonly page: Page
  /** Fails if the page logged an error, violated its content security policy, or sent a request to another origin. */
  readonly expectQuiet: () => void
  readonly close: () => Promise<void>
}

interface OpenOptions {
  /** The key or token with which the page signs in. */
  readonly credential?: string
  readonly width?: number
  readonly colours?: 'light' | 'dark'
  /** The fragment of the URL, such as `/usage`. */
  readonly at?: string
  /** The statuses of failed requests that the test causes. The browser logs each of these requests. */
  readonly expected?: readonly number[]
  /** Another origin to which the page may navigate. */
  readonly leads_to?: string
}

/** The time limit of a wait, in milliseconds. It is long, because the machine can be busy. */
const PATIENCE_MS = 15_000

/** Opens the dashboard in a separate browser context, and signs in if there is a credential. */
export async function openDashboard({
  credential,
  width = 1440,
  colours = 'light',
  at = '/',
  expected = [],
  leads_to,
}: OpenOptions = {}): Promise<Opened> {
  if (!browser) throw new Error('useBrowser() was not called')
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: colours,
    reducedMotion: 'reduce',
    locale: 'en-GB',
    timezoneId: 'UTC',
  })
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE_MS)
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('dialog', (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('console', (message) => {
    const text = message.text()
    const is_expected = expected.some((status) => text.includes(`status of ${status}`))
    if (message.type() === 'error' && !is_expected) faults.push(text)
  })
  page.on('request', (request) => {
    const { origin } = new URL(request.url())
    const is_led = origin === leads_to && request.isNavigationRequest()
    if (origin !== URL_OF_SERVER && !is_led) faults.push(`a request to ${request.url()}`)
  })
  await page.goto(`${URL_OF_SERVER}/dashboard/`)
  if (credential !== undefined) {
    await signIn(page, credential)
    await goTo(page, at)
  }
  return {
    page,
    expectQuiet: () => expect(faults).toEqual([]),
    close: () => context.close(),
  }
}

export async function signIn(page: Page, credential: string): Promise<void> {
  await page.getByLabel('API key or operator token').fill(credential)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.locator('main#main').waitFor()
  await loaded(page)
}

/** Opens a page of the dashboard and waits until all of it has loaded. */
export async function goTo(page: Page, at: string): Promise<void> {
  await page.evaluate((fragment) => {
    location.hash = fragment
  }, at)
  await page.waitForFunction(
    (path) => document.querySelector('main')?.dataset.path === path,
    at.split('?')[0] ?? at,
  )
  await loaded(page)
}

export async function loaded(page: Page): Promise<void> {
  const isLoaded = () => document.querySelector('h1') !== null && document.querySelector('.loading') === null
  await page.waitForFunction(isLoaded).catch(async (error: unknown) => {
    const shown = await page.locator('body').textContent()
    throw new Error(`${page.url()} does not end to load, and shows: ${shown}`, { cause: error })
  })
}

/** The widths and themes that every page must support. */
export const LOOKS = [
  { width: 1440, colours: 'light' },
  { width: 1440, colours: 'dark' },
  { width: 360, colours: 'light' },
  { width: 360, colours: 'dark' },
] as const

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Returns the violations of WCAG and of good practice on a page, one line for each. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  const results = (await page.evaluate('axe.run()')) as AxeResults
  return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

/** Fails if the page is wider than its window and therefore scrolls sideways. */
export async function expectFits(page: Page, place = ''): Promise<void> {
  const excess = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
  expect.soft(excess, `pixels beyond the window ${place}`).toBeLessThanOrEqual(0)
}

const SCREENSHOTS = path.join(import.meta.dirname, '../../../docs/dashboard')

/**
 * Writes a screenshot for the guide if `SCREENSHOTS=1` is set. Otherwise writes nothing, so that a test run changes no
 * files.
 */
export async function picture(page: Page, name: string): Promise<void> {
  if (process.env.SCREENSHOTS === undefined) return
  mkdirSync(SCREENSHOTS, { recursive: true })
  await page.setViewportSize({ width: 1000, height: 720 })
  await page.evaluate(() => window.scrollTo(0, 0))
  await page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`) })
}

export interface Customer {
  readonly customer_id: string
  readonly api_key: string
  readonly email: string
}

let made = 0

export async function newCustomer(
  given: { readonly name?: string; readonly email?: string; readonly tier?: string } = {},
): Promise<Customer> {
  made += 1
  const email = `dashboard-${process.pid}-${Date.now()}-${made}@example.com`
  const body = { name: 'A customer', email, tier: 'ENTERPRISE', ...given }
  const registered = await api('POST', '/v1/customers/register', { key: OPERATOR_TOKEN, body })
  return { ...Object(registered), email: body.email }
}

/** Returns the text of a file that the page saved. */
export async function textOf(download: Download): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of await download.createReadStream()) parts.push(part)
  return Buffer.concat(parts).toString()
}

/** Returns the rows in a response that is a list. */
export function rowsOf(answer: unknown): readonly Readonly<Record<string, string>>[] {
  return Object(answer).data
}

interface ApiOptions {
  readonly key: string
  readonly body?: object
}

/**
 * Calls the API in the same way as a client with a key. Numbers in the response are returned as their digits. Throws
 * if the API refuses the request.
 */
export async function api(method: string, place: string, { key, body }: ApiOptions): Promise<unknown> {
  const response = await fetch(URL_OF_SERVER + place, {
    method,
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${place} returned ${response.status}: ${text}`)
  return text === '' ? undefined : parseExact(text)
}
