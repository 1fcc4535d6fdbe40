import { createHash } from 'node:crypto'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { listOf, objectOf, parseExact, textOf } from '../src/exact.ts'
import {
  ask,
  describeInBrowser,
  digitsOf,
  expectFits,
  openPage,
  picture,
  type SiteServer,
  serveSite,
  useWorld,
  violations,
} from './support/site.ts'

/** Tests of the example pages in Chromium. The pages and the API have different origins. */

const world = useWorld()
const PAGES = ['html', 'react', 'vue'] as const
const LOOKS = [
  { width: 1440, colours: 'light' },
  { width: 1440, colours: 'dark' },
  { width: 360, colours: 'light' },
  { width: 360, colours: 'dark' },
] as const

/** The time at which the tests start, in milliseconds. */
const STARTED = Date.now()
const GRANTED = '7999999999.123456'
const HOSTILE = `"><img src=x onerror="top.hacked=1"><script>top.hacked=1</script>{price}`

let site: SiteServer

const api = (method: string, place: string, body?: object) =>
  ask(world().meter, method, place, world().api_key, body)

async function packOf(name: string, credits: number | string, price_usd: number, expires_in_days?: number) {
  const days = expires_in_days === undefined ? {} : { expires_in_days }
  return textOf(objectOf(await api('POST', '/v1/credit-packs', { name, credits, price_usd, ...days })).id)
}

/** Returns noon of an earlier day, in UTC. */
function daysAgo(days: number): Date {
  const now = new Date(STARTED)
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() - days, 12))
}

async function use(user_id: string, input_tokens: number, days_ago: number): Promise<void> {
  const timestamp = daysAgo(days_ago).toISOString()
  const event = { event_type: 'TOKEN_USAGE', feature_id: 'chat', provider: 'OPENAI', model: 'gpt-4o' }
  await api('POST', '/v1/events/ingest', { ...event, timestamp, user_id, input_tokens, output_tokens: 17 })
}

/** Waits until the analytics count all events of a user. */
async function counted(user: string, events: string): Promise<string> {
  const totals = async () => {
    const usage = await api('GET', `/v1/analytics/usage?user=${user}`)
    return objectOf(objectOf(usage).totals)
  }
  const isCounted = async () => expect((await totals()).events).toBe(events)
  await vi.waitFor(isCounted, { timeout: 30_000, interval: 200 })
  return textOf((await totals()).credits)
}

async function balance(user: string): Promise<string> {
  return textOf(objectOf(await api('GET', `/v1/credits/balance?user_id=${user}`)).available_balance)
}

const amount = (page: Page, tag: string) => page.locator(`${tag} [part=amount]`)

describeInBrowser('a page with widgets', () => {
  beforeAll(async () => {
    await packOf(HOSTILE, 100, 0.5)
    await packOf('Large', '250000.000001', 1234567.5 / 10, 365)
    await packOf('Small', 1000, 5)
    await api('POST', '/v1/credits/grant', { user_id: 'ada', amount: GRANTED })
    for (let day = 1; day <= 5; day++) await use('ada', 1001 * day, 3 * day)
    await counted('ada', '5')
    site = await serveSite(world())
  }, 120_000)
  afterAll(() => site?.close())

  describe.each(PAGES)('in %s', (name) => {
    it('shows all digits of the API', async () => {
      const { page, faults, close } = await openPage(world(), `${site.origin}/${name}/`)
      await amount(page, 'om-balance').waitFor()
      const shown = await amount(page, 'om-balance').textContent()
      expect(digitsOf(shown)).toBe(await balance('ada'))
      expect(shown).toMatch(/^7,999,999,\d{3}\.\d{5,6}$/)
      await amount(page, 'om-usage').waitFor()
      expect(digitsOf(await amount(page, 'om-usage').textContent())).toBe(await counted('ada', '5'))
      expect(await page.locator('om-top-up li').count()).toBe(3)
      expect(await page.locator('om-top-up').getByText('250,000.000001 credits').count()).toBe(1)
      expect(await page.locator('om-top-up').getByText('Buy for $123,456.75').count()).toBe(1)
      expect(faults).toEqual([])
      await close()
    })

    it.each(LOOKS)('is accessible and fits at $width pixels, $colours', async (look) => {
      const { page, faults, close } = await openPage(world(), `${site.origin}/${name}/`, look)
      await page.locator('om-usage summary').click()
      await page.locator('om-usage table').waitFor()
      await page.locator('om-top-up li').first().waitFor()
      expect(await violations(page)).toEqual([])
      await expectFits(page)
      await picture(page, `${name}-${look.width}-${look.colours}`)
      expect(faults).toEqual([])
      await close()
    })

    it('leads to the payment page and shows the credits that were paid', async () => {
      const user = `buyer-${name}`
      const { page, close } = await openPage(world(), `${site.origin}/${name}/`, { user })
      await page.locator('om-balance .note').getByText('No credits yet.').waitFor()
      await page.route('https://checkout.stripe.com/**', (route) =>
        route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Pay</title>' }),
      )
      await page.getByRole('button', { name: 'Buy for $5.00: Small' }).click()
      await page.waitForURL('https://checkout.stripe.com/**')
      const { stripe } = world().stripe
      const session = stripe.calls.findLast(({ path }) => path === '/v1/checkout/sessions')
      expect(session?.fields.get('success_url')).toBe(`${site.origin}/${name}/`)
      const event = stripe.event('payment_intent.succeeded', stripe.pay(page.url()))
      const webhook = `${world().meter}/v1/payments/stripe/webhook`
      expect((await fetch(webhook, { method: 'POST', ...event })).status).toBe(200)
      await page.goto(session?.fields.get('success_url') ?? '')
      await amount(page, 'om-balance').waitFor()
      expect(await amount(page, 'om-balance').textContent()).toBe('1,000')
      await close()
    })
  })

  it('opens one checkout although its response was lost, and shows the refusals of the API', async () => {
    const { page, close } = await openPage(world(), `${site.origin}/html/`, { user: 'clicker' })
    const { stripe } = world().stripe
    const sessions = () => stripe.calls.filter(({ path }) => path === '/v1/checkout/sessions').length
    const before = sessions()
    const checkout = '**/v1/payments/checkout'
    await page.route(checkout, async (route) => {
      if (route.request().method() === 'POST') await route.fetch()
      await route.abort()
    })
    const button = page.getByRole('button', { name: 'Buy for $5.00: Small' })
    await button.click()
    const error = page.locator('om-top-up [part=error]')
    await error.getByText('cannot be reached').waitFor()
    await page.unroute(checkout)
    await page.evaluate(() => {
      document.addEventListener('om-checkout', (event) => {
        event.preventDefault()
        Reflect.set(window, 'opened', Reflect.get(event, 'detail'))
      })
    })
    await button.press('Enter')
    await page.waitForFunction(() => 'opened' in window)
    expect(sessions()).toBe(before + 1)
    expect(await error.isVisible()).toBe(false)
    await page.locator('om-top-up button[aria-disabled=false]').first().waitFor()
    for (let opened = 1; opened < 10; opened++) {
      await button.click()
      await expect.poll(sessions).toBe(before + 1 + opened)
      await page.locator('om-top-up button[aria-disabled=false]').first().waitFor()
    }
    await button.click()
    await error.getByText('10').waitFor()
    await close()
  })

  it('ends with the key of its token, and states it', async () => {
    const key = objectOf(await api('POST', '/v1/api-keys', { name: 'Short-lived' }))
    const own = await serveSite(world(), { api_key: textOf(key.api_key) })
    const { page, close } = await openPage(world(), `${own.origin}/html/`)
    await amount(page, 'om-balance').waitFor()
    await api('DELETE', `/v1/api-keys/${textOf(key.key_id)}`)
    await page.evaluate(() => document.querySelector('om-balance')?.setAttribute('refresh-seconds', '5'))
    await page.locator('om-balance [part=error]').getByText('This portal token has ended').waitFor()
    expect(await page.locator('om-balance').getByRole('button', { name: 'Try again' }).isVisible()).toBe(true)
    expect(await violations(page)).toEqual([])
    await picture(page, 'error')
    await close()
    await own.close()
  })

  it('gets the widgets of the API, which any page may load and keep', async () => {
    const load = (file: string) =>
      fetch(`${world().meter}/widgets/${file}`, { headers: { Origin: site.origin } })
    const fixed = objectOf(parseExact(await (await load('integrity.json')).text()))
    for (const [name, entry] of Object.entries(fixed)) {
      const { file, integrity } = objectOf(entry)
      const answers = [await load(name), await load(textOf(file))]
      const texts = await Promise.all(answers.map((answer) => answer.text()))
      for (const [index, { status, headers }] of answers.entries()) {
        expect([status, headers.get('Access-Control-Allow-Origin')]).toEqual([200, '*'])
        expect(headers.get('Cross-Origin-Resource-Policy')).toBe('cross-origin')
        expect(headers.get('Content-Type')).toContain('text/javascript')
        const caching = ['max-age=86400, stale-while-revalidate=604800', 'max-age=31536000, immutable'][index]
        expect(headers.get('Cache-Control')).toBe(`public, ${caching}`)
        const hash = createHash('sha384')
          .update(texts[index] ?? '')
          .digest('base64')
        expect(`sha384-${hash}`).toBe(integrity)
      }
    }
    expect(Object.keys(fixed)).toHaveLength(4)
    expect((await load('fixed/om-balance-000000000000.js')).status).toBe(404)
  })

  it('has a table behind the chart, with a row for each day and the numbers of the API', async () => {
    const { page, close } = await openPage(world(), `${site.origin}/html/`)
    await page.locator('om-usage summary').click()
    expect(await page.locator('om-usage tbody tr').count()).toBe(30)
    expect(await page.locator('om-usage rect').count()).toBe(30)
    const usage = objectOf(await api('GET', '/v1/analytics/usage?user=ada&group_by=day'))
    const rows = listOf(usage.data).map(objectOf)
    expect(rows).toHaveLength(5)
    for (const { group, events, credits } of rows) {
      const start = new Date(textOf(objectOf(group).day))
      const name = start.toLocaleDateString('en', { day: 'numeric', month: 'short', timeZone: 'UTC' })
      const row = page.getByRole('row', { name: new RegExp(`^${name} `) })
      expect(await row.locator('td').allTextContents()).toEqual([events, credits])
    }
    await close()
  })

  it('shows the usage by model with the numbers of the API, and never executes a name of a model', async () => {
    const user_id = 'modeller'
    const event = { event_type: 'TOKEN_USAGE', feature_id: 'chat', provider: 'OPENAI', user_id }
    await api('POST', '/v1/credits/grant', { user_id, amount: 1_000 })
    const of = { 'gpt-4o-mini': 2_003, 'gpt-4o': 90_001, [HOSTILE]: 5 }
    for (const [model, input_tokens] of Object.entries(of))
      await api('POST', '/v1/events/ingest', { ...event, model, input_tokens, output_tokens: 11 })
    const total = await counted(user_id, '3')
    const { page, faults, close } = await openPage(world(), `${site.origin}/html/`, { user: user_id })
    await page.locator('om-usage').evaluate((widget) => widget.setAttribute('by', 'model'))
    await page.locator('om-usage tbody tr').nth(2).waitFor()
    expect(digitsOf(await amount(page, 'om-usage').textContent())).toBe(total)
    const usage = objectOf(await api('GET', `/v1/analytics/usage?user=${user_id}&group_by=model`))
    const known = listOf(usage.data).map(objectOf)
    for (const [index, model] of ['gpt-4o', 'gpt-4o-mini', HOSTILE].entries()) {
      const row = page.locator('om-usage tbody tr').nth(index)
      const { events, credits } = known.find(({ group }) => objectOf(group).model === model) ?? {}
      expect(await row.locator('th').textContent()).toBe(model)
      expect((await row.locator('td').allTextContents()).map(digitsOf)).toEqual([events, credits])
    }
    expect(await violations(page)).toEqual([])
    expect(await page.evaluate(() => 'hacked' in window)).toBe(false)
    expect(faults).toEqual([])
    await page.locator('om-usage').evaluate((widget) => widget.removeAttribute('by'))
    await page.locator('om-usage rect').nth(29).waitFor({ state: 'attached' })
    await close()
  })

  it('shows the held and the expiring credits', async () => {
    const expires_at = daysAgo(-40).toISOString()
    await api('POST', '/v1/credits/grant', { user_id: 'holder', amount: '12345.5', expires_at })
    await api('POST', '/v1/holds', { user_id: 'holder', feature_id: 'chat', credits: '0.25' })
    const { page, close } = await openPage(world(), `${site.origin}/html/`, { user: 'holder' })
    await amount(page, 'om-balance').waitFor()
    expect(await amount(page, 'om-balance').textContent()).toBe('12,345.25')
    const date = daysAgo(-40).toLocaleDateString('en', { dateStyle: 'medium', timeZone: 'UTC' })
    expect(await page.locator('om-balance .note').allTextContents()).toEqual([
      '0.25 more are reserved.',
      expect.stringMatching(new RegExp(`^12,345\\.\\d+ expire on ${date}\\.$`)),
    ])
    await close()
  })

  it('shows two wallets on one page, each with the tokens of its own function', async () => {
    await api('POST', '/v1/credits/grant', { user_id: 'first', amount: 11 })
    await api('POST', '/v1/credits/grant', { team_id: 'second', amount: 22 })
    const draft = { expires_in_seconds: 60, origins: [site.origin] }
    const tokens = await Promise.all(
      [{ user_id: 'first' }, { team_id: 'second' }].map(async (owner) =>
        textOf(objectOf(await api('POST', '/v1/portal-tokens', { ...draft, ...owner })).token),
      ),
    )
    const { page, close } = await openPage(world(), `${site.origin}/html/`)
    await page.evaluate((made) => {
      const widgets = made.map((token) =>
        Object.assign(document.createElement('om-balance'), { refreshToken: async () => token }),
      )
      document.querySelector('main')?.replaceChildren(...widgets)
    }, tokens)
    await expect.poll(() => amount(page, 'om-balance').allTextContents()).toEqual(['11', '22'])
    await close()
  })

  it.each(['Asia/Kolkata', 'America/St_Johns', 'Pacific/Auckland', 'America/Los_Angeles'])(
    'groups by the days of a browser in %s, or of UTC',
    async (zone) => {
      const { page, faults, close } = await openPage(world(), `${site.origin}/html/`, { zone })
      await amount(page, 'om-usage').waitFor()
      await page.locator('om-usage summary').click()
      const rows = await page.locator('om-usage tbody tr td:nth-child(2)').allTextContents()
      expect(rows.reduce((sum, events) => sum + Number(events), 0)).toBe(5)
      expect(faults).toEqual([])
      await close()
    },
  )

  it('never executes the names that it shows', async () => {
    const { page, faults, close } = await openPage(world(), `${site.origin}/html/`)
    await page.locator('om-top-up').getByText(HOSTILE, { exact: true }).waitFor()
    expect(await page.evaluate(() => 'hacked' in window)).toBe(false)
    expect(await page.locator('om-top-up img, om-top-up script').count()).toBe(0)
    expect(faults).toEqual([])
    await close()
  })

  it('makes one request for widgets that show the same, and stops while it is hidden', async () => {
    const { page, asked, close } = await openPage(world(), `${site.origin}/html/`)
    await amount(page, 'om-balance').waitFor()
    await page.clock.install()
    await page.evaluate(() => {
      const [first] = document.querySelectorAll('om-balance')
      for (let more = 0; more < 3; more++) {
        const copy = document.createElement('om-balance')
        Object.assign(copy, { token: Reflect.get(first ?? {}, 'token') })
        copy.setAttribute('refresh-seconds', '10')
        first?.after(copy)
      }
    })
    await expect.poll(() => amount(page, 'om-balance').count()).toBe(4)
    const balances = () => asked.filter((path) => path.endsWith('/balance')).length
    const before = balances()
    expect(before).toBe(1)
    const hide = (hidden: boolean) =>
      page.evaluate((value) => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => value })
        document.dispatchEvent(new Event('visibilitychange'))
      }, hidden)
    await hide(true)
    await page.clock.runFor(3_600_000)
    expect(balances()).toBe(before)
    await hide(false)
    await page.clock.runFor(1_000)
    await expect.poll(balances).toBe(before + 1)
    await close()
  })

  it('is refused on a page of another origin, and shows no number', async () => {
    const other = await serveSite(world(), { token_origin: site.origin })
    const { page, close } = await openPage(world(), `${site.origin}/html/`)
    await amount(page, 'om-balance').waitFor()
    const token = await page.evaluate(() => Reflect.get(document.querySelector('om-balance') ?? {}, 'token'))
    const { page: stolen, close: closeStolen } = await openPage(world(), `${other.origin}/html/`)
    const refused = stolen.waitForEvent('requestfailed', (request) => request.url().endsWith('/balance'))
    await stolen.evaluate((text) => {
      for (const widget of document.querySelectorAll('om-balance, om-usage, om-top-up')) {
        Object.assign(widget, { token: text })
      }
    }, token)
    // The browser hides the API's response from a page of another origin.
    await refused
    const headers = { Authorization: `Bearer ${token}`, Origin: other.origin }
    const response = await fetch(`${world().meter}/v1/credits/balance`, { headers })
    expect([response.status, response.headers.get('Access-Control-Allow-Origin')]).toEqual([403, null])
    await stolen.locator('om-balance [part=error]').getByText('cannot be reached').waitFor()
    expect(await amount(stolen, 'om-balance').count()).toBe(0)
    await closeStolen()
    await close()
    await other.close()
  })

  it('gets another token for all widgets at once when theirs is over', async () => {
    const short = await serveSite(world(), { token_seconds: 2 })
    const { page, asked, close } = await openPage(world(), `${short.origin}/html/`)
    const made: string[] = []
    page.on('request', (request) => {
      if (request.url().endsWith('/portal-token')) made.push(request.method())
    })
    await amount(page, 'om-balance').waitFor()
    await page.evaluate(() => {
      document.addEventListener('om-token-expired', (event) => {
        const seen: string[] = Reflect.get(window, 'seen') ?? []
        Reflect.set(window, 'seen', [...seen, event.composedPath().length > 0 ? 'expired' : ''])
      })
      for (const widget of document.querySelectorAll('om-balance, om-usage, om-top-up')) {
        widget.setAttribute('refresh-seconds', '5')
      }
    })
    await expect.poll(() => made.length, { timeout: 20_000 }).toBeGreaterThan(0)
    const renewals = made.length
    await api('POST', '/v1/credits/grant', { user_id: 'ada', amount: '0.000001' })
    const wanted = await balance('ada')
    await expect
      .poll(async () => digitsOf(await amount(page, 'om-balance').textContent()), { timeout: 20_000 })
      .toBe(wanted)
    // The three widgets make one request, because their tokens end at the same time.
    expect(renewals).toBe(1)
    expect(await page.evaluate(() => Reflect.get(window, 'seen'))).toContain('expired')
    expect(await page.locator('om-balance [part=error]').isVisible()).toBe(false)
    expect(asked.length).toBeLessThan(20)
    await close()
    await short.close()
  })

  it('shows the API’s message when the page has no other token, and stops its requests', async () => {
    const short = await serveSite(world(), { token_seconds: 1 })
    const { page, asked, close } = await openPage(world(), `${short.origin}/html/`)
    await amount(page, 'om-balance').waitFor()
    await page.clock.install()
    await page.evaluate(() => {
      const [widget] = document.querySelectorAll('om-balance')
      Object.assign(widget ?? {}, { refreshToken: undefined })
      widget?.setAttribute('refresh-seconds', '5')
    })
    const error = page.locator('om-balance [part=error]').getByText('This portal token has expired.')
    const seen = async () => {
      await page.clock.runFor(5_000)
      return error.isVisible()
    }
    await expect.poll(seen, { timeout: 15_000 }).toBe(true)
    expect(await amount(page, 'om-balance').count()).toBe(1)
    const balances = () => asked.filter((path) => path.endsWith('/balance')).length
    const before = balances()
    await page.clock.runFor(3_600_000)
    expect(balances()).toBe(before)
    await close()
    await short.close()
  })
})
