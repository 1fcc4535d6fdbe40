import { describe, expect, it } from 'vitest'
import { redact } from '../../src/logging/log.ts'

const KEY = 'om_live_01m82kr9vnj1qk2s67ndqm186wAbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhI0a1B2c'

describe('a text for the log', () => {
  it.each([
    [`the key ${KEY} is`, 'the key om_live_[redacted] is'],
    [`"${KEY.slice(0, 20)}…"`, '"om_live_[redacted]…"'],
    [`x${KEY.replace('live', 'test')}`, 'xom_test_[redacted]'],
    ['Authorization: Bearer abc.def-123', 'Authorization: Bearer [redacted]'],
    ['authorization=bearer abc', 'authorization=bearer [redacted]'],
    ['{"Authorization":"Basic YTpi"}', '{"Authorization":"Basic [redacted]"}'],
    ['X-API-Key: something', 'X-API-Key: [redacted]'],
    ["'x-api-key': 'something'", "'x-api-key': '[redacted]'"],
    [
      'OPERATOR_TOKEN=hush OPERATOR_TOKEN_NEXT=hush',
      'OPERATOR_TOKEN=[redacted] OPERATOR_TOKEN_NEXT=[redacted]',
    ],
    ['X-Provider-Key: something', 'X-Provider-Key: [redacted]'],
    ['x-goog-api-key=something', 'x-goog-api-key=[redacted]'],
    [
      'ENCRYPTION_KEY=hush ENCRYPTION_KEY_NEXT=hush PORTAL_TOKEN_SECRET=hush',
      'ENCRYPTION_KEY=[redacted] ENCRYPTION_KEY_NEXT=[redacted] PORTAL_TOKEN_SECRET=[redacted]',
    ],
    ['Incorrect API key provided: sk-proj-AbC_0123456789.', 'Incorrect API key provided: sk-[redacted].'],
    ['gsk_0123456789abcdef and xai-0123456789', 'gsk-[redacted] and xai-[redacted]'],
    ['key=AIzaSyA-0123456789_x', 'key=AIza[redacted]'],
    ['risk-free and task-oriented words', 'risk-free and task-oriented words'],
    ['mail <ann.o-neill+x@mail.example.com>!', 'mail <[email]>!'],
    ['/v1/users/ann%40example.com/', '/v1/users/[email]/'],
    ['jürgen@straße.example', '[email]'],
    ['GET https://d1.example/query?user=ann&x=1 failed', 'GET https://d1.example/query?[redacted] failed'],
    ['hono@4.13.19 at file.ts:12', 'hono@4.13.19 at file.ts:12'],
    ['D1_ERROR: no such table: customers', 'D1_ERROR: no such table: customers'],
    ['', ''],
  ])('%s', (text, redacted) => {
    expect(redact(text, 500)).toBe(redacted)
  })

  it('is cut without leaving an unrecognisable part of a secret', () => {
    const secrets = [
      'ann.o-neill@mail.example.com',
      KEY,
      'Bearer hunter2-hunter2',
      'https://x.example/?q=find-me',
    ]
    for (const secret of secrets) {
      for (let before = 0; before < 520; before++) {
        const redacted = redact(`${'x '.repeat(before / 2)}${secret} ${'and more '.repeat(100)}`, 500)
        expect(redacted.length).toBeLessThanOrEqual(501)
        expect(redacted, `${secret} at ${before}`).not.toMatch(/o-neill|om_live_0|hunter|find-me/)
      }
    }
  })

  it('is unchanged when it is short enough and contains no secret', () => {
    const text = 'x'.repeat(500)
    expect(redact(text, 500)).toBe(text)
    expect(redact(`${text} ${text}`, 500)).toBe(`${text}…`)
  })

  it.each([
    'a',
    '@',
    'a@',
    '%40',
    'a%40a',
    'a@a',
    'a.',
    'Bearer ',
    'om_live_',
    'https://a?',
    'x-api-key:',
    '\\"',
    '😀',
  ])('takes little time, even for hostile content: %s', (piece) => {
    const text = piece.repeat(5_000)
    const started_ms = performance.now()
    for (let i = 0; i < 10; i++) redact(text, 4_000)
    // Each call takes one or two milliseconds. A regular expression with exponential backtracking would take minutes.
    expect(performance.now() - started_ms).toBeLessThan(5_000)
  })
})
