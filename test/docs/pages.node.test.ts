import { existsSync, globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = path.join(import.meta.dirname, '..', '..')
const GUIDES = globSync('docs/*.md', { cwd: ROOT })
const PAGES = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...GUIDES,
  ...globSync(['docs/*/*.md', 'src/**/README.md'], { cwd: ROOT }),
]

describe.each(PAGES)('%s', (page) => {
  const text = readFileSync(path.join(ROOT, page), 'utf8')

  it('has no broken link', () => {
    const broken = [...text.matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)/g)].flatMap(
      ([link, target = '', anchor]) => {
        const file = target === '' ? path.join(ROOT, page) : path.join(ROOT, path.dirname(page), target)
        if (!existsSync(file)) return [link]
        return anchor === undefined || anchorsOf(file).has(anchor) ? [] : [link]
      },
    )
    expect(broken).toEqual([])
  })

  it('has valid JSON', () => {
    for (const [, block = ''] of text.matchAll(/```json\n(.*?)```/gs)) {
      expect(() => JSON.parse(block), block).not.toThrow()
    }
  })
})

it('README.md links to every page of docs/', () => {
  const text = readFileSync(path.join(ROOT, 'README.md'), 'utf8')
  const wanted = ['ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', ...GUIDES]
  expect(wanted.filter((page) => !text.includes(`](${page})`))).toEqual([])
})

it.each([
  ['docs/decisions/', 'docs/design.md'],
  ['docs/recipes/', 'CONTRIBUTING.md'],
])('every page of %s has a link in %s', (folder, index) => {
  const text = readFileSync(path.join(ROOT, index), 'utf8')
  const pages = PAGES.filter((page) => page.startsWith(folder))
  expect(pages.length).toBeGreaterThan(4)
  const unlinked = pages.filter((page) => !text.includes(`](${path.relative(path.dirname(index), page)})`))
  expect(unlinked).toEqual([])
})

/** Returns the anchors that GitHub derives from the headings of a page. */
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
