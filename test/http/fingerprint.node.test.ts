import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InexactNumber, normalized, parseExact, parseJson } from '../../src/http/input/exact-json.ts'
import { fingerprintOf } from '../../src/http/input/fingerprint.ts'
import { JsonSource } from '../../src/http/input/json-source.ts'
import { base64url22, base64url43, sha256 } from '../../src/http/input/sha256.ts'

const OPERATION = 'POST /v1/events/ingest'

/** Returns the digest of the canonical form of a body. This simple implementation is compared with the fast one. */
function reference(body: unknown): string {
  return digest(`${OPERATION}\n${canonical(body)}`)
}

function digest(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22)
}

function canonical(value: unknown): string {
  if (value instanceof JsonSource) return canonical(parseExact(value.text))
  if (value instanceof InexactNumber)
    return `${value.source.startsWith('-') ? '-' : ''}${normalized(value.source)}`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  fields.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`
}

const names = Array.from({ length: 45 }, (_, i) => `field_${i}`)
const text = fc.string({ unit: 'binary', maxLength: 300 })
const value = fc.oneof(fc.jsonValue({ maxDepth: 5 }), fc.dictionary(text, fc.jsonValue()))

describe('the digest', () => {
  it('is SHA-256 for any bytes of any length, and any earlier content of the buffer', () => {
    const buffer = new Uint8Array(1024).fill(0xff)
    const own = (bytes: Uint8Array) => {
      buffer.set(bytes)
      return base64url22(sha256(new DataView(buffer.buffer), bytes.length))
    }
    for (let length = 0; length < 900; length++) {
      const long = new TextEncoder().encode('aé'.repeat(length)).subarray(0, length)
      expect(own(long), `${length} bytes`).toBe(digest(long))
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 900 }), (any) => {
        expect(own(any)).toBe(digest(any))
      }),
    )
  })

  it('is SHA-256 for texts that begin like the text before', () => {
    const view = new DataView(new ArrayBuffer(1024))
    const bytes = new Uint8Array(view.buffer)
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 900 }), fc.uint8Array({ maxLength: 200 })), { maxLength: 20 }),
        (texts) => {
          let before = new Uint8Array()
          for (const [shared, rest] of texts) {
            const text = Uint8Array.from([...before.subarray(0, shared), ...rest]).subarray(0, 900)
            bytes.set(text)
            expect(base64url22(sha256(view, text.length))).toBe(digest(text))
            before = text
          }
        },
      ),
    )
  })

  it('has 22 or 43 characters of base64url', () => {
    const words = sha256(new DataView(new ArrayBuffer(128)), 0)
    const whole = createHash('sha256').digest('base64url')
    expect([base64url22(words), base64url43(words)]).toEqual([whole.slice(0, 22), whole])
  })
})

describe('a fingerprint', () => {
  it('is that of the canonical JSON, for any body', () => {
    fc.assert(
      fc.property(value, (body) => {
        expect(fingerprintOf(OPERATION, body)).toBe(reference(body))
      }),
      { numRuns: 1_000 },
    )
  })

  it('is that of the canonical JSON for hostile bodies', () => {
    for (const json of [
      '{"__proto__":{"a":1},"constructor":2,"toString":[]}',
      '{"a":1,"a":2}',
      '{"10":1,"9":2,"":3,"é":4,"\\ud800":5}',
      '{"a":-0,"b":1e400,"c":-1e400,"d":1E-7,"e":1e21,"f":9007199254740993,"g":1.00000000000000000009}',
      '["\\u0000","\\u001f","\\u007f","\\"","\\\\","\\u2028","\\ud83d\\ude00","\\udc00"]',
      '{"a":true,"b":false,"c":null,"d":{},"e":[],"f":[[],{}]}',
      JSON.stringify({ long: 'x'.repeat(50_000), list: Array(3_000).fill({ b: 1, a: 'é' }) }),
      // These strings are about as long as the buffer, so that they just fill it or do not fit into it.
      ...[5_400, 5_440, 5_461, 5_462, 16_300, 16_384].map((length) =>
        JSON.stringify({
          a: 'x'.repeat(length),
          b: 'é'.repeat(length),
          c: '"'.repeat(length),
          [`d${'語'.repeat(length)}`]: 1,
        }),
      ),
    ]) {
      const body = parseJson(json)
      expect(fingerprintOf(OPERATION, body), json.slice(0, 80)).toBe(reference(body))
    }
  })

  it('is that of the canonical JSON for bodies of one form, of similar forms and of long ones', () => {
    const field = fc.constantFrom('a', 'b', 'c', '1', '0', '', '__proto__', 'x'.repeat(50), ...names)
    const bodies = fc.array(fc.dictionary(field, fc.oneof(fc.constant(1), fc.dictionary(field, fc.nat()))))
    fc.assert(
      fc.property(bodies, (several) => {
        for (const body of several) expect(fingerprintOf(OPERATION, body)).toBe(reference(body))
        for (const body of several) expect(fingerprintOf(OPERATION, body)).toBe(reference(body))
      }),
      { numRuns: 1_000 },
    )
  })

  it('is the same for any order of fields in free JSON, and distinguishes its numbers exactly', () => {
    const of = (json: string) => fingerprintOf(OPERATION, { metadata: JsonSource.read(json) })
    expect(of('{"b":1,"a":[1.0]}')).toBe(of('{"a":[1],"b":1}'))
    expect(of('{"a":9007199254740993}')).not.toBe(of('{"a":9007199254740992}'))
    expect(of('{"a":9007199254740993}')).toBe(reference({ metadata: parseExact('{"a":9007199254740993}') }))
  })

  it('leaves out one field of the body itself', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (fields) => {
        const keyed = { ...fields, idempotency_key: 'k', nested: { idempotency_key: 'k' } }
        const { idempotency_key: _, ...rest } = keyed
        expect(fingerprintOf(OPERATION, keyed, 'idempotency_key')).toBe(reference(rest))
      }),
    )
  })

  it('equals the fingerprints that ledgers have stored since version 0.1.0', () => {
    const event = {
      event_type: 'TOKEN_USAGE',
      feature_id: 'chat',
      provider: 'OPENAI',
      model: 'gpt-4o',
      usage: { input_tokens: 1000, output_tokens: 500 },
      metadata: JsonSource.read('{"b":[1.5,"é"],"a":null}'),
    }
    expect(fingerprintOf(OPERATION, event)).toBe('OevalmtUKO_p08vvwPWtHN')
  })
})
