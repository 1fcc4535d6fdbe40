import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = path.join(import.meta.dirname, '..', '..')
const PAGES = [
  'README.md',
  'SECURITY.md',
  ...readdirSync(path.join(ROOT, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
]

describe.each(PAGES)('%s', (page) => {
  const text = readFileSync(path.join(ROOT, page), 'utf8')

  it('has no link that leads nowhere', () => {
    const broken = [...text.matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)/g)].flatMap(
      ([link, target = '', anchor]) => {
        const file = target === '' ? path.join(ROOT, page) : path.join(ROOT, path.dirname(page), target)
        if (!existsSync(file)) return [link]
        return anchor === undefined || anchorsOf(file).has(anchor) ? [] : [link]
      },
    )
    expect(broken).toEqual([])
  })

  it('has JSON that is JSON', () => {
    for (const [, block = ''] of text.matchAll(/```json\n(.*?)```/gs)) {
      expect(() => JSON.parse(block), block).not.toThrow()
    }
  })
})

it('README.md leads to every page of docs/', () => {
  const text = readFileSync(path.join(ROOT, 'README.md'), 'utf8')
  expect(PAGES.slice(1).filter((page) => !text.includes(`](${page})`))).toEqual([])
})

/** As GitHub makes them of headings. */
function anchorsOf(file: string): Set<string> {
  if (!file.endsWith('.md')) return new Set()
  const headings = readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm)
  return new Set(
    [...headings].map(
      ([, heading = '']) =>
        `#${heading
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
          .replaceAll(' ', '-')}`,
    ),
  )
}
