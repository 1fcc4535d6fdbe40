import { afterEach, describe, expect, it, vi } from 'vitest'
import { api, textField } from '../support/api.ts'
import { granted, type Json, listed, objects, read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'

afterEach(() => vi.useRealTimers())

const LOTS = '/v1/credits/lots?user_id=u'
const idOf = ({ lot_id }: Json) => String(lot_id)

async function page(key: string, limit: number, cursor?: unknown) {
  const from = cursor === undefined ? '' : `&cursor=${String(cursor)}`
  const { data, next_cursor } = await read(key, `${LOTS}&limit=${limit}${from}`)
  return { ids: objects(data).map(idOf), next_cursor }
}

const lot = async (key: string, more: object = {}) =>
  textField(await granted(key, { user_id: 'u', amount: 1, ...more }), 'lot_id')

describe('GET /v1/credits/lots', () => {
  it('lists 50 lots unless `limit` says otherwise, and continues in burn order', async () => {
    const { api_key: key } = await createCustomer()
    const made = new Map<string, number>()
    for (let number = 0; number < 53; number++) {
      const priority = (number * 37) % 53
      made.set(await lot(key, { priority }), priority)
    }
    const burn_order = [...made].toSorted(([, a], [, b]) => a - b).map(([id]) => id)
    expect(objects((await read(key, LOTS)).data).map(idOf)).toEqual(burn_order.slice(0, 50))
    expect((await listed(key, LOTS, '')).map(idOf)).toEqual(burn_order)
    expect((await listed(key, LOTS, '&limit=7')).map(idOf)).toEqual(burn_order)
    expect((await page(key, 53)).next_cursor).toBeNull()
  })

  it('continues after the last lot of the page, also if lots were burned or added since', async () => {
    const { api_key: key } = await createCustomer()
    const ids: string[] = []
    for (const priority of [10, 20, 20, 30, 40]) ids.push(await lot(key, { priority }))
    const first = await page(key, 2)
    expect(first.ids).toEqual(ids.slice(0, 2))
    // Uses up both lots of the first page and a part of the next lot.
    const body = { user_id: 'u', amount: -2.5, reason: 'x' }
    expect((await api('/v1/credits/adjust', { key, body })).status).toBe(200)
    await lot(key, { priority: 5 })
    await lot(key, { priority: 20, expires_at: '2099-01-01T00:00:00Z' })
    const between = await lot(key, { priority: 20, kind: 'paid' })
    const last = await lot(key, { priority: 50 })
    const second = await page(key, 3, first.next_cursor)
    expect(second.ids).toEqual([ids[2], between, ids[3]])
    const third = await page(key, 3, second.next_cursor)
    expect(third).toEqual({ ids: [ids[4], last], next_cursor: null })
  })

  it('has each lot on one page when a lot begins between two pages', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const start_ms = Date.UTC(2027, 0, 1)
    vi.setSystemTime(start_ms)
    const { api_key: key } = await createCustomer()
    const at = (hours: number) => ({ starts_at: new Date(start_ms + hours * 3_600_000).toISOString() })
    const open = [await lot(key, { priority: 60 }), await lot(key, { priority: 70 })]
    const later = [await lot(key, { priority: 1, ...at(2) }), await lot(key, { priority: 0, ...at(1) })]
    const first = await page(key, 1)
    vi.setSystemTime(start_ms + 3 * 3_600_000)
    const second = await page(key, 1, first.next_cursor)
    const third = await page(key, 2, second.next_cursor)
    expect([first.ids, second.ids, third.ids]).toEqual([[open[0]], [open[1]], later])
    expect(third.next_cursor).toBeNull()
    expect((await page(key, 4)).ids).toEqual([later[1], later[0], ...open])
  })
})

it('GET /v1/credits/recurring-grants lists pages, newest first', async () => {
  const { api_key: key } = await createCustomer()
  const ids: string[] = []
  for (const user_id of ['u', 'v', 'u', 'u', 'v']) {
    const grant = await granted(key, { user_id, amount: 1, recurring: { every: 'day' } })
    ids.unshift(textField(grant, 'recurring_grant_id'))
  }
  const path = '/v1/credits/recurring-grants'
  const idsOf = (rows: readonly Json[]) => rows.map(({ recurring_grant_id }) => recurring_grant_id)
  expect(idsOf(await listed(key, path, '?limit=2'))).toEqual(ids)
  expect(idsOf(await listed(key, path, '?user_id=u&limit=2'))).toEqual([ids[1], ids[2], ids[4]])

  const first = await read(key, `${path}?limit=2`)
  expect((await api(`${path}/${ids[1]}`, { key, method: 'DELETE' })).status).toBe(200)
  await granted(key, { user_id: 'w', amount: 1, recurring: { every: 'day' } })
  const rest = await read(key, `${path}?cursor=${textField(first, 'next_cursor')}`)
  expect(idsOf(objects(rest.data))).toEqual(ids.slice(2))
  expect(rest.next_cursor).toBeNull()
})
