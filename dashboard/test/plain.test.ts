import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildStaleFolder } from '../../scripts/static-folder.ts'
import { parseExact } from '../../widgets/src/exact.ts'
import { DASHBOARD } from '../build.ts'
import { csv } from '../src/api/csv.ts'
import { compare, decimal, grouped, share, subtract, sum } from '../src/api/decimal.ts'

describe('a decimal', () => {
  const amounts = fc
    .tuple(fc.bigInt(-(10n ** 22n), 10n ** 22n), fc.nat(12))
    .map(([value, places]) => ({ value, places, text: textOf(value, places) }))

  it('keeps every digit of numbers in JSON, and leaves strings unchanged', () => {
    fc.assert(
      fc.property(amounts, fc.string(), ({ text }, name) => {
        const json = `{"a":${text},"b":[${text},{"c":${text}}],"s":${JSON.stringify(`${name}"${text}`)},${JSON.stringify(`k${name}`)}:-0.5}`
        expect(parseExact(json)).toEqual({
          a: text,
          b: [text, { c: text }],
          s: `${name}"${text}`,
          [`k${name}`]: '-0.5',
        })
      }),
    )
  })

  it('is added, subtracted and compared exactly', () => {
    fc.assert(
      fc.property(amounts, amounts, (one, other) => {
        const [a, b] = [decimal(one.text), decimal(other.text)]
        const [x, y] = [scaled(one), scaled(other)]
        expect(sum([a, b])).toBe(plainOf(x + y))
        expect(subtract(a, b)).toBe(plainOf(x - y))
        expect(Math.sign(compare(a, b))).toBe(x < y ? -1 : x > y ? 1 : 0)
      }),
    )
  })

  it('is shown with all digits, the whole part in groups of three', () => {
    expect(grouped(decimal('7999999000.000001'))).toBe('7,999,999,000.000001')
    expect(grouped(decimal('-1234567.123456789012'))).toBe('-1,234,567.123456789012')
    expect(grouped(decimal('999'))).toBe('999')
    expect(share(decimal('1'), decimal('3'))).toBeCloseTo(1 / 3, 4)
    expect(share(decimal('5'), decimal('0'))).toBe(0)
  })

  it.each(['', 'NaN', '1e5', '1.', '.5', '0.1234567890123', '1,000'])('is not %j', (text) => {
    expect(() => decimal(text)).toThrow('not a decimal')
  })
})

it('a CSV quotes the cells that need it, and contains no formula', async () => {
  const blob = csv(
    ['model', 'credits'],
    [
      ['=cmd|"/c calc"!A1', '-1.5'],
      ['a,b\nc', '2'],
      ['+1', '3'],
      ['@x', '4'],
    ],
  )
  expect(await blob.text()).toBe(
    `model,credits\r\n"'=cmd|""/c calc""!A1",-1.5\r\n"a,b\nc",2\r\n'+1,3\r\n'@x,4\r\n`,
  )
})

/** The maximum total size of the compressed files of all pages. */
const MAX_FIRST_PAGE_BYTES = 90 * 1024

it('the first page with all other pages is below the budget of the first page', async () => {
  await buildStaleFolder(DASHBOARD)
  const folder = path.join(import.meta.dirname, '../../public/dashboard')
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile())
  const sizes = files.map(
    ({ parentPath, name }) => gzipSync(readFileSync(path.join(parentPath, name))).length,
  )
  const bytes = sizes.reduce((total, size) => total + size, 0)
  console.log({ files: files.length, bytes })
  expect(files.length).toBeGreaterThan(10)
  expect(bytes).toBeLessThanOrEqual(MAX_FIRST_PAGE_BYTES)
})

function textOf(value: bigint, places: number): string {
  const digits = String(value < 0n ? -value : value).padStart(places + 1, '0')
  const whole = digits.slice(0, digits.length - places)
  const fraction = places === 0 ? '' : `.${digits.slice(-places)}`
  return `${value < 0n ? '-' : ''}${whole}${fraction}`
}

function scaled({ value, places }: { readonly value: bigint; readonly places: number }): bigint {
  return value * 10n ** BigInt(12 - places)
}

/** Returns the number without trailing zeros. */
function plainOf(value: bigint): string {
  return textOf(value, 12).replace(/\.?0+$/, '')
}
