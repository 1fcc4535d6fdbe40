import { expect, it } from 'vitest'
import { createApp } from '../../src/app.ts'

const document = createApp().getOpenAPI31Document({ openapi: '3.1.0', info: { title: 'x', version: '1' } })

const operations = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
  Object.entries(methods ?? {}).map(([method, operation]) => [`${method} ${path}`, operation] as const),
)

it('every route but the open ones says that it may answer 429, and with which headers', () => {
  const open = operations.filter(([, operation]) => !('429' in operation.responses)).map(([name]) => name)
  for (const name of open) expect(name).toMatch(/^get \/(health|ready|openapi\.json|docs)/)
  for (const [name, { responses }] of operations) {
    if (open.includes(name)) continue
    expect(responses['429'], name).toMatchObject({
      description: expect.stringContaining('rate_limited'),
      headers: { 'Retry-After': {}, RateLimit: {}, 'RateLimit-Policy': {} },
    })
    for (const [status, response] of Object.entries(responses)) {
      expect(response, `${name} ${status}`).toHaveProperty('headers.RateLimit')
    }
  }
})

it('what accepts an event says that the quota may be used up, and nothing else does', () => {
  const accepting = operations.filter(([, { responses }]) =>
    String(Reflect.get(Object(responses['429']), 'description')).includes('quota_exceeded'),
  )
  expect(accepting.map(([name]) => name).sort()).toEqual([
    'post /v1/events/ingest',
    'post /v1/holds/{id}/capture',
  ])
})
