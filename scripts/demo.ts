/**
 * `npm run demo`: shows the main features on a running server (`npm start`). Each run registers a new customer, so the
 * demo can be repeated. It exits with 1 if an expectation fails.
 *
 * Environment variables: BASE_URL selects a server other than the running server of this checkout. OPERATOR_TOKEN lets
 * the demo register its customer on a server with closed registration.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { styleText } from 'node:util'
import { type Answer, call, must, numberOf, serverUrl, textOf } from './demo-client.ts'
import { gatewayScene } from './demo-gateway.ts'

const OPERATOR_TOKEN = process.env.OPERATOR_TOKEN ?? 'dev-operator-token'

/**
 * The example responses of four provider APIs (examples/README.md), with their cost according to the providers' price
 * lists.
 */
const RESPONSES = [
  { api: 'OpenAI chat', provider: 'OPENAI', file: 'openai-chat.json', cost_usd: 0.005615 },
  { api: 'OpenAI responses', provider: 'OPENAI', file: 'openai-responses.json', cost_usd: 0.022868 },
  { api: 'Anthropic messages', provider: 'ANTHROPIC', file: 'anthropic-messages.json', cost_usd: 0.01827 },
  { api: 'Gemini', provider: 'GOOGLE', file: 'gemini-generate-content.json', cost_usd: 0.0121 },
]

let failures = 0

async function main(): Promise<number> {
  console.log(bold(`\nOpenMonetize Edge on ${serverUrl()}`))
  const key = await register()
  await buy(key, 500, 0.5)
  const last = await meter(key)
  await sendAgain(key, last)
  await relay(key)
  await runOut(key)
  console.log(
    failures === 0 ? bold('\nEverything was as expected.\n') : bold(`\n${failures} expectations failed.\n`),
  )
  return failures === 0 ? 0 : 1
}

async function register(): Promise<string> {
  chapter('A customer registers')
  const body = { name: 'Demo', email: `demo-${randomUUID()}@example.com` }
  let answer = await call('/v1/customers/register', { body })
  // The registration is closed, as in production, so the operator registers the customer.
  if (answer.status === 401 || answer.status === 403) {
    answer = await call('/v1/customers/register', { body, key: OPERATOR_TOKEN })
  }
  must(answer, 201)
  const key = textOf(answer, 'api_key')
  const balance = await balanceOf(key)
  say(`${textOf(answer, 'customer_id')} has ${credits(balance)} credits to start with.`)
  return key
}

async function buy(key: string, amount: number, price_usd: number): Promise<void> {
  chapter('It buys credits')
  const before = await balanceOf(key)
  const answer = must(await call('/v1/credits/purchase', { key, body: { amount, price_usd } }), 201)
  const after = numberOf(answer, 'balance_after')
  say(`${credits(amount)} credits for ${usd(price_usd)}: the balance is ${credits(after)}.`)
  check(sameCredits(after, before + amount), 'the balance contains the purchased credits')
}

/** Meters every example response, and returns the last event with its response. */
async function meter(key: string): Promise<Sent> {
  chapter('Its product calls four APIs, and sends their responses to the meter')
  let balance = await balanceOf(key)
  let last: Sent | undefined
  let right = true
  const rows: string[][] = []
  for (const { api, provider, file, cost_usd } of RESPONSES) {
    const provider_response = example(file)
    const price = must(
      await call('/v1/rating/calculate', { key, body: { provider, provider_response } }),
      200,
    )
    const event = {
      event_type: 'TOKEN_USAGE',
      feature_id: 'assistant',
      provider,
      provider_response,
      idempotency_key: randomUUID(),
    }
    const answer = must(await call('/v1/events/ingest', { key, body: event }), 200)
    const burned = numberOf(answer, 'credits_burned')
    const recorded = must(await call(`/v1/events/${textOf(answer, 'id')}`, { key }), 200)
    const usage = recorded.body.usage
    right &&= numberOf(answer, 'provider_cost_usd') === cost_usd
    right &&= sameCredits(burned, numberOf(price, 'credits')) && burned > 0
    right &&= sameCredits(numberOf(answer, 'balance_after'), balance - burned)
    balance = numberOf(answer, 'balance_after')
    rows.push([
      api,
      textOf(recorded, 'model'),
      count(usage, 'input_tokens'),
      count(usage, 'output_tokens'),
      usd(numberOf(answer, 'provider_cost_usd')),
      credits(burned),
      credits(balance),
    ])
    last = { event, answer }
  }
  table(['API', 'model', 'input', 'output', 'provider cost', 'credits', 'balance'], rows, 2)
  check(
    right,
    'each event cost the price of the price list, and each balance is the previous one minus that cost',
  )
  if (!last) throw new Error('the list of example responses is empty')
  return last
}

async function sendAgain(key: string, { event, answer }: Sent): Promise<void> {
  chapter('The network fails, and the last event is sent again')
  const before = await balanceOf(key)
  const again = must(await call('/v1/events/ingest', { key, body: event }), 200)
  const after = await balanceOf(key)
  say(`Idempotency-Replayed: ${again.replayed}. The balance is still ${credits(after)}.`)
  check(again.replayed && again.text === answer.text, 'the response is the same, byte for byte')
  check(after === before, 'nothing was charged twice')
}

/** Runs two streams through the gateway. A simulated provider on this machine serves them. */
async function relay(key: string): Promise<void> {
  chapter('Its agents stream through the gateway: only the base URL is changed')
  const scene = await gatewayScene(key, (piece) => process.stdout.write(piece))
  if (!scene) {
    say('Skipped: this server refuses to call a simulated provider on this machine.')
    return
  }
  const { text, whole, expected, left } = scene
  console.log()
  say(
    `A whole stream: ${credits(whole)} credits. A stream whose client disconnected: ${credits(left)} credits.`,
  )
  check(
    text.endsWith('speaks.') && sameCredits(whole, expected),
    'a stream costs exactly what the provider reports',
  )
  check(left > 0 && left < whole, 'a stream whose client disconnects costs only the delivered part')
}

/** Sends three events that each cost two fifths of the wallet. The third is refused, and accepted after a purchase. */
async function runOut(key: string): Promise<void> {
  chapter('The credits run out')
  const gpt_4o = { provider: 'OPENAI', model: 'gpt-4o' }
  const million = must(
    await call('/v1/rating/calculate', { key, body: { ...gpt_4o, input_tokens: 1_000_000 } }),
    200,
  )
  const balance = await balanceOf(key)
  const input_tokens = Math.floor((0.4 * balance * 1_000_000) / numberOf(million, 'credits'))
  const event = () => ({
    event_type: 'TOKEN_USAGE',
    feature_id: 'night job',
    ...gpt_4o,
    input_tokens,
    idempotency_key: randomUUID(),
  })
  for (let i = 0; i < 2; i++) {
    const answer = must(await call('/v1/events/ingest', { key, body: event() }), 200)
    say(
      `${input_tokens.toLocaleString('en-US')} tokens of gpt-4o: ${credits(numberOf(answer, 'credits_burned'))} credits, ${credits(numberOf(answer, 'balance_after'))} left.`,
    )
  }
  const left = await balanceOf(key)
  const unpaid = event()
  const refused = must(await call('/v1/events/ingest', { key, body: unpaid }), 402)
  say(`The third event:\n\n${indented(JSON.stringify(refused.body, null, 2))}\n`)
  check(refused.body.code === 'insufficient_credits', 'the third one is refused with 402')
  check((await balanceOf(key)) === left, 'the refused event costs nothing')
  must(await call('/v1/credits/purchase', { key, body: { amount: balance, price_usd: 10 } }), 201)
  const paid = must(await call('/v1/events/ingest', { key, body: unpaid }), 200)
  check(!paid.replayed, 'after a purchase the same event, with the same key, is accepted')
}

interface Sent {
  readonly event: object
  readonly answer: Answer
}

async function balanceOf(key: string): Promise<number> {
  return numberOf(must(await call('/v1/credits/balance', { key }), 200), 'balance')
}

function count(usage: unknown, unit: string): string {
  const value: unknown = typeof usage === 'object' && usage !== null ? Reflect.get(usage, unit) : undefined
  return typeof value === 'number' ? value.toLocaleString('en-US') : '0'
}

function example(file: string): unknown {
  return JSON.parse(readFileSync(path.join(import.meta.dirname, '..', 'examples', file), 'utf8'))
}

/** Reports whether two amounts of credits are equal. Rounds them to six decimals, because doubles are inexact. */
function sameCredits(a: number, b: number): boolean {
  return Math.round(a * 1e6) === Math.round(b * 1e6)
}

function check(holds: boolean, what: string): void {
  if (!holds) failures++
  say(`${holds ? coloured('green', '✓') : coloured('red', '✗ FAILED:')} ${what}`)
}

let chapters = 0

function chapter(title: string): void {
  console.log(bold(`\n${++chapters}  ${title}`))
}

function say(text: string): void {
  console.log(`   ${text}`)
}

/** Prints a table. Right-aligns the columns from index `firstNumber` on. */
function table(head: readonly string[], rows: readonly string[][], firstNumber: number): void {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column < firstNumber ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
  say(coloured('dim', line(head)))
  for (const row of rows) say(line(row))
}

function indented(text: string): string {
  return text.replace(/^/gm, '     ')
}

function credits(amount: number): string {
  return amount.toLocaleString('en-US', { maximumFractionDigits: 6 })
}

function usd(amount: number): string {
  return `$${amount.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 12 })}`
}

function bold(text: string): string {
  return coloured('bold', text)
}

/**
 * Returns the text with terminal codes for the format. Returns it unchanged if the output is not a terminal or if
 * NO_COLOR is set.
 */
function coloured(format: 'bold' | 'dim' | 'green' | 'red', text: string): string {
  return styleText(format, text, { stream: process.stdout })
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(`\n${error instanceof Error ? error.message : error}\n`)
    process.exit(1)
  },
)
