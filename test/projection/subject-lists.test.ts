import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { MAX_PARAMETER_BYTES } from '../../src/db/json-parameters.ts'
import { numberSubjects, numbersOfSubjects } from '../../src/ledger/flush/subjects.ts'
import { nameSubjects, subjectNumbers } from '../../src/projection/read/subjects.ts'
import { unique } from '../support/customers.ts'

it('more subjects than one parameter holds are numbered in their order, found and named', async () => {
  const ledger_id = unique('subjects')
  const ids = Array.from({ length: 9_000 }, (_, i) => `${i} ${'é'.repeat(120)}`)
  const mentions = { user: new Map(ids.map((id, i) => [id, i])), team: new Map<string, number>() }
  expect(new TextEncoder().encode(JSON.stringify([...mentions.user])).length).toBeGreaterThan(
    MAX_PARAMETER_BYTES,
  )
  const numbered = await numberSubjects(env.DB, ledger_id, mentions, 0)
  if (numbered.kind === 'moved') throw new Error('the watermark moved')
  expect(ids.map((id) => numbered.number('user', id))).toEqual(ids.map((_, i) => i + 1))
  const number = await numbersOfSubjects(env.DB, ledger_id, mentions)
  expect(number('user', ids[8_999] ?? '')).toBe(9_000)
  expect((await subjectNumbers(env.DB, ledger_id, 'user', ids)).size).toBe(9_000)
  const numbers = { user: new Set(ids.map((_, i) => i + 1)), team: new Set<number>() }
  const name = await nameSubjects(env.DB, ledger_id, numbers)
  expect(ids.map((_, i) => name('user', i + 1))).toEqual(ids)
})
