import { afterEach, expect, it, vi } from 'vitest'
import { isRecord } from '../../src/ledger/model/json.ts'
import { EXAMPLES, type Example } from '../../src/openapi/examples.ts'
import { api } from '../support/api.ts'
import { settle } from '../support/belongings.ts'
import { OPERATOR_TOKEN } from '../support/customers.ts'
import { operations } from '../support/documented.ts'
import { dnsAnswer } from '../webhooks/support.ts'

/**
 * The examples of the OpenAPI document, sent in their order to a fresh customer. Ids, keys and times are those of the
 * day of the recording: each id is compared with the id at the same place of the current answer, and everything else
 * exactly.
 */

/** The operations without an example: their answers depend on this deployment and this moment, or are not JSON. */
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

/** Change this file when an answer changes on purpose. */
const FILE = 'src/openapi/examples.json'

/** The operations of other systems, whose own documentation has examples. */
const DROP_IN = /^\w+ \/(otlp|openmeter|litellm|stripe|openmonetize)\//

afterEach(() => vi.restoreAllMocks())

it('every route has an example', () => {
  const shown = new Set(EXAMPLES.map(({ operation }) => operation))
  const missing = operations
    .map(({ method, path }) => `${method} ${path}`)
    .filter((name) => !shown.has(name) && !DROP_IN.test(name))
  expect(new Set(missing), `${FILE} lacks an example, or has one too many`).toEqual(WITHOUT_EXAMPLE)
})

it('every example gets its documented answer', async () => {
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
/** Durations differ from run to run. */
const DURATION = 'duration_ms'
/** A digest of the catalogue and its sources, which changes with each rebuild. */
const PRICE_VERSION = /^[0-9a-f]{10}(?=:)/

class Story {
  /** Maps values of the recorded examples to their current values. */
  private readonly known = new Map<string, string>()
  private readonly fields = new Map<string, string>()

  /** Maps fields to the values that they had when first answered. */
  now(field: string): string {
    const value = this.fields.get(field)
    if (value === undefined) throw new Error(`no answer had a ${field} yet`)
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
