import { afterEach, expect, it, vi } from 'vitest'
import { isRecord } from '../../src/ledger/model/json.ts'
import { EXAMPLES, type Example } from '../../src/openapi/examples.ts'
import { api } from '../support/api.ts'
import { settle } from '../support/belongings.ts'
import { OPERATOR_TOKEN } from '../support/customers.ts'
import { operations } from '../support/documented.ts'
import { dnsAnswer } from '../webhooks/support.ts'

/**
 * Sends the example requests of the OpenAPI document, in order, for a new customer. Compares the responses with the
 * recorded responses. Ids, keys and times differ in each run, so each recorded value is mapped to the current value at
 * the same place. Everything else must be equal.
 */

/** The operations without examples, because their responses depend on the deployment or the time, or are not JSON. */
const WITHOUT_EXAMPLE = new Set([
  'GET /ready',
  'GET /openapi.json',
  'GET /docs',
  'GET /docs/errors',
  'GET /docs/{file}',
  'GET /v1/admin/stats',
  'GET /v1/admin/metrics',
  'GET /v1/stream',
  'GET /v1/events/{id}/receipt',
  'GET /v1/ledger/checkpoint',
  'GET /v1/ledger/export',
  'GET /.well-known/openmonetize-keys.json',
  'POST /v1/admin/customers/{id}/rebuild',
])

/** The file with the examples. If a response changes intentionally, change the file too. */
const FILE = 'src/openapi/examples.json'

/**
 * Matches the operations for the clients of other systems, which need no example, because the documentation of these
 * systems has examples.
 */
const DROP_IN = /^\w+ \/(otlp|openmeter|litellm|stripe|openmonetize)\//

afterEach(() => vi.restoreAllMocks())

it('every route has an example', () => {
  const shown = new Set(EXAMPLES.map(({ operation }) => operation))
  const missing = operations
    .map(({ method, path }) => `${method} ${path}`)
    .filter((name) => !shown.has(name) && !DROP_IN.test(name))
  expect(new Set(missing), `${FILE} lacks an example, or has one too many`).toEqual(WITHOUT_EXAMPLE)
})

it('every example gets its documented response', async () => {
  const real = globalThis.fetch
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const url = input instanceof Request ? input.url : String(input)
    if (url.includes('dns-query')) return dnsAnswer(url)
    return url === 'https://example.com/webhooks' ? new Response('ok') : real(input, init)
  })
  const story = new Story()
  for (const example of EXAMPLES) {
    if (example.operation.includes('/v1/analytics/')) await settle(story.now('customer_id'))
    const response = await story.send(example)
    const answer: unknown = await response.json()
    const name = `${FILE}, ${example.operation} ${JSON.stringify(example.body ?? example.parameters ?? {})}`
    expect(response.status, `${name}: ${JSON.stringify(answer)}`).toBe(example.status)
    story.compare(example.answer, answer, name)
  }
})

const ID = /^(?:[a-z]{2,6}|erased|batch)_[0-9a-z]{20,}$/
const TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}(?:\.\d{3})?Z)?$/
const KEY = /^(?:om_(?:live|portal)_[\w.…-]+|whsec_[A-Za-z0-9+/]+=*)$/
/** The name of the field with a duration, which differs in each run. */
const DURATION = 'duration_ms'
/**
 * Matches the start of a price version: the digest of the catalogue and its sources, which changes when the catalogue
 * is rebuilt.
 */
const PRICE_VERSION = /^[0-9a-f]{10}(?=:)/

class Story {
  /** The current values of ids, keys and times, by their recorded values. */
  private readonly known = new Map<string, string>()
  private readonly fields = new Map<string, string>()

  /** Returns the value of a field in the first response that contained it. Throws if no response contained it. */
  now(field: string): string {
    const value = this.fields.get(field)
    if (value === undefined) throw new Error(`no response had a ${field} yet`)
    return value
  }

  send({ operation, parameters = {}, body }: Example): Promise<Response> {
    const [method = '', path = ''] = operation.split(' ')
    const query = new URLSearchParams()
    let filled = path
    for (const [name, value] of Object.entries(parameters)) {
      const today = String(this.translated(value))
      if (path.includes(`{${name}}`)) filled = filled.replace(`{${name}}`, encodeURIComponent(today))
      else query.append(name, today)
    }
    const of_operator = path.startsWith('/v1/admin/') || path === '/v1/customers/register'
    const key = of_operator ? OPERATOR_TOKEN : this.fields.get('api_key')
    return api(query.size > 0 ? `${filled}?${query}` : filled, {
      method,
      ...(key !== undefined && { key }),
      ...(body !== undefined && { body: this.translated(body) }),
    })
  }

  private translated(value: unknown): unknown {
    if (typeof value === 'string') return this.known.get(value) ?? value
    if (Array.isArray(value)) return value.map((item) => this.translated(item))
    if (!isRecord(value)) return value
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, this.translated(field)]))
  }

  compare(shown: unknown, actual: unknown, where: string): void {
    if (typeof shown === 'string' && typeof actual === 'string') {
      this.compareText(shown, actual, where)
      return
    }
    if (Array.isArray(shown) && Array.isArray(actual)) {
      expect(actual.length, `${where}: ${JSON.stringify(actual)}`).toBe(shown.length)
      for (const [index, item] of shown.entries()) this.compare(item, actual[index], `${where}/${index}`)
      return
    }
    if (isRecord(shown) && isRecord(actual)) {
      expect(Object.keys(actual), where).toEqual(Object.keys(shown))
      for (const [name, field] of Object.entries(actual)) {
        if (typeof field === 'string' && !this.fields.has(name)) this.fields.set(name, field)
        if (name !== DURATION) this.compare(shown[name], field, `${where}/${name}`)
      }
      return
    }
    expect(actual, where).toEqual(shown)
  }

  private compareText(shown: string, actual: string, where: string): void {
    const known = this.known.get(shown)
    const pattern = [ID, KEY].find((one) => one.test(shown))
    if (known !== undefined) {
      expect(actual, where).toBe(known)
    } else if (pattern) {
      expect(actual, where).toMatch(pattern)
      expect(actual.split('_')[0], where).toBe(shown.split('_')[0])
      this.known.set(shown, actual)
    } else if (TIME.test(shown)) {
      expect(actual, where).toMatch(TIME)
    } else {
      expect(withoutIds(actual), where).toBe(withoutIds(shown))
    }
  }
}

function withoutIds(text: string): string {
  return text.replace(PRICE_VERSION, 'catalogue').replaceAll(/\b[a-z]+_[0-9a-z]{20,}\b/g, 'id')
}
