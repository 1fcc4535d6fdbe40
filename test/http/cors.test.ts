import { describe, expect, it } from 'vitest'
import gatewayDocs from '../../docs/gateway.md?raw'
import { deployed } from '../support/deployment.ts'

const APP = 'https://app.example.com'
const LISTED = { CORS_ORIGINS: ` ${APP}, http://localhost:3000 ` }

const preflight = (bindings: Readonly<Record<string, string>>, origin: string, path = '/v1/events/ingest') =>
  deployed(bindings, path, {
    method: 'OPTIONS',
    headers: {
      Origin: origin,
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'authorization,content-type,idempotency-key',
    },
  })

/** The names of the request headers that `docs/gateway.md` describes. */
const METER_HEADERS = new Set(gatewayDocs.match(/X-(?:Meter|Provider)-[A-Za-z]+(?:-[A-Za-z]+)*/g)).difference(
  new Set([
    'X-Meter-Event-Id',
    'X-Meter-Credits-Burned',
    'X-Meter-Balance',
    'X-Meter-Attempts',
    'X-Provider-Request-Id',
  ]),
)

const corsHeaders = ({ headers }: Response) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')))

describe('CORS', () => {
  it('is off by default: a preflight is an ordinary OPTIONS request, and no origin is allowed', async () => {
    for (const bindings of [{}, { CORS_ORIGINS: '' }, { CORS_ORIGINS: ' , ' }]) {
      const response = await preflight(bindings, APP)
      expect(response.status).toBe(204)
      expect(corsHeaders(response)).toEqual({})
      const answer = await deployed(bindings, '/health', { headers: { Origin: APP } })
      expect(corsHeaders(answer)).toEqual({})
    }
  })

  it('responds to the preflight of a listed origin without a key', async () => {
    const response = await preflight(LISTED, APP)
    expect(response.status).toBe(204)
    expect(await response.text()).toBe('')
    expect(corsHeaders(response)).toEqual({
      'access-control-allow-origin': APP,
      'access-control-allow-methods': 'GET,HEAD,POST,PUT,PATCH,DELETE',
      'access-control-allow-headers': expect.stringMatching(
        /^Authorization,X-API-Key,Content-Type,Idempotency-Key,X-Request-Id,X-Meter-User,/,
      ),
      'access-control-expose-headers': expect.stringMatching(
        /^X-Request-Id,X-Next-Cursor,Idempotency-Replayed,RateLimit,RateLimit-Policy,Retry-After,X-Meter-Event-Id,/,
      ),
      'access-control-max-age': '7200',
    })
    expect(response.headers.get('Vary')).toContain('Origin')
    expect(response.headers.get('X-Request-Id')).toMatch(/^req_/)
  })

  it('lets a page send every header of the gateway, and read the charge', async () => {
    const { headers } = await preflight(LISTED, APP, '/gateway/openai/v1/chat/completions')
    const allowed = headers.get('Access-Control-Allow-Headers')?.split(',') ?? []
    for (const name of METER_HEADERS) expect(allowed).toContain(name)
    // The SDKs of OpenAI and Anthropic also send these headers from web pages.
    for (const name of ['X-Stainless-Lang', 'X-Stainless-Retry-Count', 'OpenAI-Project', 'Anthropic-Version'])
      expect(allowed).toContain(name)
    const exposed = headers.get('Access-Control-Expose-Headers')?.split(',') ?? []
    for (const name of ['X-Meter-Event-Id', 'X-Meter-Credits-Burned', 'X-Meter-Balance', 'X-Meter-Attempts'])
      expect(exposed).toContain(name)
  })

  it('lets a listed origin read responses and errors, and declares that responses differ by origin', async () => {
    for (const path of ['/health', '/v1/credits/balance', '/nowhere']) {
      const response = await deployed(LISTED, path, { headers: { Origin: 'http://localhost:3000' } })
      expect(response.headers.get('Access-Control-Allow-Origin')).toBe('http://localhost:3000')
      expect(response.headers.get('Access-Control-Expose-Headers')).toContain('X-Request-Id')
      expect(response.headers.get('Access-Control-Allow-Credentials')).toBeNull()
      expect(response.headers.get('Vary')).toBe('Origin')
    }
  })

  it.each([
    'https://app.example.com.evil.example',
    'https://evil.example',
    'http://app.example.com',
    'https://app.example.com:8443',
    'https://APP.example.com',
    'null',
    '*',
    '',
  ])('allows nothing to the origin %s, which is not listed', async (origin) => {
    expect((await preflight(LISTED, origin)).headers.get('Access-Control-Allow-Origin')).toBeNull()
    const response = await deployed(LISTED, '/health', { headers: { Origin: origin } })
    expect(response.status).toBe(200)
    expect(response.headers.get('Access-Control-Allow-Origin')).toBeNull()
  })

  it('may be open to every page, and never sends credentials', async () => {
    const response = await preflight({ CORS_ORIGINS: '*' }, 'https://anybody.example')
    expect(response.status).toBe(204)
    expect(response.headers.get('Access-Control-Allow-Origin')).toBe('*')
    expect(response.headers.get('Access-Control-Allow-Credentials')).toBeNull()
  })

  it('treats an OPTIONS request that is no preflight as an ordinary one', async () => {
    expect((await deployed(LISTED, '/v1/credits/balance', { method: 'OPTIONS' })).status).toBe(204)
    const response = await deployed(LISTED, '/health', { method: 'OPTIONS', headers: { Origin: APP } })
    expect(response.status).toBe(204)
    expect(response.headers.get('Allow')).toBe('GET, HEAD, OPTIONS')
  })

  it('responds to HEAD like GET, without the body', async () => {
    const response = await deployed(LISTED, '/health', { method: 'HEAD', headers: { Origin: APP } })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('')
    expect(response.headers.get('Access-Control-Allow-Origin')).toBe(APP)
  })
})
