import { describe, expect, it } from 'vitest'
import { createApp } from '../../src/app.ts'

describe('the OpenAPI document', () => {
  const document = createApp().getOpenAPI31Document({ openapi: '3.1.0', info: { title: 'x', version: '1' } })

  it('knows every route of the app', () => {
    const documented = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
      Object.keys(methods ?? {}).map((method) => `${method.toUpperCase()} ${path}`),
    )
    const mounted = createApp()
      .routes.filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
    expect(new Set(documented)).toEqual(new Set(mounted))
  })

  it('says of the inputs what the validation does', () => {
    const schemas = document.components?.schemas ?? {}
    expect(schemas.Registration).toMatchObject({
      type: 'object',
      additionalProperties: false,
      required: ['name', 'email'],
      properties: {
        name: { type: 'string', minLength: 1, maxLength: 255 },
        email: { type: 'string', format: 'email', maxLength: 254 },
        tier: { type: 'string', enum: ['STARTER', 'GROWTH', 'ENTERPRISE'], default: 'STARTER' },
      },
    })
    expect(document.paths?.['/v1/customers/register']?.post?.responses).toMatchObject({
      201: { content: { 'application/json': {} } },
      400: { content: { 'application/problem+json': {} }, description: 'invalid_request, invalid_json' },
      409: { description: 'conflict' },
    })
  })
})
