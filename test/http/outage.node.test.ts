import { expect, it } from 'vitest'
import { isOutage } from '../../src/db/errors.ts'

it.each([
  'D1_ERROR: Network connection lost.',
  'D1_ERROR: database or disk is full: SQLITE_FULL',
  'database or disk is full: SQLITE_FULL',
  'disk I/O error: SQLITE_IOERR',
])('is an outage: %s', (message) => expect(isOutage(new Error(message))).toBe(true))

it.each([
  'D1_ERROR: no such table: customers: SQLITE_ERROR',
  'UNIQUE constraint failed: api_keys.key_id: SQLITE_CONSTRAINT',
  'x is not a function',
])('is a bug: %s', (message) => expect(isOutage(new Error(message))).toBe(false))
