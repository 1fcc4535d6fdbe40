import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatNumber, isZero, objectOf, parseExact } from '../src/exact.ts'

const digits = (min: number, max: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: min, maxLength: max }).map((list) => list.join(''))
const whole = digits(1, 30).map((text) => text.replace(/^0+(?=\d)/, ''))
const decimal = fc
  .tuple(fc.constantFrom('', '-'), whole, digits(0, 12))
  .map(([sign, before, after]) => `${sign}${before}${after === '' ? '' : `.${after}`}`)

describe('JSON of the API', () => {
  it('keeps every digit of a number, at any place', () => {
    fc.assert(
      fc.property(decimal, fc.string(), (number, text) => {
        const json = `{"a":${number},"b":[${number},{"c":${number}}],${JSON.stringify(text)}:"x"}`
        const { a, b } = objectOf(parseExact(json))
        expect([text === 'a' ? number : a, text === 'b' ? [number, { c: number }] : b]).toEqual([
          number,
          [number, { c: number }],
        ])
      }),
    )
  })

  it('keeps strings that look like numbers or JSON', () => {
    for (const text of ['12', '"1', '\\"2', '{"a":3}', 'x\\', 'e5', '"', '\u2028 4']) {
      expect(parseExact(JSON.stringify({ text, n: [1, text] }))).toEqual({ text, n: ['1', text] })
    }
  })

  it('keeps true, false and null, and refuses what is not JSON', () => {
    expect(parseExact('[true,false,null,-0.5,1e3]')).toEqual([true, false, null, '-0.5', '1e3'])
    for (const text of ['', '{', '{"a":}', '1 2', "{'a':1}"]) expect(() => parseExact(text)).toThrow()
  })
})

describe('a number', () => {
  it('is shown with all its digits in every locale', () => {
    fc.assert(
      fc.property(decimal, fc.constantFrom('en', 'de', 'fr-CH', 'en-IN', 'pt-BR', 'ja'), (text, locale) => {
        const separator = new Intl.NumberFormat(locale)
          .formatToParts(1.5)
          .find(({ type }) => type === 'decimal')
        const [before = '', after] = formatNumber(text, locale).split(separator?.value ?? '')
        const shown = `${before.replace(/\D/g, '')}${after === undefined ? '' : `.${after}`}`
        expect(shown).toBe(text.replace('-', ''))
        expect(formatNumber(text, locale).includes('-')).toBe(text.startsWith('-'))
      }),
    )
  })

  it.each([
    ['7999999999.123456', 'en', '7,999,999,999.123456'],
    ['7999999999.123456', 'de', '7.999.999.999,123456'],
    ['12345678.000001', 'en-IN', '1,23,45,678.000001'],
    ['-0.00000415', 'en', '-0.00000415'],
    ['1234567.50', 'fr', '1\u202f234\u202f567,50'],
    ['1205.5', 'ar-EG', '١٬٢٠٥٫٥'],
    ['9007199254740993', 'en', '9,007,199,254,740,993'],
    ['0', 'en', '0'],
  ])('%s in %s is %s', (text, locale, shown) => {
    expect(formatNumber(text, locale)).toBe(shown)
  })

  it('as a price, has at least two decimals, and more if the API has more', () => {
    expect(formatNumber('5', 'en', 'USD')).toBe('$5.00')
    expect(formatNumber('123456.7', 'en', 'USD')).toBe('$123,456.70')
    expect(formatNumber('0.005', 'en', 'USD')).toBe('$0.005')
    expect(formatNumber('5', 'de', 'USD')).toBe('5,00\u00a0$')
  })

  it('of another form is shown unchanged', () => {
    for (const text of ['', '1e21', 'NaN', '<b>', '1.']) expect(formatNumber(text, 'en')).toBe(text)
  })

  it('is zero with any number of decimals', () => {
    expect(['0', '0.000', '-0', ''].map(isZero)).toEqual([true, true, true, true])
    expect(['0.000001', '10', '-1'].map(isZero)).toEqual([false, false, false])
  })
})
