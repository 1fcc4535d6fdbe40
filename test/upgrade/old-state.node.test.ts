import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyExport } from '../../verify/verify.js'
import { npmStart, type StartedServer } from '../support/npm-start.ts'
import type { Recorded, Recording } from './record.ts'

/**
 * Opens the state of earlier versions: the objects, D1 and KV of a server that was killed while half of its journal was
 * unflushed. The current version must open such a state, replay the same responses byte for byte, flush and reconcile.
 * `record.ts` explains how to record a state. If a version changes a stored format, add an archive of its state, and
 * keep the older archives.
 */

/**
 * The names of the archives. A name is the version, followed by the version of the ledger tables if the version had
 * several.
 */
const STATES = ['0.1.0', '0.1.0-tables-12']
/**
 * The variables of the server. The idempotency window is 100 years, because the recorded keys must still be valid on
 * any date on which this test runs.
 */
const VARS = 'FLUSH_DELAY_MS=200 IDEMPOTENCY_DAYS=36500 RATE_LIMIT_ENTERPRISE=1000000'
const STARTS_WITHIN_MS = 120_000

describe.each(STATES)('the state that version %s wrote', (version) => {
  const recording: Recording = JSON.parse(
    readFileSync(path.join(import.meta.dirname, `recording-${version}.json`), 'utf8'),
  )
  const state = mkdtempSync(path.join(tmpdir(), 'old-state-'))
  let url = ''
  let server: StartedServer | undefined

  beforeAll(async () => {
    execFileSync('tar', ['xzf', path.join(import.meta.dirname, `state-${version}.tar.gz`), '-C', state])
    server = await npmStart({ state, detached: true, env: { VARS } })
    url = server.url
  }, STARTS_WITHIN_MS)

  afterAll(async () => {
    await server?.kill()
    rmSync(state, { recursive: true, force: true })
  })

  it('opens with every balance unchanged', async () => {
    for (const [query, balance] of Object.entries(recording.balances)) {
      const { body } = await call('GET', `/v1/credits/balance${query}`)
      expect(JSON.parse(body).balance, query).toBe(balance)
    }
  })

  it('replays every keyed request byte for byte', async () => {
    const keyed = recording.requests.filter(({ key }) => key !== undefined)
    expect(keyed.length).toBeGreaterThan(30)
    for (const request of keyed) await expectReplay(request)
  })

  it('remembers the payments of its purchases, and credits none of them again', async () => {
    const purchases = recording.requests.filter(({ path }) => path === '/v1/credits/purchase')
    expect(purchases).toHaveLength(2)
    for (const { body, answer } of purchases) {
      const again = await call('POST', '/v1/credits/purchase', body)
      expect([again.status, JSON.parse(again.body)]).toEqual([
        200,
        { ...JSON.parse(answer), already_recorded: true },
      ])
    }
  })

  it('flushes its unflushed rows, and its books agree', async () => {
    const { body } = await call('POST', '/v1/events/ingest', {
      event_type: 'CUSTOM',
      feature_id: 'chat',
      unit: 'pages',
      quantity: 1,
    })
    expect(JSON.parse(body)).toHaveProperty('id')
    const response = await fetch(`${url}/v1/admin/reconcile`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: 'Bearer dev-operator-token' },
      body: JSON.stringify({ customer_id: recording.customer_id, full: true }),
    })
    expect(await response.json()).toMatchObject({ ledgers: [{ status: 'OK', differences: [] }] })
    for (const request of recording.requests.filter(({ key }) => key !== undefined)) {
      await expectReplay(request)
    }
  })

  it('has a hash chain that continues, according to the verifier', async () => {
    const { body } = await call('GET', '/v1/ledger/export')
    const { keys } = JSON.parse((await call('GET', '/.well-known/openmonetize-keys.json')).body)
    const result = await verifyExport([new TextEncoder().encode(body)], keys)
    expect(result).toMatchObject({ ok: true, next: null })
  })

  async function expectReplay({ method, path: route, key, body, status, answer }: Recorded): Promise<void> {
    const replay = await call(method, route, body, key)
    expect(
      { status: replay.status, body: replay.body, replayed: replay.replayed },
      `${route} ${key}`,
    ).toEqual({
      status,
      body: answer,
      replayed: 'true',
    })
  }

  async function call(
    method: string,
    route: string,
    body?: unknown,
    key?: string,
  ): Promise<{ readonly status: number; readonly body: string; readonly replayed: string | null }> {
    const response = await fetch(`${url}${route}`, {
      method,
      headers: {
        Authorization: `Bearer ${recording.api_key}`,
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...(key !== undefined && { 'Idempotency-Key': key }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const replayed = response.headers.get('Idempotency-Replayed')
    return { status: response.status, body: await response.text(), replayed }
  }
})
