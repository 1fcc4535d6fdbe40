import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { changesBetween, describeChanges } from '../../scripts/catalog/changes.ts'
import { signFeed } from '../../scripts/catalog/publish.ts'
import { compareFeed } from '../../src/rating/price-feed/compare.ts'
import { readFeed } from '../../src/rating/price-feed/feed.ts'

const catalogue = readFileSync(path.join(import.meta.dirname, '../../src/pricing/catalogue.json'), 'utf8')
const NOW_MS = Date.parse('2026-11-28T12:00:00Z')

describe('npm run catalog -- --publish', () => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

  it('writes a feed that a deployment accepts, with the prices of its own catalogue', async () => {
    const { text, signature, public_key } = signFeed(catalogue, pem, new Date(NOW_MS))
    const read = await readFeed(Buffer.from(text), signature, public_key)
    if (read.kind === 'refused') throw new Error(read.reason)
    expect(read.feed.version).toBe(202_611_281_200)
    expect(Buffer.byteLength(text)).toBeLessThan(5_000_000)
    expect(compareFeed(read.feed, [], 30, NOW_MS)).toEqual({ set: [], end: [], reasons: [] })
  })

  it('refuses a key of another kind', () => {
    const { privateKey: other } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const wrong = other.export({ type: 'pkcs8', format: 'pem' }).toString()
    expect(() => signFeed(catalogue, wrong, new Date(NOW_MS))).toThrow('must be an Ed25519 key')
  })
})

describe('npm run catalog -- --check', () => {
  const of = (...models: string[]) => JSON.stringify({ providers: [{ id: 'a', models }] })
  const line = (id: string, prices: string) => `${id} | = |  | ${prices}`

  it('lists new, removed, more expensive and cheaper models, with the effect on the reference mix', () => {
    const committed = of(
      line('up', 'input_tokens=2 cache_read_tokens=1 output_tokens=8'),
      line('down', 'input_tokens=2 output_tokens=8'),
      line('image', 'output_images=0.04'),
      line('gone', 'input_tokens=1 output_tokens=1'),
      line('same', 'input_tokens=1 output_tokens=1'),
    )
    const built = of(
      line('up', 'input_tokens=3 cache_read_tokens=1 output_tokens=8'),
      line('down', 'input_tokens=1 output_tokens=8'),
      line('image', 'output_images=0.05'),
      line('same', 'input_tokens=1 output_tokens=1'),
      line('new', 'input_tokens=1 output_tokens=1'),
    )
    const changes = changesBetween(committed, built, NOW_MS)
    expect(changes).toEqual({
      added: ['a/new'],
      gone: ['a/gone'],
      dearer: [{ model: 'a/up', before: 3_500_000n, after: 4_000_000n }],
      cheaper: [{ model: 'a/down', before: 4_000_000n, after: 3_000_000n }],
      others: ['a/image'],
    })
    expect(describeChanges(changes)).toContain('| a/up | 3.5 | 4 | +14 % |')
    expect(describeChanges(changes)).toContain('| a/down | 4 | 3 | -25 % |')
  })

  it('reports that nothing has changed', () => {
    expect(describeChanges(changesBetween(catalogue, catalogue, NOW_MS))).toBe('No price has changed.\n')
  })
})
