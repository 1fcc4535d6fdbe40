import { describe, expect, it } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { SCOPES } from '../../src/api-keys/authentication/scopes.ts'
import { createApp } from '../../src/app.ts'
import { PROBLEMS } from '../../src/http/output/problem-codes.ts'
import { codesOf } from '../../src/http/output/problem-schemas.ts'
import { isRecord } from '../../src/ledger/model/json.ts'
import { api } from '../support/api.ts'
import { asObject, document, objectAt, operations } from '../support/documented.ts'

describe('the OpenAPI document', () => {
  it('is served as the Worker makes it, and is the document with which the tests compare every response', async () => {
    const response = await api('/openapi.json')
    expect(response.headers.get('Content-Type')).toBe('application/json')
    expect(await response.json()).toEqual(document)
  })

  it('is fetched once: a request with its ETag gets 304 without a body, and it is the same every time', async () => {
    const first = await api('/openapi.json')
    const etag = first.headers.get('ETag') ?? ''
    expect(etag).toMatch(/^"[\w-]{22}"$/)
    expect(first.headers.get('Cache-Control')).toBe('public, max-age=300')
    const second = await api('/openapi.json', { headers: { 'If-None-Match': `"other", W/${etag}` } })
    expect(second.status).toBe(304)
    expect(await second.text()).toBe('')
    expect(await (await api('/openapi.json')).text()).toBe(await first.text())
  })

  it('has the version of the package', () => {
    expect(objectAt(document, 'info').version).toBe(packageJson.version)
  })

  it('knows every route of the app', () => {
    const documented = operations.map(({ method, path }) => `${method} ${path}`)
    const mounted = createApp()
      // Leaves out the routes under /dashboard, which only the pages of the dashboard use.
      .routes.filter(({ method, path }) => method !== 'ALL' && !/^\/dashboard(\/|$)/.test(path))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
    expect(new Set(documented)).toEqual(new Set(mounted))
  })

  it('describes the header Idempotency-Key for exactly the routes that read it', () => {
    const ignoring = operations.filter(
      ({ operation }) => !JSON.stringify(operation.parameters ?? []).includes('/IdempotencyKey"'),
    )
    const paths = ignoring.filter(({ method }) => method === 'POST').map(({ path }) => path)
    expect(paths.filter((path) => !DROP_IN.test(path))).toEqual([
      '/v1/payments/stripe/webhook',
      '/v1/rating/calculate',
      '/v1/rating/calculate/bulk',
      '/v1/rating/simulate',
    ])
    expect(operations.filter(({ path, method }) => method === 'POST' && DROP_IN.test(path))).toEqual(
      ignoring.filter(({ path, method }) => method === 'POST' && DROP_IN.test(path)),
    )
    const stripe = operations.find(({ path }) => path === '/stripe/v1/billing/meter_events')
    expect(stripe?.operation.parameters).toContainEqual(
      expect.objectContaining({ name: 'Idempotency-Key', in: 'header' }),
    )
  })

  it('describes the inputs that validation accepts', () => {
    const schemas = objectAt(objectAt(document, 'components'), 'schemas')
    expect(schemas.Registration).toMatchObject({
      type: 'object',
      additionalProperties: false,
      required: ['name', 'email'],
      properties: {
        name: { type: 'string', minLength: 1, maxLength: 255 },
        email: { type: 'string', format: 'email', maxLength: 254 },
        tier: {
          type: 'string',
          enum: ['STARTER', 'GROWTH', 'ENTERPRISE'],
          description: expect.stringContaining('Default: STARTER.'),
        },
      },
    })
  })
})

describe.each(operations)('$method $path', ({ method, path, operation }) => {
  it('has an id of its own, a tag, a summary and a description', () => {
    const ids = operations.map((other) => other.operation.operationId)
    expect(ids.filter((id) => id === operation.operationId)).toHaveLength(1)
    const tags: unknown = document.tags
    expect(tags).toContainEqual(expect.objectContaining({ name: [operation.tags].flat()[0] }))
    expect(operation).toMatchObject({
      summary: expect.stringMatching(/./),
      description: expect.stringMatching(/./),
    })
  })

  it('describes the required authentication', () => {
    const security = JSON.stringify(operation.security)
    if (path.startsWith('/v1/admin/')) expect(security).toBe('[{"operator":[]}]')
    else if ((path.startsWith('/v1/') || DROP_IN.test(path)) && !OPEN.has(path)) {
      const keys = '{"apiKey":[]},{"apiKeyHeader":[]}'
      expect([`[${keys}]`, `[${keys},{"portalToken":[]}]`]).toContain(security)
      if (!WITHOUT_SCOPE.has(path)) expect(SCOPES).toContain(operation['x-required-scope'])
    } else expect(['[]', '[{},{"operator":[]}]']).toContain(security)
  })

  it('lists the codes of each status, and every one of them has the status', () => {
    for (const [status, response] of Object.entries(objectAt(operation, 'responses'))) {
      const codes = codesOf(response)
      if (Number(status) >= 400) expect(codes, status).not.toHaveLength(0)
      for (const code of codes) expect(PROBLEMS[code].status).toBe(Number(status))
    }
  })

  it('returns objects whose fields are all listed', () => {
    for (const response of Object.values(objectAt(operation, 'responses'))) {
      expectClosed(asObject(response).content, `${method} ${path}`)
    }
  })
})

/** The routes that require no API key: a customer who registers has no key yet, and Stripe signs its events instead. */
const OPEN = new Set([
  '/v1/customers/register',
  '/openmonetize/v1/customers/register',
  '/v1/payments/stripe/webhook',
])
/** Matches the paths of routes for the clients of other systems. */
const DROP_IN = /^\/(otlp|openmeter|litellm|stripe|openmonetize)\//
/** The routes that require no scope, because every API key may read its own customer. */
const WITHOUT_SCOPE = new Set(['/v1/customers/me'])

it('allows no further fields in objects whose fields are listed', () => {
  expectClosed(objectAt(document, 'components').schemas, 'components')
})

/**
 * Checks that every object with listed fields in a schema forbids additional fields. The parts of an `allOf` cannot do
 * so separately, so `closeObjects` must have merged each `allOf` with fields.
 */
function expectClosed(value: unknown, where: string): void {
  if (Array.isArray(value)) for (const inner of value) expectClosed(inner, where)
  if (!isRecord(value)) return
  for (const [key, inner] of Object.entries(value)) {
    if (key === 'example' || key === 'examples') continue
    if (key === 'allOf') expect(JSON.stringify(inner), `${where}: allOf`).not.toContain('"properties"')
    if (key === 'properties' && isRecord(inner) && value.type === 'object') {
      const open = value.additionalProperties === undefined
      expect(open, `${where}: ${Object.keys(inner).join(', ')}`).toBe(false)
    }
    expectClosed(inner, `${where}/${key}`)
  }
}

describe('the types that generators make of it', () => {
  const schemas = objectAt(objectAt(document, 'components'), 'schemas')

  it('leave a field with a default optional: no schema of a body has the keyword', () => {
    const bodies = operations.flatMap(({ operation }) => operation.requestBody ?? [])
    const fields = JSON.stringify([schemas, bodies], (name, value) =>
      name === 'examples' ? undefined : value,
    )
    expect(fields).not.toContain('"default":')
  })

  it('know the bounds of an amount, and its pattern as text', () => {
    expect(objectAt(asObject(schemas.Grant), 'properties').amount).toEqual({
      anyOf: [
        { type: 'number', exclusiveMinimum: 0, maximum: 8_000_000_000 },
        { type: 'string', pattern: '^[0-9]{1,30}(\\.[0-9]{1,6}0*)?$' },
      ],
    })
  })

  it('state which end of a time range is included', () => {
    for (const { path, operation } of operations) {
      const parameters = [operation.parameters].flat().map(asObject)
      for (const { name, description } of parameters.filter(({ in: place }) => place === 'query')) {
        if (name === 'from') expect(description, path).toMatch(/inclusive/)
        if (name === 'to') expect(description, path).toMatch(/exclusive/)
      }
    }
  })
})
