import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'

/** Checks that comments, names of tests and pages do not use unclear or old-fashioned words and openings. */

const ROOT = path.join(import.meta.dirname, '../..')
/**
 * The files that the test skips: this file, which contains the avoided words, and a file that is generated from the
 * OpenAPI document.
 */
const SKIPPED = ['test/docs/words.node.test.ts', 'sdk/src/api.ts']
const AVOIDED = [
  /\b(somebody|nobody|someone|whoever|whatever|anew|nowhere|outlives?|stands|told|said)\b/i,
  /\b(those that|comes? by|comes to|is looked at|(is|are) to be|which is why)\b/i,
  /^\/\*\* (What|Who|Whose|Where|Why) /,
]

it.each([
  ['comments and names of tests', '**/*.{ts,tsx,mjs,js}', textsOfCode],
  ['pages', '**/*.md', textsOfPage],
])('%s use none of the avoided words', (_, files, textsOf) => {
  const paths = filesOf(files)
  expect(paths.length).toBeGreaterThan(50)
  const found = paths.flatMap((file) => {
    const texts = textsOf(readFileSync(path.join(ROOT, file), 'utf8'))
    return texts.filter(hasAvoidedWords).map((text) => `${file}: ${text}`)
  })
  expect(found).toEqual([])
})

it.each([
  ['/** Returns the balance that nobody requested. */', true],
  ['  /** What the caller sends. */', true],
  ['const one = 1 // those that follow', true],
  ["  it('is charged, whatever happens', () => {", true],
  ["const nobody = 'nobody' // an unknown user", false],
  ['/** Returns the balance of a wallet. */', false],
])('a line of code with avoided words is found: %s %s', (line, expected) => {
  expect(textsOfCode(line).some(hasAvoidedWords)).toBe(expected)
})

function hasAvoidedWords(text: string): boolean {
  return AVOIDED.some((words) => words.test(text))
}

function filesOf(pattern: string): string[] {
  const files = globSync(pattern, {
    cwd: ROOT,
    exclude: ['**/node_modules/**', '**/dist/**', 'public/**', '.*/**'],
  })
  return files.filter((file) => !SKIPPED.includes(file))
}

/** Returns the comments, including comments after code, and the lines with names of tests. */
function textsOfCode(source: string): string[] {
  return source.split('\n').flatMap((line) => {
    const text = line.trim()
    if (/^(\*|\/\*|\/\/|(it|describe)\()/.test(text)) return [text]
    return text.match(/(?<=\s)\/[/*]\*? .*/)?.slice(0, 1) ?? []
  })
}

/** Returns the lines of a page without code. */
function textsOfPage(page: string): string[] {
  return page
    .replace(/```.*?```/gs, '')
    .replace(/`[^`]*`/g, '')
    .split('\n')
}
