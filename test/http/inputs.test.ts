import { describe, expect, it } from 'vitest'
import { creditsAmount, usdAmount } from '../../src/http/input/amounts.ts'
import { customerText } from '../../src/http/input/identifiers.ts'
import { metadataInput } from '../../src/http/input/metadata.ts'
import { parseTime, timeJson } from '../../src/http/input/times.ts'
import { creditsJson, exactNumber, usdJson } from '../../src/http/output/json.ts'
import { microCredits, picoUsd, usdToParts } from '../../src/pricing/money.ts'

describe('an amount in a response', () => {
  it.each([
    [0, '0'],
    [1, '0.000001'],
    [15_000_000, '15'],
    [-15_500_000, '-15.5'],
    [8_000_000_000_000_000, '8000000000'],
    [7_999_999_999_999_999, '7999999999.999999'],
    [-1, '-0.000001'],
  ])('%d micro-credits are %s', (micro, text) => {
    expect(JSON.stringify({ credits: creditsJson(microCredits(micro)) })).toBe(`{"credits":${text}}`)
  })

  it.each([
    [0n, '0'],
    [1n, '0.000000000001'],
    [4_150_000n, '0.00000415'],
    [7_500_000_000n, '0.0075'],
    [8_000_000_000_000_000_000_001n, '8000000000.000000000001'],
  ])('%d pico-USD are %s, whole or in parts', (pico, text) => {
    expect(JSON.stringify([usdJson(picoUsd(pico)), usdJson(usdToParts(picoUsd(pico)))])).toBe(
      `[${text},${text}]`,
    )
  })

  it('is always a plain decimal', () => {
    for (const text of ['', '1e3', '.5', '1.', '01', '+1', 'NaN', 'Infinity', '1,"x":2', ' 1']) {
      expect(() => exactNumber(text)).toThrow(RangeError)
    }
  })
})

describe('an amount in a request', () => {
  const messageOf = (result: {
    readonly error?: { readonly issues: readonly { readonly message: string }[] } | undefined
  }) => result.error?.issues[0]?.message

  it.each([
    [1, 1_000_000],
    [0.000001, 1],
    ['0.000001', 1],
    [1e3, 1_000_000_000],
    ['10.500000000', 10_500_000],
    [8e9, 8_000_000_000_000_000],
    ['7999999999.999999', 7_999_999_999_999_999],
  ])('of credits may be %j', (input, micro) => expect(creditsAmount().parse(input)).toBe(micro))

  it.each([
    [0, 'must be above 0'],
    [-1, 'must be above 0'],
    ['-0.1', 'must be above 0'],
    [0.0000001, 'must have at most 6 decimals'],
    ['1.0000001', 'must have at most 6 decimals'],
    [8e9 + 1, 'must be at most 8000000000'],
    [1e300, 'must be at most 8000000000'],
    ['9'.repeat(30), 'must be at most 8000000000'],
    ['9'.repeat(300), 'must be a number, or a string with a plain decimal'],
    ['1e3', 'must be a number, or a string with a plain decimal'],
    ['', 'must be a number, or a string with a plain decimal'],
    [' 1', 'must be a number, or a string with a plain decimal'],
    ['NaN', 'must be a number, or a string with a plain decimal'],
    [Number.POSITIVE_INFINITY, 'must be a number, or a string with a plain decimal'],
    [true, 'must be a number, or a string with a plain decimal'],
    [null, 'must be a number, or a string with a plain decimal'],
    [undefined, 'required'],
  ])('of credits may not be %j: %s', (input, message) =>
    expect(messageOf(creditsAmount().safeParse(input))).toBe(message),
  )

  it('of USD may be 0 and have 12 decimals', () => {
    expect(usdAmount().parse(0)).toEqual({ micro: 0, pico: 0 })
    expect(usdAmount().parse('1.000000000001')).toEqual({ micro: 1_000_000, pico: 1 })
    expect(usdAmount().parse(8e9)).toEqual({ micro: 8_000_000_000_000_000, pico: 0 })
    expect(messageOf(usdAmount().safeParse('1.0000000000001'))).toBe('must have at most 12 decimals')
    expect(messageOf(usdAmount().safeParse(-0.01))).toBe('must not be negative')
    expect(messageOf(usdAmount().safeParse('8000000000.000000000001'))).toBe('must be at most 8000000000')
  })
})

describe('a time', () => {
  it.each([
    ['2026-01-31T09:30:00Z', '2026-01-31T09:30:00.000Z'],
    ['2026-01-31t09:30:00.5z', '2026-01-31T09:30:00.500Z'],
    ['2026-01-31T09:30:00.123456789Z', '2026-01-31T09:30:00.123Z'],
    ['2026-01-31T00:30:00+05:30', '2026-01-30T19:00:00.000Z'],
    ['2026-12-31T23:59:59-12:00', '2027-01-01T11:59:59.000Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
    ['1969-12-31T23:30:00-00:30', '1970-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('may be %s', (text, utc) => {
    const at_ms = parseTime(text)
    expect(typeof at_ms === 'number' ? timeJson(at_ms) : at_ms).toBe(utc)
  })

  it.each([
    '',
    'now',
    '2026-01-31',
    '2026-01-31 09:30:00Z',
    '2026-01-31T09:30:00',
    '2026-01-31T09:30Z',
    '2026-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T23:60:00Z',
    '2026-06-30T23:59:60Z',
    '2026-01-01T00:00:00+24:00',
    '1969-12-31T23:59:59Z',
    '0026-01-01T00:00:00Z',
    '9999-12-31T23:59:59-00:01',
    '10000-01-01T00:00:00Z',
    '1769763000',
  ])('may not be %j', (text) => expect(parseTime(text)).toMatch(/^must be/))
})

describe("a customer's own id", () => {
  it.each([
    'a',
    'user@example.com',
    '../../etc/passwd',
    'käse 🧀',
    '🧀'.repeat(255),
    'x'.repeat(255),
    ' ',
    "'; DROP TABLE x--",
  ])('may be %j', (id) => expect(customerText().parse(id)).toBe(id))

  it.each([
    '',
    'x'.repeat(256),
    'x'.repeat(300),
    '🧀'.repeat(256),
    'a\u0000b',
    'a\nb',
    '\u007f',
    '\u0085',
    '\ud83e',
    '\udd00x',
    7,
    null,
  ])('may not be %j', (id) => expect(customerText().safeParse(id).success).toBe(false))
})

describe('metadata', () => {
  const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]))

  it('is stored unchanged', () => {
    const metadata = { a: 1, b: null, c: [true, { d: 'é' }] }
    expect(metadataInput().parse(metadata)).toBe(JSON.stringify(metadata))
  })

  it('may have 50 keys and 16 KB as UTF-8', () => {
    expect(metadataInput().safeParse(keys(50)).success).toBe(true)
    expect(metadataInput().safeParse(keys(51)).error?.issues[0]?.message).toBe('must have at most 50 keys')
    const shell = '{"a":""}'.length
    expect(metadataInput().safeParse({ a: 'x'.repeat(16_384 - shell) }).success).toBe(true)
    expect(metadataInput().safeParse({ a: 'x'.repeat(16_385 - shell) }).success).toBe(false)
    expect(metadataInput().safeParse({ a: 'é'.repeat(8_200) }).success).toBe(false)
  })

  it.each([null, [], 'text', 1])('may not be %j', (input) =>
    expect(metadataInput().safeParse(input).success).toBe(false),
  )
})
