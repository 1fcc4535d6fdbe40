import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JsonSource, placeSources, scanJson, Utf8Text } from '../../src/http/input/json-source.ts'

const LIMITS = { fields: 10_000, values: 150_000, depth: 64 }

/** Reads a body in the same way as `jsonBody`. */
function read(text: string): unknown {
  const scanned = scanJson(text, LIMITS)
  if (typeof scanned === 'string') return scanned
  const body: unknown = JSON.parse(scanned.text)
  placeSources(body, scanned.sources)
  return body
}

/** Reads a body from its bytes, in the same way as `jsonBody` reads a large body. */
function readBytes(text: string): unknown {
  const scanned = scanJson(new Utf8Text(new TextEncoder().encode(text)), LIMITS)
  if (typeof scanned === 'string') return scanned
  const body: unknown = JSON.parse(scanned.text)
  placeSources(body, scanned.sources)
  return body
}

/** Returns a body in which all `JsonSource` values are replaced by their parsed JSON. */
function parsed(value: unknown): unknown {
  if (value instanceof JsonSource) return JSON.parse(value.text)
  if (Array.isArray(value)) return value.map(parsed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, parsed(field)]))
}

function metadataOf(body: unknown): unknown {
  const source: unknown = Object(body).metadata
  return source instanceof JsonSource ? source.text : source
}

const SPACES = fc.stringMatching(/^[ \n\r\t]{0,3}$/)

/** Returns the JSON text of a value, with `space` in place of line breaks and indentation. */
function spaced(value: unknown, space: string): string {
  return JSON.stringify(value, null, '\t').replaceAll(/\n\t*/g, space)
}

const event = fc.record(
  { metadata: fc.jsonValue(), value: fc.jsonValue(), user_id: fc.string(), usage: fc.jsonValue() },
  { requiredKeys: [] },
)
const body = fc.oneof(
  event,
  fc.record({ events: fc.array(event), metadata: fc.jsonValue() }, { requiredKeys: [] }),
  fc.jsonValue(),
)

describe('the scanner of bodies', () => {
  it('changes only whether free JSON is parsed, for any JSON', () => {
    fc.assert(
      fc.property(body, SPACES, (value, space) => {
        const text = spaced(value, space)
        expect(parsed(read(text))).toEqual(JSON.parse(text))
        expect(readBytes(text)).toEqual(read(text))
      }),
      { numRuns: 1_000 },
    )
  })

  it('refuses every text that JSON.parse refuses', () => {
    fc.assert(
      fc.property(
        body,
        fc.nat(),
        fc.string({ unit: fc.constantFrom(...'{}[],:"\\ 0e-tn'), maxLength: 3 }),
        (value, at, put) => {
          const json = JSON.stringify(value)
          const place = at % (json.length + 1)
          const text = json.slice(0, place) + put + json.slice(place + (at % 2))
          expect(
            isAccepted(() => read(text)),
            text,
          ).toBe(isAccepted(() => JSON.parse(text)))
          expect(
            isAccepted(() => readBytes(text)),
            text,
          ).toBe(isAccepted(() => JSON.parse(text)))
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it.each([
    ['{"__proto__":"a","b":2}', '{"__proto__":"a","b":2}'],
    ['{ "id" : 9007199254740993, "n":\n1e400, "z": -0.0 }', '{"id":9007199254740993,"n":1e400,"z":-0.0}'],
    ['{"a":"\\u00e9\\/","\\u0062":1}', '{"a":"é/","b":1}'],
    ['{"metadata":{"events":[{"metadata":{}}]}}', '{"metadata":{"events":[{"metadata":{}}]}}'],
  ])('keeps %s as text without whitespace', (text, kept) => {
    expect(metadataOf(read(`{"metadata":${text}}`))).toBe(kept)
    expect(read(`{"events":[1,{"x":[{"metadata":1}]},{"metadata":${text}}]}`)).toMatchObject({
      events: [1, { x: [{ metadata: 1 }] }, { metadata: { text: kept } }],
    })
  })

  it('reads letters of every length from bytes, and drops only a leading byte order mark', () => {
    const metadata = '{"語":"\ufeffé💸"}'
    expect(metadataOf(readBytes(`\ufeff{"a":"語","metadata": ${metadata},"\ufeffmetadata":1}`))).toBe(
      metadata,
    )
  })

  it.each([
    ['in metadata', '{"metadata":{"a":"X"}}'],
    ['beside it', '{"metadata":{},"a":"X"}'],
  ])('refuses bytes %s that are not UTF-8', (_, text) => {
    const bytes = new TextEncoder().encode(text)
    bytes[bytes.indexOf(0x58)] = 0xc3
    const body = () => {
      const scanned = scanJson(new Utf8Text(bytes), LIMITS)
      return typeof scanned === 'string' ? scanned : JSON.parse(scanned.text)
    }
    expect(isAccepted(body)).toBe(false)
  })

  it('finds a field whose name is written with escapes', () => {
    expect(metadataOf(read('{"meta\\u0064ata":{"a":1}}'))).toBe('{"a":1}')
  })

  it('takes the last of several fields of one name', () => {
    expect(metadataOf(read('{"metadata":{"a":1},"metadata":{"b":2}}'))).toBe('{"b":2}')
    expect(metadataOf(read('{"metadata":{"a":1},"metadata":7}'))).toBe(7)
    const events = read('{"events":[{"metadata":{"a":1}}],"events":[{"x":1}]}')
    expect(events).toEqual({ events: [{ x: 1 }] })
  })

  it.each([
    '{"metadata":{"a":1 2}}',
    '{"metadata":{"a":tr ue}}',
    '{"metadata":{"a":"\\x"}}',
    '{"metadata":{',
  ])('refuses %s', (text) => expect(isAccepted(() => read(text))).toBe(false))

  it('counts values, fields and levels before anything is parsed', () => {
    expect(read(`{"a":[${'0,'.repeat(150_000)}0]}`)).toBe('too_many_values')
    expect(read(`{"a":[${'{},'.repeat(100_000)}{}]}`)).toBe('too_many_values')
    expect(read(`{${'"a":0,'.repeat(10_000)}"a":0}`)).toBe('too_many_fields')
    expect(read(`{"metadata":${'['.repeat(64)}${']'.repeat(64)}}`)).toBe('too_deep')
    expect(read(`{"metadata":{"a":[${'{},'.repeat(500_000)}{}]}}`)).toMatchObject({
      metadata: { bytes: 1_500_010, keys: undefined },
    })
  })
})

function isAccepted(work: () => unknown): boolean {
  try {
    return work() !== 'invalid'
  } catch {
    return false
  }
}
