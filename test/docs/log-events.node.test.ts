import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'

const ROOT = path.join(import.meta.dirname, '../..')
const page = readFileSync(path.join(ROOT, 'docs/operations.md'), 'utf8')
const table = page.split('\n## Logs\n')[1]?.split('\n## ')[0] ?? ''

/** Matches calls of the logging functions, and of the `log` function that is passed to parts of the ledger object. */
const CALL = /\b(?:log(?:Error|Info|Failure|Warning)?)\(\s*'([a-z][a-z0-9_]*)'/g

const written = new Set(
  globSync('src/**/*.ts', { cwd: ROOT }).flatMap((file) =>
    [...readFileSync(path.join(ROOT, file), 'utf8').matchAll(CALL)].map(([, event = '']) => event),
  ),
)

it('docs/operations.md explains every event that the code logs', () => {
  expect(written.size).toBeGreaterThan(30)
  expect([...written].filter((event) => !table.includes(`\`${event}\``))).toEqual([])
})

it('docs/operations.md explains no event that the code does not log', () => {
  const rows = table.split('\n').filter((line) => line.startsWith('| `'))
  const explained = rows.flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`([a-z][a-z0-9_]*)`/g)])
  expect(explained.map(([, event = '']) => event).filter((event) => !written.has(event))).toEqual([])
})
