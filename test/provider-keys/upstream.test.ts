import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { forgetAllProviderKeys, KEYS_KEPT_MS } from '../../src/provider-keys/upstream.ts'
import { api } from '../support/api.ts'
import { listenToConsole } from '../support/console.ts'
import { createCustomer } from '../support/customers.ts'
import { brokenD1 } from '../support/d1.ts'
import { createKey } from '../support/keys.ts'
import { idOf, resolverWith, storedKey, upstreamOf } from './support.ts'

const STRONG = { ENCRYPTION_KEY: 'a'.repeat(64) }
const OPENAI = 'https://api.openai.com/v1'

beforeEach(() => forgetAllProviderKeys())
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('the upstream of a call', () => {
  it('is the newest stored key of the provider, at its usual address', async () => {
    const customer = await createCustomer()
    await storedKey(customer.api_key, { provider: 'OPENAI', name: 'Old', key: 'sk-old' })
    const id = idOf(await storedKey(customer.api_key, { provider: 'OPENAI', name: 'New', key: 'sk-new' }))
    await storedKey(customer.api_key, { provider: 'ANTHROPIC', name: 'Other', key: 'sk-ant' })
    expect(await upstreamOf(customer, { provider: 'openai' })).toEqual({
      ok: true,
      baseUrl: OPENAI,
      key: 'sk-new',
      providerKeyId: id,
      provider: 'openai',
    })
    expect(await upstreamOf(customer, { provider: 'anthropic' })).toMatchObject({
      baseUrl: 'https://api.anthropic.com/v1',
      key: 'sk-ant',
    })
  })

  it('is the stored key of the name, even of another provider with the same API', async () => {
    const customer = await createCustomer()
    await storedKey(customer.api_key, { provider: 'GROQ', name: 'Fast', key: 'gsk-fast' })
    await storedKey(customer.api_key, { provider: 'OPENAI', name: 'Main', key: 'sk-main' })
    expect(await upstreamOf(customer, { provider: 'openai', name: 'Fast' })).toMatchObject({
      baseUrl: 'https://api.groq.com/openai/v1',
      key: 'gsk-fast',
      provider: 'groq',
    })
    expect(await upstreamOf(customer, { provider: 'anthropic', name: 'Fast' })).toMatchObject({
      ok: false,
      problem: {
        code: 'invalid_request',
        members: { errors: [{ path: '/base_url', message: 'required in the stored key of this provider' }] },
      },
    })
    expect(await upstreamOf(customer, { provider: 'openai', name: '' })).toMatchObject({
      problem: { code: 'invalid_request', detail: 'The header X-Meter-Provider-Key must not be empty.' },
    })
    expect(await upstreamOf(customer, { provider: 'openai', name: 'Slow' })).toMatchObject({
      ok: false,
      problem: { code: 'not_found', detail: 'Provider key Slow not found.' },
    })
  })

  it('is the key of the header, at the usual address or at that of a named key, without D1 in the first case', async () => {
    const customer = await createCustomer()
    const header = { provider: 'google', headerKey: 'AIza-mine' }
    expect(await upstreamOf(customer, header, { DB: brokenD1() })).toEqual({
      ok: true,
      baseUrl: 'https://generativelanguage.googleapis.com/v1beta',
      key: 'AIza-mine',
      providerKeyId: null,
      provider: 'google',
    })
    const base_url = 'http://localhost:11434'
    await storedKey(customer.api_key, { provider: 'OPENAI', name: 'Local', key: 'none', base_url })
    const named = { provider: 'openai', headerKey: 'sk-mine', name: 'Local' }
    expect(await upstreamOf(customer, named)).toMatchObject({
      baseUrl: 'http://localhost:11434/v1',
      key: 'sk-mine',
      providerKeyId: null,
    })
    for (const headerKey of ['', 'with space', 'x'.repeat(4_097)]) {
      expect(await upstreamOf(customer, { provider: 'openai', headerKey })).toMatchObject({
        ok: false,
        problem: { code: 'invalid_request' },
      })
    }
  })

  it.each([
    ['openai', 'http://localhost:8000', 'http://localhost:8000/v1'],
    ['openai', 'http://localhost:8000/', 'http://localhost:8000/v1'],
    ['google', 'http://localhost:8000', 'http://localhost:8000/v1beta'],
    ['openai', 'http://localhost:8000/api/v2/', 'http://localhost:8000/api/v2'],
  ])('of %s at %s is %s', async (provider, base_url, baseUrl) => {
    const customer = await createCustomer()
    await storedKey(customer.api_key, { provider, name: 'Local', key: 'none', base_url })
    expect(await upstreamOf(customer, { provider })).toMatchObject({ ok: true, baseUrl })
  })

  it('belongs to the ledger: neither a test key nor another customer uses the stored key of a live key', async () => {
    const customer = await createCustomer()
    await storedKey(customer.api_key, { provider: 'OPENAI', name: 'Main', key: 'sk-live' })
    const { api_key: test_key } = await createKey(customer.customer_id, { mode: 'test' })
    const none = { ok: false, problem: { code: 'invalid_request' } }
    expect(await upstreamOf({ ...customer, mode: 'test' }, { provider: 'openai' })).toMatchObject(none)
    expect(await upstreamOf(await createCustomer(), { provider: 'openai' })).toMatchObject(none)
    await storedKey(test_key, { provider: 'OPENAI', name: 'Main', key: 'sk-test' })
    expect(await upstreamOf({ ...customer, mode: 'test' }, { provider: 'openai' })).toMatchObject({
      key: 'sk-test',
    })
    expect(await upstreamOf(customer, { provider: 'openai' })).toMatchObject({ key: 'sk-live' })
  })

  it('reads D1 once, and again after 30 seconds', async () => {
    const customer = await createCustomer()
    await storedKey(customer.api_key, { provider: 'OPENAI', name: 'Main', key: 'sk-main' })
    vi.useFakeTimers({ toFake: ['Date'] })
    expect(await upstreamOf(customer, { provider: 'openai' })).toMatchObject({ ok: true })
    const down = { DB: brokenD1() }
    vi.advanceTimersByTime(KEYS_KEPT_MS - 1)
    expect(await upstreamOf(customer, { provider: 'openai' }, down)).toMatchObject({ key: 'sk-main' })
    vi.advanceTimersByTime(1)
    const said = listenToConsole()
    expect(await upstreamOf(customer, { provider: 'openai' }, down)).toMatchObject({
      ok: false,
      problem: { code: 'unavailable' },
    })
    expect(said.lines.join()).toContain('provider_keys_not_read')
  })

  it('is not a deleted key: at once in this isolate, after 30 seconds in any other', async () => {
    const customer = await createCustomer()
    const id = idOf(await storedKey(customer.api_key, { provider: 'OPENAI', name: 'Main', key: 'sk-main' }))
    expect(await upstreamOf(customer, { provider: 'openai' })).toMatchObject({ ok: true })
    vi.useFakeTimers({ toFake: ['Date'] })
    // Deletes the provider key in D1, as another isolate would, while this isolate still has the key in memory.
    await env.DB.prepare('DELETE FROM provider_keys WHERE provider_key_id = ?').bind(id).run()
    expect(await upstreamOf(customer, { provider: 'openai' })).toMatchObject({ ok: true })
    vi.advanceTimersByTime(KEYS_KEPT_MS)
    expect(await upstreamOf(customer, { provider: 'openai' })).toMatchObject({ ok: false })
    vi.advanceTimersByTime(2_000)
    const next = idOf(await storedKey(customer.api_key, { provider: 'OPENAI', name: 'Main', key: 'sk-next' }))
    expect(await upstreamOf(customer, { provider: 'openai' })).toMatchObject({ key: 'sk-next' })
    await api(`/v1/provider-keys/${next}`, { key: customer.api_key, method: 'DELETE' })
    expect(await upstreamOf(customer, { provider: 'openai' })).toMatchObject({ ok: false })
  })

  it('can be a key that another isolate stored a second ago', async () => {
    const customer = await createCustomer()
    const id = idOf(await storedKey(customer.api_key, { provider: 'OPENAI', name: 'Main', key: 'sk-main' }))
    const rename = (to: string) =>
      env.DB.prepare('UPDATE provider_keys SET ledger_id = ?2 WHERE provider_key_id = ?1').bind(id, to).run()
    vi.useFakeTimers({ toFake: ['Date'] })
    await rename('elsewhere')
    expect(await upstreamOf(customer, { provider: 'openai' })).toMatchObject({ ok: false })
    await rename(customer.customer_id)
    expect(await upstreamOf(customer, { provider: 'openai' }, { DB: brokenD1() })).toMatchObject({
      ok: false,
      problem: { code: 'invalid_request' },
    })
    vi.advanceTimersByTime(1_000)
    expect(await upstreamOf(customer, { provider: 'openai' })).toMatchObject({ key: 'sk-main' })
  })
})

describe('an address behind a name', () => {
  const body = { provider: 'OPENAI', name: 'Own', key: 'sk-own', base_url: 'https://api.own.example/v1' }

  it('is resolved once while the key is in memory', async () => {
    const resolver = resolverWith({ 'api.own.example': ['93.184.216.34'] })
    const customer = await createCustomer()
    await storedKey(customer.api_key, body)
    resolver.mockClear()
    for (const _call of [1, 2, 3]) {
      expect(await upstreamOf(customer, { provider: 'openai' })).toMatchObject({
        ok: true,
        baseUrl: 'https://api.own.example/v1',
      })
    }
    expect(resolver).toHaveBeenCalledTimes(2)
  })

  it('that has become private is refused, and so is one that cannot be resolved', async () => {
    const names: Record<string, readonly string[] | undefined> = { 'api.own.example': ['93.184.216.34'] }
    resolverWith(names)
    const customer = await createCustomer()
    await storedKey(customer.api_key, body)
    names['api.own.example'] = ['169.254.169.254']
    expect(await upstreamOf(customer, { provider: 'openai' })).toMatchObject({
      ok: false,
      problem: { code: 'invalid_request' },
    })
    names['api.own.example'] = undefined
    expect(await upstreamOf(customer, { provider: 'openai' })).toMatchObject({
      ok: false,
      problem: { code: 'unavailable' },
    })
    names['api.own.example'] = ['93.184.216.34']
    expect(await upstreamOf(customer, { provider: 'openai' })).toMatchObject({ ok: true })
  })

  it('of a local machine is refused outside development, although it was stored in development', async () => {
    const customer = await createCustomer()
    await storedKey(customer.api_key, { ...body, base_url: 'http://localhost:11434/v1' }, STRONG)
    const production = { ENVIRONMENT: 'production' }
    expect(await upstreamOf(customer, { provider: 'openai' }, STRONG)).toMatchObject({ ok: true })
    forgetAllProviderKeys()
    expect(await upstreamOf(customer, { provider: 'openai' }, { ...STRONG, ...production })).toMatchObject({
      ok: false,
      problem: { code: 'invalid_request', detail: 'The base_url of the provider key must be an https URL.' },
    })
  })
})

describe("the operator's provider keys", () => {
  const secret = (value: object) => ({ OPERATOR_PROVIDER_KEYS: JSON.stringify(value) })

  it('are used without D1 for 30 seconds after D1 was read', async () => {
    const customer = await createCustomer()
    const bindings = secret({ OPENAI: { key: 'sk-operator', customers: '*' } })
    const without_d1 = { ...bindings, DB: brokenD1() }
    vi.useFakeTimers({ toFake: ['Date'] })
    expect(await upstreamOf(customer, { provider: 'openai' }, bindings)).toMatchObject({ key: 'sk-operator' })
    vi.advanceTimersByTime(KEYS_KEPT_MS - 1)
    expect(await upstreamOf(customer, { provider: 'openai' }, without_d1)).toMatchObject({
      key: 'sk-operator',
    })
    listenToConsole()
    const named = { provider: 'openai', name: 'New' }
    expect(await upstreamOf(customer, named, without_d1)).toMatchObject({ problem: { code: 'unavailable' } })
    vi.advanceTimersByTime(1)
    expect(await upstreamOf(customer, { provider: 'openai' }, without_d1)).toMatchObject({
      problem: { code: 'unavailable' },
    })
  })

  it('pay for the live calls of the customers on their list, who have stored none', async () => {
    const [listed, other] = [await createCustomer(), await createCustomer()]
    const bindings = secret({
      OpenAI: { key: 'sk-operator', customers: [listed.customer_id] },
      ANTHROPIC: { key: 'sk-ant-operator', customers: '*', base_url: 'https://proxy.example/v1' },
    })
    expect(await upstreamOf(listed, { provider: 'openai' }, bindings)).toEqual({
      ok: true,
      baseUrl: OPENAI,
      key: 'sk-operator',
      providerKeyId: null,
      provider: 'openai',
    })
    expect(await upstreamOf(other, { provider: 'openai' }, bindings)).toMatchObject({ ok: false })
    expect(await upstreamOf({ ...listed, mode: 'test' }, { provider: 'openai' }, bindings)).toMatchObject({
      ok: false,
    })
    expect(await upstreamOf(other, { provider: 'anthropic' }, bindings)).toMatchObject({
      baseUrl: 'https://proxy.example/v1',
      key: 'sk-ant-operator',
    })
    await storedKey(listed.api_key, { provider: 'OPENAI', name: 'Own', key: 'sk-own' })
    expect(await upstreamOf(listed, { provider: 'openai' }, bindings)).toMatchObject({ key: 'sk-own' })
  })

  it.each([
    'not json sk-canary',
    '{"OPENAI": {"key": "sk-canary"}}',
    '{"OPENAI": {"key": "sk canary", "customers": "*"}}',
    '{"OPENAI": {"key": "sk-canary", "customers": "*", "base_url": "nowhere"}}',
    '{"OPENAI": {"key": "sk-canary", "customers": "*", "base_url": "https://proxy.example/v1?api-version=1"}}',
  ])('are neither accepted nor logged if the secret is %s', async (OPERATOR_PROVIDER_KEYS) => {
    const said = listenToConsole()
    const customer = await createCustomer()
    const found = await upstreamOf(customer, { provider: 'openai' }, { OPERATOR_PROVIDER_KEYS })
    expect(found).toMatchObject({ ok: false })
    expect(said.lines.join()).toContain('operator_provider_keys_refused')
    expect(said.lines.join()).not.toContain('canary')
  })
})
