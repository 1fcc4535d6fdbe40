import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'

const tests = path.join(import.meta.dirname, '..')

/**
 * The test files that may call the Worker without `send`: the file that defines `send`, the helpers of the dashboard and
 * of the gateway, whose routes are not in the OpenAPI document, and tests that call another app or read an endless
 * response.
 */
const DOORS = [
  'dashboard/cloudflare-access.test.ts',
  'dashboard/sessions.test.ts',
  'dashboard/support.ts',
  'docs/event-path.test.ts',
  'gateway/provider.ts',
  'gateway/support.ts',
  'support/api.ts',
  'support/deployment.ts',
  'support/probe.ts',
  'http/health.test.ts',
  'http/problem.test.ts',
  'http/stored-answers.test.ts',
  'stream/support.ts',
]

it('every test calls the Worker through `send`, which compares the response with the OpenAPI document', () => {
  const asking = readdirSync(tests, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.node.test.ts'))
    .filter((file) =>
      /exports\.default|SELF\b|\bapp\.(fetch|request)\(|createApp\(\)\.(fetch|request)/.test(source(file)),
    )
  expect(asking.toSorted()).toEqual(DOORS.toSorted())
})

function source(file: string): string {
  return readFileSync(path.join(tests, file), 'utf8')
}
