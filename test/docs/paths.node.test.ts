import { existsSync, globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

/** Checks that the paths and the npm scripts in all pages exist. */

const ROOT = path.join(import.meta.dirname, '../..')
/**
 * The pages in which relative names are paths of this repository. In other pages, a relative name can be a file of the
 * reader.
 */
const MAPS = ['ARCHITECTURE.md', ...globSync(['docs/recipes/*.md', 'src/**/README.md'], { cwd: ROOT })]
const PAGES = [
  ...new Set([
    ...MAPS,
    'CONTRIBUTING.md',
    'README.md',
    'SECURITY.md',
    ...globSync('docs/**/*.md', { cwd: ROOT }),
  ]),
]

/** The names of the npm scripts, such as `build`, or `build -w sdk` for a script of a workspace. */
const SCRIPTS = new Set(
  ['', 'sdk'].flatMap((workspace) => {
    const { scripts }: { scripts: Record<string, string> } = JSON.parse(
      readFileSync(path.join(ROOT, workspace, 'package.json'), 'utf8'),
    )
    return Object.keys(scripts).map((name) => (workspace === '' ? name : `${name} -w ${workspace}`))
  }),
)

const FOLDERS = /^(?:src|test|docs|scripts|bench|examples|migrations|sdk|dashboard|\.github|\.ci)\//
const PLACEHOLDER = /[*…{}<>]/
const RELATIVE = /^(?:[\w.-]+\/)*[\w.-]+(?:\.(?:ts|tsx|js|json|md|toml|sql|yml)|\/)$/

describe.each(PAGES)('%s', (page) => {
  it('names only paths that exist', () => {
    expect(missingPaths(page)).toEqual([])
  })

  it('names only npm scripts that exist', () => {
    const text = readFileSync(path.join(ROOT, page), 'utf8')
    const named = [...text.matchAll(/npm run ([\w:-]+(?: -w \w+)?)/g)].map(([, script = '']) => script)
    expect(named.filter((script) => !SCRIPTS.has(script))).toEqual([])
  })
})

it('a path that does not exist is found, with a folder and without', () => {
  expect(missingIn('`src/app.ts`, `nowhere.ts`', 'ARCHITECTURE.md')).toEqual(['nowhere.ts'])
  expect(missingIn('`src/ledger/nowhere.ts`', 'docs/design.md')).toEqual(['src/ledger/nowhere.ts'])
  expect(missingIn('`src/http/middleware/headers.ts`, `body.ts`', 'ARCHITECTURE.md')).toEqual([])
})

function missingPaths(page: string): string[] {
  return missingIn(readFileSync(path.join(ROOT, page), 'utf8'), page)
}

/**
 * Returns the paths in backquotes that do not exist. A name that does not start with a known folder can be relative to
 * the previous path in the same paragraph or row, to the page, or to the repository.
 */
function missingIn(text: string, page: string): string[] {
  const missing: string[] = []
  for (const paragraph of withoutBlocks(text).split(/\n\n|\n(?=\||- |\d+\. )/)) {
    let folder = path.dirname(page)
    for (const [, name = ''] of paragraph.matchAll(/`([^`\s]+)`/g)) {
      const bare = !FOLDERS.test(name)
      if (PLACEHOLDER.test(name) || (bare && !(MAPS.includes(page) && RELATIVE.test(name)))) continue
      const places = bare ? [folder, path.dirname(page), '.'] : ['.']
      const place = places.find((one) => existsSync(path.join(ROOT, one, name)))
      if (place === undefined) missing.push(name)
      else if (name.includes('/')) folder = path.join(place, name.endsWith('/') ? name : path.dirname(name))
    }
  }
  return missing
}

function withoutBlocks(text: string): string {
  return text.replaceAll(/```.*?```/gs, '')
}
