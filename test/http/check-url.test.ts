import { describe, expect, it } from 'vitest'
import { isPublicAddress } from '../../src/http/outbound/addresses.ts'
import { checkUrl, type OutboundPolicy } from '../../src/http/outbound/check-url.ts'

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

const HTTPS_ONLY = 'must be an https URL'
const PRIVATE = 'must not lead to a private, loopback or link-local address'
const OWN = 'must not lead to this deployment itself'
const USER_INFO = 'must not contain a user name or a password'
const PLAIN = 'must have only printable ASCII characters, without spaces and backslashes'
const HOST = 'must have a valid host name'

/** Each is refused in production and in development alike. */
const REFUSED = [
  // No https.
  ['http://example.com', HTTPS_ONLY],
  ['ftp://example.com', HTTPS_ONLY],
  ['example.com', HTTPS_ONLY],
  ['//example.com', HTTPS_ONLY],
  ['https:example.com', HTTPS_ONLY],
  ['https:/example.com', HTTPS_ONLY],
  ['https:///example.com', HTTPS_ONLY],
  ['https://', HTTPS_ONLY],
  ['', PLAIN],
  ['javascript:alert(1)', HTTPS_ONLY],
  ['file:///etc/passwd', HTTPS_ONLY],
  ['data:text/plain,x', HTTPS_ONLY],
  ['http://10.0.0.1:8080', HTTPS_ONLY],
  ['http://169.254.169.254/latest/meta-data', HTTPS_ONLY],
  // Characters that URL parsers drop or change.
  ['https://exam\tple.com', PLAIN],
  ['https://example.com\n', PLAIN],
  [' https://example.com', PLAIN],
  ['https:\\\\127.0.0.1', PLAIN],
  ['https://127.0.0.1\\@example.com', PLAIN],
  ['https://１２７.0.0.1', PLAIN],
  ['https://ⓛocalhost', PLAIN],
  ['https://example.com/#fragment', 'must not have a fragment'],
  // User names and passwords.
  ['https://user@example.com', USER_INFO],
  ['https://user:password@example.com', USER_INFO],
  ['https://@example.com', USER_INFO],
  ['https://:@example.com', USER_INFO],
  ['https://example.com@127.0.0.1', USER_INFO],
  // Private, loopback, link-local and special IPv4 addresses.
  ['https://0.0.0.0', PRIVATE],
  ['https://0.1.2.3', PRIVATE],
  ['https://10.0.0.1', PRIVATE],
  ['https://100.64.0.1', PRIVATE],
  ['https://127.0.0.1', PRIVATE],
  ['https://127.255.255.254', PRIVATE],
  ['https://169.254.169.254', PRIVATE],
  ['https://172.16.0.1', PRIVATE],
  ['https://172.31.255.255', PRIVATE],
  ['https://192.0.0.170', PRIVATE],
  ['https://192.0.2.1', PRIVATE],
  ['https://192.88.99.1', PRIVATE],
  ['https://192.168.1.1', PRIVATE],
  ['https://198.18.0.1', PRIVATE],
  ['https://198.51.100.7', PRIVATE],
  ['https://203.0.113.9', PRIVATE],
  ['https://224.0.0.1', PRIVATE],
  ['https://240.0.0.1', PRIVATE],
  ['https://255.255.255.255', PRIVATE],
  // Their other spellings.
  ['https://127.1', PRIVATE],
  ['https://127.0.1', PRIVATE],
  ['https://127.0.0.1.', PRIVATE],
  ['https://2130706433', PRIVATE],
  ['https://0x7f000001', PRIVATE],
  ['https://0x7f.0.0.1', PRIVATE],
  ['https://0177.0.0.1', PRIVATE],
  ['https://017700000001', PRIVATE],
  ['https://0', PRIVATE],
  ['https://10.1', PRIVATE],
  ['https://0xa9fea9fe', PRIVATE],
  ['https://169.254.43518', PRIVATE],
  ['https://0251.0376.0251.0376', PRIVATE],
  ['https://%31%32%37.0.0.1', PRIVATE],
  ['https://3232235777', PRIVATE],
  // IPv6.
  ['https://[::]', PRIVATE],
  ['https://[::1]', PRIVATE],
  ['https://[0:0:0:0:0:0:0:1]', PRIVATE],
  ['https://[::ffff:127.0.0.1]', PRIVATE],
  ['https://[::ffff:7f00:1]', PRIVATE],
  ['https://[::ffff:8.8.8.8]', PRIVATE],
  ['https://[::127.0.0.1]', PRIVATE],
  ['https://[64:ff9b::7f00:1]', PRIVATE],
  ['https://[64:ff9b:1::1]', PRIVATE],
  ['https://[100::1]', PRIVATE],
  ['https://[2001::1]', PRIVATE],
  ['https://[2001:db8::1]', PRIVATE],
  ['https://[2002:7f00:1::]', PRIVATE],
  ['https://[3fff::1]', PRIVATE],
  ['https://[5f00::1]', PRIVATE],
  ['https://[fc00::1]', PRIVATE],
  ['https://[fd12:3456::1]', PRIVATE],
  ['https://[fe80::1]', PRIVATE],
  ['https://[fec0::1]', PRIVATE],
  ['https://[ff02::1]', PRIVATE],
  // Names that only a private network resolves.
  ['https://localhost', PRIVATE],
  ['https://LOCALHOST', PRIVATE],
  ['https://localhost.', PRIVATE],
  ['https://localhost:8443', PRIVATE],
  ['https://api.localhost', PRIVATE],
  ['https://printer', PRIVATE],
  ['https://printer.local', PRIVATE],
  ['https://metadata.google.internal', PRIVATE],
  ['https://nas.home.arpa', PRIVATE],
  ['https://router.lan', PRIVATE],
  ['https://hidden.onion', PRIVATE],
  // Invalid host names and ports.
  ['https://exa_mple..com', HOST],
  ['https://-a.example.com', HOST],
  ['https://a*.example.com', HOST],
  ['https://1.2.3.4.5', HTTPS_ONLY],
  ['https://256.0.0.1', HTTPS_ONLY],
  ['https://example.com:65536', HTTPS_ONLY],
  ['https://example.com:0', 'must not have port 0'],
  ['https://[::1', HTTPS_ONLY],
  [`https://example.com/${'a'.repeat(2_048)}`, 'must have at most 2048 characters'],
] as const

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

describe('a URL that a customer supplies', () => {
  it('is tried with many addresses', () => {
    expect(REFUSED.length).toBeGreaterThanOrEqual(60)
  })

  it.each(REFUSED)('%s is refused, in every environment', (text, message) => {
    for (const policy of [PRODUCTION, DEVELOPMENT]) {
      expect(checkUrl(text, policy)).toEqual({ kind: 'refused', message })
    }
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

describe('an address that DNS answers', () => {
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
