import { expect, it } from 'vitest'
import { scansOf } from '../support/query-plans.ts'

it.each([
  'SELECT l.ledger_id FROM ledgers AS l LEFT JOIN reconciliations AS r ON r.ledger_id = l.ledger_id',
  'SELECT body FROM stored_answers WHERE fingerprint = ?',
])('a statement that reads a whole table is found: %s', async (query) => {
  expect(await scansOf(query)).toHaveLength(1)
})

it.each([
  'SELECT body FROM stored_answers WHERE owner = ?1 AND idempotency_key = ?2',
  'SELECT ledger_id FROM ledgers AS l WHERE l.ledger_id > ?1 ORDER BY l.ledger_id LIMIT 10',
  "SELECT ledger_id FROM reconciliations WHERE status = 'DIFFERENT'",
  'SELECT value FROM json_each(?1)',
])('a statement that reads by a key or an index passes: %s', async (query) => {
  expect(await scansOf(query)).toEqual([])
})
