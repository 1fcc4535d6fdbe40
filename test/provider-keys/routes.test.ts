import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { api, jsonOf, textField } from '../support/api.ts'
import { expectInvalid, expectRefused, read } from '../support/client.ts'
import { listenToConsole } from '../support/console.ts'
import { createCustomer, unique } from '../support/customers.ts'
import { brokenD1, d1FailingAt } from '../support/d1.ts'
import { deployed } from '../support/deployment.ts'
import { createKey } from '../support/keys.ts'
import { expectProblem } from '../support/problems.ts'
import { idOf, resolverWith, rowsOf, storedKey } from './support.ts'

const PATH = '/v1/provider-keys'

afterEach(() => vi.restoreAllMocks())

describe('storing a provider key', () => {
  it('returns only the last four characters of the key', async () => {
    const { api_key } = await createCustomer()
    const secret = `${unique('sk-proj')}-abcd`
    const response = await api(PATH, {
      key: api_key,
      body: { provider: 'open_ai', name: 'Main', key: secret },
    })
    const text = await response.text()
    expect(response.status).toBe(201)
    expect(JSON.parse(text)).toEqual({
      id: expect.stringMatching(/^pk_[0-9a-z]{26}$/),
      provider: 'OPENAI',
      name: 'Main',
      last_four: 'abcd',
      base_url: null,
      mode: 'live',
      created_at: expect.any(String),
    })
    const listed = await (await api(PATH, { key: api_key })).text()
    expect(listed).toContain('"last_four":"abcd"')
    expect(text + listed).not.toContain(secret)
  })

  it('leaves the key out of every row of D1, every record of the audit log and every log line', async () => {
    const { api_key, customer_id } = await createCustomer()
    const said = listenToConsole()
    const secret = unique('sk-canary')
    const body = { provider: 'ANTHROPIC', name: 'Main', key: secret }
    const id = idOf(await storedKey(api_key, body))
    await api(PATH, { key: api_key, body, headers: { 'Idempotency-Key': 'again' } })
    for (const db of [brokenD1(), d1FailingAt(1, 'before its effect'), d1FailingAt(1, 'after its effect')]) {
      const failing = { ...body, name: unique('failing') }
      const response = await deployed({ DB: db }, PATH, { key: api_key, body: failing })
      expect(await response.text()).not.toContain(secret)
    }
    await api(`${PATH}/${id}`, { key: api_key, method: 'DELETE' })
    expect(said.lines.join('\n')).not.toContain(secret)
    const tables = await env.DB.prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '_cf_%'",
    ).all<{ readonly name: string }>()
    for (const { name } of tables.results) {
      const { results } = await env.DB.prepare(`SELECT * FROM "${name}"`).all()
      expect(JSON.stringify(results), name).not.toContain(secret)
    }
    const audited = await rowsOf('audit_log', customer_id)
    expect(audited.map(({ action, target }) => [action, target])).toContainEqual(['provider_keys.create', id])
    expect(audited.map(({ action, target }) => [action, target])).toContainEqual(['provider_keys.delete', id])
  })

  it('is repeated by its idempotency key, and another body is refused', async () => {
    const { api_key } = await createCustomer()
    const headers = { 'Idempotency-Key': 'once' }
    const body = { provider: 'OPENAI', name: 'Main', key: 'sk-first-0123456789' }
    const [first, second] = [
      await api(PATH, { key: api_key, body, headers }),
      await api(PATH, { key: api_key, body, headers }),
    ]
    expect(second.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await second.text()).toBe(await first.text())
    const other = { ...body, key: 'sk-second-0123456789' }
    await expectProblem(await api(PATH, { key: api_key, body: other, headers }), 422, 'idempotency_mismatch')
  })

  it('refuses a second key of the same name for a provider, and takes it for another provider', async () => {
    const { api_key } = await createCustomer()
    const body = { provider: 'OPENAI', name: 'Main', key: 'sk-0123456789' }
    await storedKey(api_key, body)
    const again = await api(PATH, { key: api_key, body: { ...body, key: 'sk-other' } })
    const { detail } = await expectRefused(again, 409, 'conflict')
    expect(detail).toBe('A key with this name exists for OPENAI. Delete it first, or use another name.')
    await storedKey(api_key, { ...body, provider: 'ANTHROPIC' })
  })

  it('keeps at most 50 keys, also when they arrive together', async () => {
    const { api_key } = await createCustomer()
    const names = Array.from({ length: 53 }, (_, number) => `Key ${number}`)
    const statuses = await Promise.all(
      names.map(async (name) => {
        const response = await api(PATH, {
          key: api_key,
          body: { provider: 'OPENAI', name, key: 'sk-0123456789' },
        })
        await response.text()
        return response.status
      }),
    )
    expect(statuses.toSorted()).toEqual([...Array<number>(50).fill(201), 409, 409, 409])
  })

  it('shows never more than half of a key', async () => {
    const { api_key } = await createCustomer()
    for (const [key, last_four] of [
      ['x', ''],
      ['abc', 'c'],
      ['abcdef', 'def'],
      ['abcdefgh', 'efgh'],
    ]) {
      expect(await storedKey(api_key, { provider: 'OPENAI', name: `Key ${key}`, key })).toMatchObject({
        last_four,
      })
    }
  })

  it.each([
    [{ key: '' }, '/key'],
    [{ key: 'with space' }, '/key'],
    [{ key: 'with\nline' }, '/key'],
    [{ key: 'sch\u00f6n' }, '/key'],
    [{ key: 'x'.repeat(4_097) }, '/key'],
    [{ key: 1 }, '/key'],
    [{ name: '' }, '/name'],
    [{ api_key: 'sk' }, '/api_key'],
    [{ provider: 'AZURE' }, '/base_url'],
    [{ base_url: 'http://example.com' }, '/base_url'],
    [{ base_url: 'https://10.0.0.1' }, '/base_url'],
    [{ base_url: 'https://api.test/v1' }, '/base_url'],
    [{ base_url: 'https://user:pw@example.com' }, '/base_url'],
    [{ base_url: 'https://example.com/v1?key=1' }, '/base_url'],
  ])('refuses %j by naming the field', async (change, path) => {
    const { api_key } = await createCustomer()
    const body = { provider: 'OPENAI', name: 'Main', key: 'sk-0123456789', ...change }
    const response = await api(PATH, { key: api_key, body })
    expect(await expectInvalid(response, path)).toBeDefined()
  })

  it('refuses an unknown provider and names similar ones', async () => {
    const { api_key } = await createCustomer()
    const body = { provider: 'OPENIA', name: 'Main', key: 'sk-0123456789' }
    const problem = await expectRefused(await api(PATH, { key: api_key, body }), 422, 'unknown_provider')
    expect(problem.nearest).toContain('openai')
  })

  it('checks the addresses that a name has, and takes one that cannot be resolved now', async () => {
    resolverWith({
      'api.public.example': ['93.184.216.34', '2606:4700::1'],
      'inside.public.example': ['93.184.216.34', '10.0.0.1'],
      'nowhere.public.example': [],
    })
    const { api_key } = await createCustomer()
    const post = async (host: string) => {
      const body = { provider: 'OPENAI', name: host, key: 'sk-0123456789', base_url: `https://${host}/v1` }
      const response = await deployed({}, PATH, { key: api_key, body })
      await response.text()
      return response.status
    }
    expect(await post('api.public.example')).toBe(201)
    expect(await post('inside.public.example')).toBe(400)
    expect(await post('nowhere.public.example')).toBe(400)
    expect(await post('silent.public.example')).toBe(201)
  })

  it('takes a server of this machine in development, and a private host where the operator lists it', async () => {
    const { api_key } = await createCustomer()
    const local = { provider: 'OPENAI', name: 'Local', key: 'none', base_url: 'http://127.0.0.1:11434/v1' }
    expect(await storedKey(api_key, local)).toMatchObject({ base_url: 'http://127.0.0.1:11434/v1' })
    const listed = { provider: 'AZURE', name: 'GPU', key: 'none', base_url: 'http://gpu.internal:8000' }
    expect((await api(PATH, { key: api_key, body: listed })).status).toBe(400)
    await storedKey(api_key, listed, { PRIVATE_UPSTREAMS: 'gpu.internal:8000' })
  })

  it('is not possible without a usable encryption key, which a client need not retry', async () => {
    const { api_key } = await createCustomer()
    const body = { provider: 'OPENAI', name: 'Main', key: 'sk-0123456789' }
    const response = await deployed({ ENCRYPTION_KEY: '' }, PATH, { key: api_key, body })
    expect(response.headers.get('Retry-After')).toBeNull()
    await expectProblem(response, 503, 'provider_keys_not_configured')
  })
})

describe('provider keys', () => {
  it('are listed newest first, in pages', async () => {
    const { api_key } = await createCustomer()
    for (const name of ['First', 'Second', 'Third']) {
      await storedKey(api_key, { provider: 'OPENAI', name, key: 'sk-0123456789' })
    }
    const first = await read(api_key, `${PATH}?limit=2`)
    expect(first).toMatchObject({
      data: [{ name: 'Third' }, { name: 'Second' }],
      next_cursor: expect.any(String),
    })
    const second = await read(api_key, `${PATH}?limit=2&cursor=${String(first.next_cursor)}`)
    expect(second).toMatchObject({ data: [{ name: 'First' }], next_cursor: null })
  })

  it('are deleted once, and only by their customer in their mode', async () => {
    const { api_key, customer_id } = await createCustomer()
    const stranger = await createCustomer()
    const test_key = (await createKey(customer_id, { mode: 'test' })).api_key
    const id = idOf(await storedKey(api_key, { provider: 'OPENAI', name: 'Main', key: 'sk-0123456789' }))
    for (const key of [stranger.api_key, test_key]) {
      await expectRefused(await api(`${PATH}/${id}`, { key, method: 'DELETE' }), 404, 'not_found')
      expect(await read(key, PATH)).toMatchObject({ data: [] })
    }
    const deleted = await api(`${PATH}/${id}`, { key: api_key, method: 'DELETE' })
    expect(await jsonOf(deleted)).toMatchObject({ id, last_four: '6789' })
    await expectRefused(await api(`${PATH}/${id}`, { key: api_key, method: 'DELETE' }), 404, 'not_found')
    expect(await rowsOf('provider_keys', id)).toEqual([])
  })

  it('need their scope, even for reading', async () => {
    const { customer_id } = await createCustomer()
    const { api_key } = await createKey(customer_id, {
      scopes: ['gateway:use', 'keys:write', 'credits:read'],
    })
    const problem = await expectRefused(await api(PATH, { key: api_key }), 403, 'insufficient_scope')
    expect(textField(problem, 'detail')).toContain('provider-keys:write')
  })
})
