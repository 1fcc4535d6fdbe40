import { createHash } from 'node:crypto'
import { createMiddleware } from 'hono/factory'
import type { AppEnv } from '../env.ts'
import { InexactNumber, normalized, parseExact } from '../input/exact-json.ts'
import { JsonSource, MAX_FREE_JSON_BYTES } from '../input/json-source.ts'
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
  const hash = createHash('sha256').update(`${operation}\n`)
  let pending = ''
  writeCanonical(body, (text) => {
    pending += text
    if (pending.length < HASHED_AT_ONCE) return
    hash.update(pending)
    pending = ''
  })
  return hash.update(pending).digest('base64url').slice(0, 22)
}

/** In portions, a canonical body of 4 MB is never in memory as a whole. */
const HASHED_AT_ONCE = 16 * 1024

/**
 * Writes JSON with sorted keys. `jsonBody` has limited the depth. Free JSON is parsed here, one value at a time; its
 * numbers count exactly.
 */
function writeCanonical(value: unknown, write: (text: string) => void): void {
  if (value instanceof JsonSource) writeSource(value, write)
  else if (value instanceof InexactNumber) write(canonicalNumber(value.source))
  else if (typeof value !== 'object' || value === null) write(JSON.stringify(value) ?? 'null')
  else if (Array.isArray(value)) {
    write('[')
    for (const [index, item] of value.entries()) {
      if (index > 0) write(',')
      writeCanonical(item, write)
    }
    write(']')
  } else writeFields(value, write)
}

/** A text that is too large is refused wherever it is, and not worth parsing. */
function writeSource({ text, bytes }: JsonSource, write: (text: string) => void): void {
  if (bytes > MAX_FREE_JSON_BYTES) write(text)
  else writeCanonical(parseExact(text), write)
}

function writeFields(value: object, write: (text: string) => void): void {
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  fields.sort(([a], [b]) => (a < b ? -1 : 1))
  write('{')
  for (const [index, [key, field]] of fields.entries()) {
    write(`${index > 0 ? ',' : ''}${JSON.stringify(key)}:`)
    writeCanonical(field, write)
  }
  write('}')
}

function canonicalNumber(source: string): string {
  return `${source.startsWith('-') ? '-' : ''}${normalized(source)}`
}
