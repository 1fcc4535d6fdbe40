import { describe, expect, it } from 'vitest'
import { isPublicAddress } from '../../src/http/outbound/addresses.ts'
import { checkUrl, type OutboundPolicy } from '../../src/http/outbound/check-url.ts'
import { REFUSED } from './refused-urls.ts'

const PRODUCTION: OutboundPolicy = {
  environment: 'production',
  own_url: 'https://edge.example.com/v1/provider-keys',
  private_hosts: [],
}
const DEVELOPMENT: OutboundPolicy = {
  environment: 'development',
  own_url: 'http://localhost:8787/v1/provider-keys',
  private_hosts: [],
}

function allowed(text: string, policy: OutboundPolicy): boolean {
  return checkUrl(text, policy).kind === 'allowed'
}

const OWN = 'must not lead to this deployment itself'

const ALLOWED = [
  ['https://api.groq.com/openai/v1', 'api.groq.com'],
  ['https://acme.openai.azure.com/openai/v1/', 'acme.openai.azure.com'],
  ['HTTPS://API.EXAMPLE.COM', 'api.example.com'],
  ['https://example.com.', 'example.com'],
  ['https://example.com:8443/v1?x=1', 'example.com'],
  ['https://example.com:22', 'example.com'],
  ['https://xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ['https://my_host.example.com', 'my_host.example.com'],
  ['https://10.example.com', '10.example.com'],
  ['https://localhost.example.com', 'localhost.example.com'],
  ['https://example.com/user@host', 'example.com'],
  ['https://8.8.8.8', undefined],
  ['https://134744072', undefined],
  ['https://172.32.0.1', undefined],
  ['https://100.128.0.1', undefined],
  ['https://192.169.0.1', undefined],
  ['https://223.255.255.255', undefined],
  ['https://[2606:4700::6810:85e5]', undefined],
  ['https://[2a00:1450:4001::200e]:443', undefined],
] as const

const LOCAL = ', or http://127.0.0.1:PORT or http://localhost:PORT in development'

describe('a URL that a customer supplies', () => {
  it('is tried with many addresses', () => {
    expect(REFUSED.length).toBeGreaterThanOrEqual(60)
  })

  it.each(REFUSED)('%s is refused, in every environment', (text, message) => {
    expect(checkUrl(text, PRODUCTION)).toEqual({ kind: 'refused', message })
    const local = message === 'must be an https URL' ? LOCAL : ''
    expect(checkUrl(text, DEVELOPMENT)).toEqual({ kind: 'refused', message: message + local })
  })

  it.each(ALLOWED)('%s is allowed, and the name to resolve is %s', (text, name) => {
    expect(checkUrl(text, PRODUCTION)).toMatchObject({ kind: 'allowed', name })
  })

  it.each([
    ['https://edge.example.com/v1', PRODUCTION],
    ['https://EDGE.example.com', PRODUCTION],
    ['https://edge.example.com.', PRODUCTION],
    ['https://edge.example.com:8443', PRODUCTION],
    ['http://localhost:8787', DEVELOPMENT],
    ['http://127.0.0.1:8787/v1', DEVELOPMENT],
  ])('%s is the deployment itself and refused', (text, policy) => {
    expect(checkUrl(text, policy)).toEqual({ kind: 'refused', message: OWN })
  })
})

describe('a server on the same machine', () => {
  const spelled = [
    'http://127.0.0.1:11434',
    'http://localhost:11434',
    'http://localhost:11434/v1',
    'http://127.0.0.1:11434/v1?x=1',
    'http://localhost:1',
    'http://127.0.0.1:65535/',
  ]

  it.each(spelled)('%s is allowed in development only', (text) => {
    expect(allowed(text, DEVELOPMENT)).toBe(true)
    expect(allowed(text, PRODUCTION)).toBe(false)
    expect(allowed(text, { ...DEVELOPMENT, environment: 'staging' })).toBe(false)
  })

  it.each([
    'http://127.0.0.1',
    'http://localhost',
    'http://localhost/',
    'http://LOCALHOST:11434',
    'HTTP://localhost:11434',
    'http:/localhost:11434',
    'http:localhost:11434',
    'http://localhost.:11434',
    'http://127.1:11434',
    'http://127.0.0.2:11434',
    'http://2130706433:11434',
    'http://0x7f.1:11434',
    'http://127.0.0.1:011434',
    'http://127.0.0.1:0',
    'http://127.0.0.1:65536',
    'http://127.0.0.1:',
    'http://[::1]:11434',
    'http://[::ffff:127.0.0.1]:11434',
    'http://0.0.0.0:11434',
    'http://user@localhost:11434',
    'http://localhost:11434@example.com',
    'http://localhost:11434#x',
    'http://localhost:11434\\@example.com',
    'http://localhost.example.com:11434',
    'http://localhost%2eexample.com:11434',
    'https://127.0.0.1:11434',
    'https://localhost:11434',
    'http://10.0.0.1:11434',
  ])('%s is another spelling, or another server, and refused', (text) => {
    expect(allowed(text, DEVELOPMENT)).toBe(false)
  })
})

describe('the hosts that the operator allows', () => {
  const policy = { ...PRODUCTION, private_hosts: ['gpu.internal', '10.0.0.5:8000', '[fd00::1]'] }

  it.each([
    ['http://gpu.internal/v1', true],
    ['https://gpu.internal:9000', true],
    ['http://10.0.0.5:8000/v1', true],
    ['http://10.0.0.5:8001', false],
    ['http://10.0.0.5', false],
    ['https://[fd00::1]:8443', true],
    ['https://[fd00::2]', false],
    ['https://other.gpu.internal', false],
    ['ftp://gpu.internal', false],
    ['http://user@gpu.internal', false],
    ['http://edge.example.com', false],
  ])('%s: %s', (text, is_allowed) => {
    expect(allowed(text, policy)).toBe(is_allowed)
  })

  it('never contain the deployment itself', () => {
    const listed = { ...PRODUCTION, private_hosts: ['edge.example.com'] }
    expect(allowed('https://edge.example.com/v1', listed)).toBe(false)
  })
})

describe('an address that DNS returns', () => {
  it.each([
    ['93.184.216.34', true],
    ['127.0.0.1', false],
    ['2606:4700::1111', true],
    ['2606:4700:0:0:0:0:0:1111', true],
    ['fe80::1', false],
    ['::ffff:10.0.0.1', false],
    ['127.1', false],
    ['300.1.1.1', false],
    ['example.com', false],
    ['', false],
    [':', false],
  ])('%s is public: %s', (address, is_public) => {
    expect(isPublicAddress(address)).toBe(is_public)
  })
})
