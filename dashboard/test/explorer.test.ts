import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { parseExact } from '../../widgets/src/exact.ts'
import { grouped, isDecimal } from '../src/api/decimal.ts'
import {
  api,
  describeInBrowser,
  goTo,
  newCustomer,
  openDashboard,
  textOf,
  useBrowser,
} from './support/browser.ts'
import { counted } from './support/events.ts'

useBrowser()

/**
 * Whether the test compares response times with their limits. `npm run test:explorer` sends 100,000 events and compares
 * the times. While other tests run, the times have no meaning.
 */
const IS_TIMED = process.env.EXPLORER_EVENTS !== undefined
const EVENTS = Number(process.env.EXPLORER_EVENTS ?? 3_000)
const WITHIN_MS = 1_000
const BATCH = 1_000
const DAYS = 28
const DAY_MS = 86_400_000

const MODELS = [
  ['OPENAI', 'gpt-4o'],
  ['OPENAI', 'gpt-4o-mini'],
  ['OPENAI', 'gpt-4.1'],
  ['OPENAI', 'gpt-4.1-nano'],
  ['OPENAI', 'o3'],
  ['ANTHROPIC', 'claude-sonnet-4-5'],
  ['ANTHROPIC', 'claude-haiku-4-5'],
  ['GOOGLE', 'gemini-2.5-pro'],
  ['GOOGLE', 'gemini-2.5-flash'],
] as const

describeInBrowser(`with ${EVENTS} events`, () => {
  it(`shows the API's response to every choice${IS_TIMED ? ` within ${WITHIN_MS} ms` : ''}`, {
    timeout: 120_000 + EVENTS * 12,
  }, async () => {
    const { api_key: key } = await newCustomer()
    await api('POST', '/v1/credits/grant', { key, body: { amount: 1_000_000_000 } })
    for (let at = 0; at < EVENTS; at += BATCH) {
      const events = Array.from({ length: Math.min(BATCH, EVENTS - at) }, (_, i) => eventOf(at + i))
      await api('POST', '/v1/events/ingest', { key, body: { events } })
    }
    await counted(key, EVENTS, 60_000 + EVENTS * 6)

    const { page, expectQuiet, close } = await openDashboard({ credential: key })
    const times: Record<string, number> = {}
    const field = (label: string) => page.getByLabel(label, { exact: true })
    const select = (label: string, value: string) => () => field(label).selectOption(value)
    const type = (label: string, value: string) => async () => {
      await field(label).fill(value)
      await field(label).press('Enter')
    }
    const usage = async (choice: string, choose: () => Promise<unknown>) => {
      times[`usage: ${choice}`] = await timeToAnswer(page, '/v1/analytics/usage', choose, (answer) => [
        `${answer.data.length} rows`,
        ...figuresOf(answer.totals),
      ])
    }
    const events = async (choice: string, choose: () => Promise<unknown>) => {
      times[`events: ${choice}`] = await timeToAnswer(page, '/v1/events', choose, ({ data }) =>
        data.length === 0 ? ['No events'] : data.flatMap(figuresOf),
      )
    }

    await goTo(page, '/usage')
    await usage('another first day', type('First day (UTC)', dayBefore(DAYS + 1)))
    await usage('by day and model', select('and by', 'model'))
    await usage('by day, model and feature', select('and then by', 'feature'))
    await usage('by week, model and feature', select('Rows by', 'week'))
    await usage('by week, model and user', select('and then by', 'user'))
    times['usage: CSV'] = await timeToCsv(page)
    await usage('by week and model', select('and then by', ''))
    await usage('by hour and model', select('Rows by', 'hour'))
    await page.getByText('Filters').click()
    await usage('of one feature', type('Feature', 'feature-3'))
    await usage('of one user of it', type('User', 'user-7'))
    await usage('of one feature again', type('User', ''))
    await usage('of one model too', type('Model', 'gpt-4o'))

    await goTo(page, '/events')
    await page.getByRole('button', { name: 'Live: on' }).click()
    await events('of one model', type('Model', 'o3'))
    await events('of one user of it', type('User', 'user-7'))
    await events('of one feature', type('Model', ''))
    await events('without a price', select('Rated', 'true'))
    await events('all', select('Rated', ''))
    // No event matches, so the page searches the whole list. It immediately shows that it searches, and then the
    // result.
    const begin_ms = performance.now()
    await type('User', 'nobody')()
    await page.getByText(/^(Searching older entries…|No events)$/).waitFor()
    times['events: a search begins'] = Math.round(performance.now() - begin_ms)
    await page.getByText('No events', { exact: true }).waitFor()
    const searched_ms = Math.round(performance.now() - begin_ms)
    expectQuiet()
    await close()
    console.info({ ...times, 'events: the whole list is searched': searched_ms })
    if (IS_TIMED)
      for (const [choice, ms] of Object.entries(times)) expect.soft(ms, choice).toBeLessThanOrEqual(WITHIN_MS)
  })
})

/**
 * Returns the event number `i`. The events are spread over four weeks, 9 models, 11 features, 211 users and 7 teams.
 * Each event has metadata.
 */
function eventOf(i: number): object {
  const [provider, model] = MODELS[i % MODELS.length] ?? MODELS[0]
  return {
    event_type: 'TOKEN_USAGE',
    feature_id: `feature-${(i * 31) % 11}`,
    ...(i % 5 === 0 ? { team_id: `team-${i % 7}` } : { user_id: `user-${(i * 17) % 211}` }),
    ...{ provider, model },
    input_tokens: 101 + ((i * 7_919) % 50_021),
    output_tokens: 1 + ((i * 104_729) % 1_009),
    timestamp: new Date(Date.now() - ((i * 7_907) % ((DAYS * DAY_MS) / 1_000)) * 1_000).toISOString(),
    metadata: { request: `request-${i}`, region: ['eu', 'us', 'asia'][i % 3], try: i % 4 },
  }
}

function dayBefore(days: number): string {
  return new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10)
}

/** Returns the numbers of a row of the API in the form in which the page shows them. */
function figuresOf({ credits, credits_burned, events, provider_cost_usd, balance_after }: Row): string[] {
  return [credits, credits_burned, events, provider_cost_usd, balance_after].flatMap((figure) =>
    typeof figure === 'string' && isDecimal(figure) ? [grouped(figure)] : [],
  )
}

type Row = Readonly<Record<string, unknown>>
interface Answer {
  readonly data: readonly Row[]
  readonly totals: Row
}

/**
 * Returns the time in milliseconds from the user's choice until the page has painted the response. The browser's clock
 * measures it. The time ends with the last change of the page before all expected texts are shown.
 */
async function timeToAnswer(
  page: Page,
  path: string,
  choose: () => Promise<unknown>,
  textsOf: (answer: Answer) => readonly string[],
): Promise<number> {
  await page.evaluate(watchChanges)
  const [response] = await Promise.all([
    page.waitForResponse((response) => new URL(response.url()).pathname.endsWith(path)),
    choose(),
  ])
  const texts = textsOf(parseExact(await response.text()) as unknown as Answer)
  await expect
    .poll(
      async () => {
        const shown = (await page.locator('main').textContent()) ?? ''
        return texts.filter((text) => !shown.includes(text))
      },
      { timeout: 10_000 },
    )
    .toEqual([])
  return page.evaluate(() => Math.round(window.painted_ms - window.chosen_ms))
}

/** Records the time of the last choice and the time of the last paint that changed the content. Runs in the page. */
function watchChanges(): void {
  window.chosen_ms = 0
  window.painted_ms = 0
  if (window.is_watched) return
  window.is_watched = true
  document.addEventListener('change', () => (window.chosen_ms = performance.now()), true)
  const painted = () => (window.painted_ms = performance.now())
  new MutationObserver(() => requestAnimationFrame(() => setTimeout(painted))).observe(document.body, {
    ...{ childList: true, characterData: true, subtree: true },
  })
}

declare global {
  interface Window {
    chosen_ms: number
    painted_ms: number
    is_watched: boolean
  }
}

/** Returns the time from the click until the file is complete, in milliseconds. */
async function timeToCsv(page: Page): Promise<number> {
  const begin_ms = performance.now()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download CSV' }).click(),
  ])
  const lines = (await textOf(download)).trim().split('\r\n')
  const ms = Math.round(performance.now() - begin_ms)
  await page.getByText(`${lines.length - 1} rows`, { exact: true }).waitFor()
  return ms
}
