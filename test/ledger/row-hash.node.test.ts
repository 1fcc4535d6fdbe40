import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { rowHash } from '../../src/ledger/chain/row-hash.ts'

const ROW = { row_id: 7, first_entry: 12, last_entry: 14, at_ms: 1_790_000_000_000 }
const SALT = 's'.repeat(22)

const documented = (before: string, body: string) =>
  createHash('sha256').update(`${before}\n${SALT}\n7 12 14 1790000000000\n${body}`).digest('base64url')

describe('the hash of a journal row', () => {
  it.each([
    ['an empty body', '[]'],
    ['ASCII', '{"n":1}'.repeat(5000)],
    ['letters of two and three bytes, and a pair of surrogates', '["é", "語", "🚀"]'.repeat(3000)],
    ['more than the buffer holds', '{"n":1}'.repeat(100_000)],
    [
      'more than the buffer holds, which ends within a letter',
      `${'x'.repeat(272 * 1024 - 120)}${'語🚀'.repeat(60)}`,
    ],
  ])('is that of the documented text: %s', (_, body) => {
    const before = 'b'.repeat(43)
    expect(rowHash(before, SALT, ROW, body)).toBe(documented(before, body))
    expect(rowHash(null, SALT, ROW, body)).toBe(documented('', body))
    // A large body is written as bytes but read as text. Both forms must have the same hash.
    expect(rowHash(before, SALT, ROW, Uint8Array.from(Buffer.from(body)).buffer)).toBe(
      documented(before, body),
    )
  })
})
