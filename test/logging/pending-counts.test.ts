import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { PendingCounts } from '../../src/logging/pending-counts.ts'
import { brokenD1 } from '../support/d1.ts'

interface Count {
  readonly key: string
  readonly last: number
  readonly count: number
}

it('adds counts of a failed write to the counts since, with the later fields', async () => {
  const counts = new PendingCounts<Count>(
    ({ key }) => key,
    'SELECT json(?1)',
    () => {},
  )
  const written: unknown[] = []
  counts.add({ key: 'a', last: 1, count: 2 })
  const failing = counts.write({ DB: brokenD1() })
  counts.add({ key: 'a', last: 5, count: 1 })
  await failing
  expect(counts.isEmpty).toBe(false)
  const db = Object.assign(Object.create(env.DB), {
    prepare: () => ({ bind: (rows: string) => ({ run: () => void written.push(JSON.parse(rows)) }) }),
  })
  await counts.write({ DB: db })
  expect(written).toEqual([[{ key: 'a', last: 5, count: 3 }]])
  expect(counts.isEmpty).toBe(true)
})
