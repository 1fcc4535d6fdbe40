import { env } from 'cloudflare:workers'
import { expect, it, vi } from 'vitest'
import { prometheusText } from '../../src/admin/stats/prometheus.ts'
import { isRecord } from '../../src/ledger/model/json.ts'
import { countOutcome, hourOf, writeOutcomes } from '../../src/logging/outcomes.ts'
import { DAY_MS, HOUR_MS } from '../../src/time/durations.ts'
import { api, jsonOf } from '../support/api.ts'
import { expectRefused, type Json, read } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, unique } from '../support/customers.ts'
import { brokenD1 } from '../support/d1.ts'
import { deployed } from '../support/deployment.ts'
import { type Metrics, parsePrometheus } from './prometheus-parser.ts'

async function metrics(): Promise<Metrics> {
  const response = await api('/v1/admin/metrics', { key: OPERATOR_TOKEN })
  expect(response.status).toBe(200)
  expect(response.headers.get('Content-Type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  return parsePrometheus(await response.text())
}

const costOf = ({ cost }: Json) => (isRecord(cost) ? Number(cost.estimated_usd) : Number.NaN)

it("requires the operator's token", async () => {
  const { api_key } = await createCustomer()
  await expectRefused(await api('/v1/admin/metrics'), 401, 'missing_api_key')
  await expectRefused(await api('/v1/admin/metrics', { key: 'guess' }), 401, 'invalid_api_key')
  await expectRefused(await api('/v1/admin/metrics', { key: api_key }), 403, 'insufficient_scope')
})

it('has the figures of `GET /v1/admin/stats`', async () => {
  await createCustomer({ tier: 'GROWTH' })
  const now_ms = Date.now()
  // The clock is set to noon. The counters start at midnight, but the other figures cover the last 24 hours, so the
  // test can tell the two apart.
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(Math.floor(now_ms / DAY_MS) * DAY_MS + DAY_MS + DAY_MS / 2)
  try {
    countOutcome('ok', Date.now(), 7)
    countOutcome('ok', hourOf(Date.now()) - 13 * HOUR_MS, 1_000)
    countOutcome('insufficient_credits', Date.now(), 3)
    countOutcome('event:unpriced_model', Date.now(), 2)
    countOutcome(`event:${unique('unknown')}`, Date.now(), 5)
    countOutcome('work:events', Date.now(), 11)
    await writeOutcomes(env)
    const found = await metrics()
    const stats = await read(OPERATOR_TOKEN, '/v1/admin/stats')
    const value = (name: string, labels = {}) => found.value(`openmonetize_${name}`, labels)

    expect(stats).toMatchObject({
      ledgers: { total: value('ledgers') },
      flush: { ledgers_behind: value('flush_ledgers_behind'), lag_seconds: value('flush_lag_seconds') },
      rollups: { ledgers_behind: value('rollups_ledgers_behind') },
      reconcile: {
        different: value('reconcile_different_ledgers'),
        unchecked: value('reconcile_unchecked_ledgers'),
      },
      dead_letters: { open: value('dead_letters') },
      webhooks: {
        pending: value('webhook_deliveries_pending'),
        failing_endpoints: value('webhook_endpoints_failing'),
        disabled_endpoints: value('webhook_endpoints_disabled'),
      },
      payments: {
        by_status: {
          pending: value('payments', { status: 'pending' }),
          disputed: value('payments', { status: 'disputed' }),
        },
        top_ups_paused: value('top_ups_paused'),
      },
    })
    // The estimate in `stats` also includes the earlier request for the metrics, so the two values differ slightly.
    expect(costOf(stats)).toBeGreaterThan(0.0003)
    expect(value('estimated_cost_usd')).toBeCloseTo(costOf(stats), 5)
    expect(value('customers', { status: 'ACTIVE', tier: 'GROWTH' })).toBeGreaterThan(0)
    expect(value('figures_complete', { figure: 'ledgers' })).toBe(1)
    expect(value('requests_total', { status: '2xx' })).toBe(7)
    expect(value('requests_total', { status: '4xx' })).toBe(3)
    expect(value('problems_total', { code: 'insufficient_credits', status: '402' })).toBe(3)
    expect(value('problems_total', { code: 'internal_error', status: '500' })).toBe(0)
    expect(value('rejected_events_total', { code: 'unpriced_model', status: '422' })).toBe(2)
    expect(value('rejected_events_total', { code: 'other', status: '400' })).toBe(5)
    expect(value('events_total')).toBe(11)
  } finally {
    vi.useRealTimers()
  }
})

it('has the same series after new outcomes, and none that names a customer', async () => {
  const before = await metrics()
  const { customer_id, api_key } = await createCustomer()
  expect((await api('/v1/customers/me', { key: api_key })).status).toBe(200)
  countOutcome(unique('code'), Date.now())
  await writeOutcomes(env)
  const after = await metrics()
  expect(after.series()).toEqual(before.series())
  expect(after.series().length).toBeLessThan(200)
  expect(after.series().join()).not.toContain(customer_id)
})

it('reports that the figures cannot be read while D1 is down', async () => {
  const response = await deployed({ DB: brokenD1() }, '/v1/admin/metrics', { key: OPERATOR_TOKEN })
  expect(response.headers.get('Retry-After')).toBe('5')
  expect(await jsonOf(response.clone())).toMatchObject({ status: 503 })
  await expectRefused(response, 503, 'unavailable')
})

it('escapes help texts and values of labels', () => {
  const odd = 'a "b" \\ c\nd, e="f"} 1'
  const text = prometheusText([
    { name: 'odd', type: 'gauge', help: odd, samples: [{ labels: { a: odd, b: '' }, value: '0.000001' }] },
    { name: 'none', type: 'gauge', help: 'No sample.', samples: [] },
  ])
  const parsed = parsePrometheus(text)
  expect(parsed.help('odd')).toBe(odd)
  expect(parsed.value('odd', { a: odd, b: '' })).toBe(0.000001)
  expect(text).not.toContain('none')
})
