import { exports } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import page from '../../ARCHITECTURE.md?raw'
import { api, apiRequest, send } from '../support/api.ts'
import { GPT_4O } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { ledgerOf, runAlarm } from '../support/ledgers.ts'
import { acks, captureUsage, deliver } from '../support/usage.ts'

/**
 * Checks that ARCHITECTURE.md lists exactly the files whose functions one event calls. The coverage counts the calls.
 * The test is skipped without coverage, as in `npm test`. `.ci/run` measures the coverage.
 */

it.skipIf(calls().size === 0)('ARCHITECTURE.md names every file that one event crosses', async () => {
  const { api_key, customer_id } = await createCustomer()
  const ledger = ledgerOf(customer_id)
  const ingest = (idempotency_key: string) => ({
    key: api_key,
    body: { ...GPT_4O, user_id: 'mia', idempotency_key },
  })
  // The first event of a key and of a model loads data that later events already find in memory.
  expect((await api('/v1/events/ingest', ingest('first'))).status).toBe(200)
  const messages = await captureUsage(ledger)
  await runAlarm(ledger)
  expect(await deliver(messages.splice(0))).toEqual(acks(1))

  const crossed = new Set<string>()
  const response = await send(apiRequest('/v1/events/ingest', ingest('second')), (request) =>
    whatRuns(crossed, () => exports.default.fetch(request)),
  )
  expect(response.status).toBe(200)
  await whatRuns(crossed, () => runAlarm(ledger))
  expect(messages).toHaveLength(1)
  expect(await whatRuns(crossed, () => deliver(messages))).toEqual(acks(1))

  const named = filesOf(page.split('\n## The path of one event\n')[1]?.split('\n## ')[0] ?? '')
  expect([...crossed].filter((file) => !named.has(file)).toSorted()).toEqual([])
  // The functions of these files were called before the event, when the application was built.
  expect([...named].filter((file) => !crossed.has(file))).toEqual(['src/index.ts', 'src/app.ts'])
})

/** Runs `work`, and adds the files of `src` whose functions it called to `files`. */
async function whatRuns<T>(files: Set<string>, work: () => T | Promise<T>): Promise<T> {
  const before = calls()
  const result = await work()
  for (const [file, count] of calls()) if (count > (before.get(file) ?? 0)) files.add(file)
  return result
}

/** Returns the number of function calls that the coverage has counted in each file of `src`. */
function calls(): Map<string, number> {
  const files: unknown = Reflect.get(globalThis, '__VITEST_COVERAGE__')
  return new Map(
    Object.entries(Object(files)).map(([file, counters]): [string, number] => [
      file.replace(/^.*\/src\//, 'src/'),
      Object.values(Object(Object(counters).f)).reduce<number>((sum, count) => sum + Number(count), 0),
    ]),
  )
}

/**
 * Returns the files that the tables of a section name. A file without a folder is in the folder of the previous file.
 */
function filesOf(section: string): Set<string> {
  let folder = ''
  const files = new Set<string>()
  const rows = section.split('\n').filter((line) => line.startsWith('|'))
  for (const [, name = ''] of rows.join('\n').matchAll(/`([\w/.-]+\.ts)`/g)) {
    if (name.includes('/')) folder = name.slice(0, name.lastIndexOf('/') + 1)
    files.add(name.includes('/') ? name : folder + name)
  }
  return files
}
