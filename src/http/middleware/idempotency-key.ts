import { createHash } from 'node:crypto'
import { createMiddleware } from 'hono/factory'
import type { AppEnv } from '../env.ts'
import { invalidRequest } from '../output/problem.ts'

const PRINTABLE_ASCII = /^[\x20-\x7e]{1,255}$/

/** Validates the `Idempotency-Key` header of a POST and stores it as `idempotency_key`. */
export const idempotencyKey = createMiddleware<AppEnv>(async (c, next) => {
  const key = c.req.method === 'POST' ? c.req.header('Idempotency-Key') : undefined
  if (key !== undefined && !PRINTABLE_ASCII.test(key)) {
    const message = 'must be 1 to 255 printable ASCII characters'
    return invalidRequest(c, `The header Idempotency-Key ${message}.`, [
      { path: '/Idempotency-Key', message },
    ])
  }
  c.set('idempotency_key', key)
  return next()
})

/**
 * The fingerprint of a keyed request: its operation and parsed body, in any field order. 22 characters of base64url
 * are 132 bits of SHA-256, enough to tell two requests under one key apart.
 */
export function fingerprintOf(operation: string, body: unknown): string {
  return createHash('sha256')
    .update(`${operation}\n${canonicalJson(body)}`)
    .digest('base64url')
    .slice(0, 22)
}

/** JSON with sorted keys. `jsonBody` has limited the depth. */
function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  fields.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`).join(',')}}`
}
