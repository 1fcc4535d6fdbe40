import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { PROBLEMS } from '../../src/http/output/problem-codes.ts'

const page = readFileSync(path.join(import.meta.dirname, '../../docs/errors.md'), 'utf8')

it('docs/errors.md has a heading and the status of every problem code, because each type link leads there', () => {
  for (const [code, { status }] of Object.entries(PROBLEMS)) {
    expect(page, code).toContain(`\n## ${code}\n\n${status}. `)
  }
})

it('docs/errors.md has only codes that responses use', () => {
  const headings = [...page.matchAll(/^## (.+)$/gm)].map(([, code]) => code)
  expect(headings.sort()).toEqual(Object.keys(PROBLEMS).sort())
})
