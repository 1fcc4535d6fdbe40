import { expect, it } from 'vitest'
import { api, jsonOf } from '../support/api.ts'

interface Operation {
  readonly responses: Readonly<Record<string, { readonly description: string; readonly headers?: object }>>
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

async function operations(): Promise<(readonly [name: string, Operation])[]> {
  const { paths }: Document = JSON.parse(JSON.stringify(await jsonOf(await api('/openapi.json'))))
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, operation]) => 'responses' in operation)
      .map(([method, operation]) => [`${method} ${path}`, operation] as const),
  )
}

it('every route of the API declares 429, and routes of customers the remaining requests too', async () => {
  const all = await operations()
  expect(all.length).toBeGreaterThan(50)
  for (const [name, { responses }] of all) {
    if (!name.includes(' /v1/')) continue
    expect(responses['429']?.description, name).toContain('rate_limited')
    expect(responses['429']?.headers, name).toHaveProperty('Retry-After')
  }
  for (const [status, response] of Object.entries(
    all.find(([name]) => name === 'post /v1/events/ingest')?.[1].responses ?? {},
  )) {
    expect(response.headers, status).toHaveProperty('RateLimit')
    expect(response.headers, status).toHaveProperty('RateLimit-Policy')
  }
})

it('every route that accepts an event or a counted change declares an exhausted quota, and no other does', async () => {
  const accepting = (await operations()).filter(([, { responses }]) =>
    responses['429']?.description.includes('quota_exceeded'),
  )
  expect(accepting.map(([name]) => name).sort()).toEqual([
    'patch /v1/credits/wallets',
    'post /v1/credits/adjust',
    'post /v1/credits/grant',
    'post /v1/credits/lots/{id}/revoke',
    'post /v1/credits/purchase',
    'post /v1/credits/refund',
    'post /v1/credits/transfer',
    'post /v1/entitlements',
    'post /v1/entitlements/check',
    'post /v1/events/ingest',
    'post /v1/holds',
    'post /v1/holds/{id}/capture',
    'post /v1/holds/{id}/extend',
    'put /v1/entitlements/{id}',
  ])
})
