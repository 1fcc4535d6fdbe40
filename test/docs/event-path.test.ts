import { exports } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import page from '../../ARCHITECTURE.md?raw'
import { api, apiRequest, send } from '../support/api.ts'
import { GPT_4O } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { ledgerOf, runAlarm } from '../support/ledgers.ts'
import { acks, captureUsage, deliver } from '../support/usage.ts'

/**
 * Checks that ARCHITECTURE.md lists exactly the files whose functions are called for one event. The test reads the
 * calls from the coverage data, and is skipped without coverage. `.ci/run` measures the coverage, but `npm test` does
 * not.
 */

it.skipIf(calls().size === 0)('ARCHITECTURE.md names every file that one event crosses', async () => {
  const { api_key, customer_id } = await createCustomer()
  const ledger = ledgerOf(customer_id)
  const ingest = (idempotency_key: string) => ({
    key: api_key,
    body: { ...GPT_4O, user_id: 'mia', idempotency_key },
  })
  // Sends a first event, which loads the data of the key and the model into memory. The measured second event does not
  // load them again.
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
  // The functions of these two files run earlier, when the application is built.
  expect([...named].filter((file) => !crossed.has(file))).toEqual(['src/index.ts', 'src/app.ts'])
})

/** Runs `work`. Adds the files of `src` whose functions it calls to `files`. */
async function whatRuns<T>(files: Set<string>, work: () => T | Promise<T>): Promise<T> {
  const before = calls()
  const result = await work()
  for (const [file, count] of calls()) if (count > (before.get(file) ?? 0)) files.add(file)
  return result
}

/** Returns the number of function calls in each file of `src`, from the coverage data. */
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
 * Returns the files that are named in the tables of a section. A name without a folder belongs to the folder of the
 * previous file.
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
