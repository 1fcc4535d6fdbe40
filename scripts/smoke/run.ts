import { randomUUID } from 'node:crypto'
import { DEVELOPMENT_KEY, DEVELOPMENT_OPERATOR_TOKEN } from '../../src/api-keys/authentication/format.ts'
import { redact } from '../../src/logging/log.ts'
import { type Answer, ask, field } from './ask.ts'

/**
 * Checks with a few requests that a deployment works, and returns whether all checks passed:
 * - the deployment responds, is ready, and refuses requests without a key;
 * - if it is not on this machine, it refuses the public development keys, and browsers must use https;
 * - with SMOKE_API_KEY, the API key of a customer, it meters an event once; use a test key with some credits;
 * - otherwise, with OPERATOR_TOKEN, it registers a customer, meters an event of this customer, and closes the customer.
 */
export async function smoke(
  url: string,
  env: Readonly<Record<string, string | undefined>>,
  say: (line: string) => void,
): Promise<boolean> {
  const base = url.replace(/\/+$/, '')
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(new URL(base).hostname)
  const run = new Run(base, say)
  if (!(await run.answers())) return false
  await run.isReady()
  await run.refusesStrangers()
  if (!local) await run.isStrict()
  const { SMOKE_API_KEY, OPERATOR_TOKEN } = env
  if (SMOKE_API_KEY !== undefined && SMOKE_API_KEY !== '') await run.meters(SMOKE_API_KEY)
  else if (OPERATOR_TOKEN !== undefined && OPERATOR_TOKEN !== '')
    await run.metersForACustomerOfItsOwn(OPERATOR_TOKEN)
  else say('     (set SMOKE_API_KEY or OPERATOR_TOKEN to meter an event as well)')
  return run.failures === 0
}

/**
 * The maximum time that the smoke test waits for a new deployment, which can take some seconds to respond everywhere.
 */
const ANSWERS_WITHIN_MS = 60_000
const EVENT = {
  event_type: 'TOKEN_USAGE',
  feature_id: 'smoke-test',
  provider: 'OPENAI',
  model: 'gpt-4o',
  // One input token costs 0.0000025 USD, which is 0.005 credits with the default variables.
  input_tokens: 1,
  output_tokens: 0,
}

class Run {
  failures = 0
  private readonly base: string
  private readonly say: (line: string) => void

  constructor(base: string, say: (line: string) => void) {
    this.base = base
    this.say = say
  }

  async answers(): Promise<boolean> {
    const deadline = Date.now() + ANSWERS_WITHIN_MS
    for (;;) {
      const answer = await this.ask('/health').catch((error: unknown) => String(error))
      if (typeof answer !== 'string' && answer.status === 200) return this.check('it responds', true)
      if (Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 1_000))
        continue
      }
      return this.check(`it responds (${typeof answer === 'string' ? answer : answer.status})`, false)
    }
  }

  async isReady(): Promise<void> {
    const answer = await this.ask('/ready')
    this.check(`D1, KV and objects respond (${answer.text.slice(0, 200)})`, answer.status === 200)
  }

  async refusesStrangers(): Promise<void> {
    const body = { ...EVENT, idempotency_key: randomUUID() }
    this.expect('an event without a key is refused', await this.ask('/v1/events/ingest', { body }), 401)
    this.expect('an operator route without a token is refused', await this.ask('/v1/admin/stats'), 401)
    this.expect('an unknown path is not found', await this.ask('/nowhere'), 404)
  }

  async isStrict(): Promise<void> {
    const known = [
      await this.ask('/v1/credits/balance', { key: DEVELOPMENT_KEY }),
      await this.ask('/v1/admin/stats', { key: DEVELOPMENT_OPERATOR_TOKEN }),
    ]
    this.check(
      'the development keys are refused',
      known.every(({ status }) => status === 401),
    )
    const { headers } = await this.ask('/health')
    this.check('browsers must use https', headers.has('Strict-Transport-Security'))
  }

  async meters(key: string): Promise<void> {
    const body = { ...EVENT, idempotency_key: randomUUID() }
    const first = await this.ask('/v1/events/ingest', { key, body })
    this.expect(`an event is metered (${first.text.slice(0, 200)})`, first, 200)
    const again = await this.ask('/v1/events/ingest', { key, body })
    const same = again.status === 200 && again.text === first.text
    this.check('sent again, it is charged once', same && again.headers.get('Idempotency-Replayed') === 'true')
    const balance = await this.ask('/v1/credits/balance', { key })
    // A key without the scope for balances is refused with 403.
    if (balance.status !== 403) this.expect('the balance can be read', balance, 200)
  }

  async metersForACustomerOfItsOwn(operator: string): Promise<void> {
    const body = { name: 'Smoke test', email: `smoke-${randomUUID()}@example.com` }
    const registered = await this.ask('/v1/customers/register', { key: operator, body })
    if (!this.expect('the operator registers a customer', registered, 201)) return
    const key = field(registered, 'api_key')
    const grant = await this.ask('/v1/credits/grant', { key, body: { amount: 1, reason: 'Smoke test' } })
    this.expect('it is granted a credit', grant, 201)
    await this.meters(key)
    const customer = `/v1/admin/customers/${field(registered, 'customer_id')}`
    const closed = await this.ask(customer, { key: operator, method: 'PATCH', body: { status: 'CLOSED' } })
    this.expect('the customer is closed again', closed, 200)
  }

  private ask(route: string, options: Parameters<typeof ask>[1] = {}): Promise<Answer> {
    return ask(`${this.base}${route}`, options)
  }

  private expect(what: string, { status, text }: Answer, expected: number): boolean {
    const right = status === expected
    return this.check(right ? what : `${what}: ${status}, not ${expected}: ${text.slice(0, 200)}`, right)
  }

  private check(what: string, right: boolean): boolean {
    if (!right) this.failures++
    // An unexpected response can contain a secret, which must not reach the deployment log.
    this.say(redact(`${right ? '  ok' : 'FAIL'} ${what}`, 500))
    return right
  }
}
