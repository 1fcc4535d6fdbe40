import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

const SUMMARY = path.join(import.meta.dirname, '..', '..', '.ci', 'summary.mjs')

function summarise(report: unknown, status: number): { readonly line: string; readonly exit: number | null } {
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'summary-')), 'report.json')
  if (report !== undefined) writeFileSync(file, JSON.stringify(report))
  const { stdout, status: exit } = spawnSync(process.execPath, [SUMMARY, file, String(status)], {
    encoding: 'utf8',
  })
  return { line: stdout.trim(), exit }
}

const report = {
  numPassedTests: 7,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  numFailedTestSuites: 0,
}

describe('the last line of .ci/run', () => {
  it.each([
    ['all passed', report, 0, '7 passed, 0 failed', 0],
    [
      'some were skipped',
      { ...report, numPendingTests: 2, numTodoTests: 1 },
      0,
      '7 passed, 0 failed, 3 skipped',
      0,
    ],
    ['a test failed', { ...report, numFailedTests: 2, numFailedTestSuites: 1 }, 1, '7 passed, 2 failed', 1],
    ['a file could not be loaded', { ...report, numFailedTestSuites: 1 }, 1, '7 passed, 1 failed', 1],
    ['the coverage was too low', report, 1, '7 passed, 1 failed', 1],
    ['there was no test', { ...report, numPassedTests: 0 }, 0, '0 passed, 1 failed', 1],
    ['no test was reached', undefined, 2, '0 passed, 1 failed', 1],
  ])('when %s', (_, given, status, line, exit) => {
    expect(summarise(given, status)).toEqual({ line, exit })
  })
})
