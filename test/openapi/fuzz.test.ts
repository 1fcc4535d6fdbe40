import fc from 'fast-check'
import { expect, inject, it } from 'vitest'
import { api } from '../support/api.ts'
import { customerWithEverything, storedOf } from '../support/belongings.ts'
import { OPERATOR_TOKEN } from '../support/customers.ts'
import { anyRequest, internalNames } from '../support/fuzz-requests.ts'
import { createKey } from '../support/keys.ts'
import { ledgerOf, runAlarm } from '../support/ledgers.ts'

/**
 * Sends random requests that are generated from the OpenAPI document. `api` checks that the document describes every
 * response. `FC_RUNS=5000 npx vitest run --project edge test/openapi/fuzz.test.ts` sends more requests. A failure
 * prints its seed, and `FC_SEED` repeats the requests of a seed.
 */
const { seed, runs } = inject('fuzz')
/**
 * Matches the texts of zod's English locale. Responses must not contain them, because `issueMessage` must replace all
 * of them.
 */
const ZOD_TEXT =
  /Too (?:big|small)|Invalid (?:input|option|key|value|string|number)|Unrecognized key|, received /

const options = { numRuns: runs ?? 150, ...(seed !== undefined && { seed }) }

it('no request causes an error, reveals internals, or changes anything when it is refused', async () => {
  const owner = await customerWithEverything()
  const other = await customerWithEverything()
  // Uses a separate key for the random requests, because they can delete the owner's other key.
  const { api_key } = await createKey(owner.customer_id)
  const keys = { customer: api_key, operator: OPERATOR_TOKEN }
  const stored = () =>
    Promise.all([owner, other].map(({ customer_id }) => storedOf(customer_id, { rollups: false })))
  const internal = internalNames()
  const met = new Map<number, number>()
  let before = await stored()

  await fc.assert(
    fc.asyncProperty(anyRequest(owner, other), async ({ as, method, path, headers, body }) => {
      const sent = { key: keys[as], method, headers, ...(body !== undefined && { body }) }
      const response = await api(path, sent)
      const text = await response.text()
      met.set(response.status, (met.get(response.status) ?? 0) + 1)

      expect(response.status, text).toBeLessThan(500)
      expect(text).not.toMatch(internal)
      expect(text).not.toMatch(ZOD_TEXT)
      for (const secret of [OPERATOR_TOKEN, api_key, owner.api_key]) expect(text).not.toContain(secret)
      if (response.status >= 400) {
        expect(await stored(), text).toEqual(before)
        return
      }
      // Flushes accepted changes to D1 immediately. Otherwise, a later flush could change D1 during a refused request,
      // which must change nothing.
      for (const { customer_id } of [owner, other]) await runAlarm(ledgerOf(customer_id))
      before = await stored()
    }),
    options,
  )
  // Both accepted and refused requests must occur often. Otherwise, the test would check too little.
  expect(met.get(200) ?? 0, JSON.stringify([...met])).toBeGreaterThan(options.numRuns / 20)
  expect(met.get(400) ?? 0, JSON.stringify([...met])).toBeGreaterThan(options.numRuns / 20)
}, 3_600_000)
