import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { idempotencyKey } from '../../src/http/caller.ts'
import { jsonBody } from '../../src/http/middleware/body.ts'
import { requestId } from '../../src/http/middleware/headers.ts'
import { requestLog } from '../../src/http/middleware/request-log.ts'
import { onError, refusalResponse } from '../../src/http/output/problem.ts'
import { type Answer, answerOnce } from '../../src/http/output/stored-answers.ts'
import { createRouter } from '../../src/http/route.ts'
import { listenToConsole } from '../support/console.ts'
import { runJob } from '../support/cron.ts'
import { unique } from '../support/customers.ts'
import { countedD1 } from '../support/d1.ts'
import { expectProblem } from '../support/problems.ts'

/**
 * Creates an app with a POST route. The route writes one row to D1, in the same batch as the response that it stores
 * for replays.
 */
function counting(owner: string, meanwhile: () => Promise<unknown> = async () => {}) {
  let made = 0
  const app = createRouter()
  app.onError(onError)
  app.use(requestLog, requestId, jsonBody, idempotencyKey)
  app.post('/count', async (c) => {
    const body: { readonly refuse?: boolean; readonly unique?: boolean } = await c.req.json()
    return answerOnce(c, { owner, operation: 'POST /count' }, async (keep) => {
      const refuse = () => refusalResponse(c, { code: 'conflict', detail: 'Not now.' })
      if (body.refuse) return refuse()
      made += 1
      const answer: Answer = { status: 201, body: { made, price: JSON.rawJSON('0.00000000000000000010') } }
      const insert = c.env.DB.prepare(
        'INSERT INTO wallets (ledger_id, wallet_number, wallet_id, owner_kind) VALUES (?1, ?2, ?1, ?1)',
      ).bind(owner, made)
      await meanwhile()
      if (body.unique && (await keysOf(owner)) === 1) return refuse()
      await c.env.DB.batch([insert, ...keep(answer)])
      return answer
    })
  })
  return {
    post: async (body: object, key?: string, DB: D1Database = env.DB): Promise<Response> => {
      const ctx = createExecutionContext()
      const headers = {
        'Content-Type': 'application/json',
        ...(key !== undefined && { 'Idempotency-Key': key }),
      }
      const init = { method: 'POST', headers, body: JSON.stringify(body) }
      const bindings = { ...env, DB, LOG_SAMPLE_RATE: '1' }
      const response = await app.fetch(new Request('https://test/count', init), bindings, ctx)
      await waitOnExecutionContext(ctx)
      return response
    },
    changes: () =>
      env.DB.prepare('SELECT count(*) AS rows FROM wallets WHERE ledger_id = ?')
        .bind(owner)
        .first<number>('rows'),
  }
}

const keysOf = (owner: string) =>
  env.DB.prepare('SELECT count(*) AS rows FROM stored_answers WHERE owner = ?')
    .bind(owner)
    .first<number>('rows')

describe('a POST that no ledger handles', () => {
  it('is done once per key: a repeat gets the same bytes and is marked as a repeat', async () => {
    const { post, changes } = counting(unique('owner'))
    const first = await post({ a: 1, b: 2 }, 'k')
    const again = await post({ b: 2, a: 1 }, 'k')
    expect(first.status).toBe(201)
    expect(again.status).toBe(201)
    expect(await again.text()).toBe(await first.clone().text())
    expect(await first.text()).toContain('0.00000000000000000010')
    expect([first, again].map(({ headers }) => headers.get('Idempotency-Replayed'))).toEqual([null, 'true'])
    expect(again.headers.get('Content-Type')).toBe('application/json')
    expect(await changes()).toBe(1)
  })

  it('with the same key and another body is 422, and changes nothing', async () => {
    const { post, changes } = counting(unique('owner'))
    await post({ a: 1 }, 'k')
    await expectProblem(await post({ a: 2 }, 'k'), 422, 'idempotency_mismatch')
    expect(await changes()).toBe(1)
  })

  it('without a key is done each time, and stores nothing', async () => {
    const owner = unique('owner')
    const { post, changes } = counting(owner)
    await post({})
    await post({})
    expect([await changes(), await keysOf(owner)]).toEqual([2, 0])
  })

  it('that is refused or fails leaves its key unused', async () => {
    const owner = unique('owner')
    let broken = true
    const { post, changes } = counting(owner, async () => {
      if (broken) throw new Error('broken')
    })
    await expectProblem(await post({ refuse: true }, 'k'), 409, 'conflict')
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    await expectProblem(await post({ a: 1 }, 'k'), 500, 'internal_error')
    log.mockRestore()
    expect(await keysOf(owner)).toBe(0)
    broken = false
    expect((await post({ a: 2 }, 'k')).status).toBe(201)
    expect(await changes()).toBe(1)
  })

  it('has keys that are separate for each owner', async () => {
    const [mine, theirs] = [counting(unique('owner')), counting(unique('owner'))]
    await mine.post({ a: 1 }, 'k')
    expect((await theirs.post({ a: 2 }, 'k')).headers.get('Idempotency-Replayed')).toBeNull()
  })

  it('sent ten times at once is done once, and all ten requests get the same response', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    let waiting = 0
    const { post, changes } = counting(unique('owner'), () => {
      waiting += 1
      if (waiting === 10) resolve()
      return promise
    })
    const responses = await Promise.all(Array.from({ length: 10 }, () => post({}, 'k')))
    const bodies = await Promise.all(responses.map((response) => response.text()))
    expect(new Set(bodies).size).toBe(1)
    expect(responses.filter(({ headers }) => headers.get('Idempotency-Replayed') === null)).toHaveLength(1)
    expect(await changes()).toBe(1)
  })

  it('that is refused because a faster request has its key gets the stored response, and is logged as a repeat', async () => {
    const output = listenToConsole()
    try {
      const owner = unique('owner')
      let faster: Response | undefined
      const app = counting(owner, async () => {
        if (faster) return
        faster = new Response()
        faster = await app.post({ unique: true }, 'k')
      })
      const slower = await app.post({ unique: true }, 'k')
      expect(slower.status).toBe(201)
      expect(await slower.text()).toBe(await faster?.text())
      const lines = output.records().filter(({ event }) => event === 'request')
      expect(lines.map(({ status, code, outcome }) => [status, code, outcome])).toEqual([
        [201, undefined, 'ok'],
        [201, undefined, 'replayed'],
      ])
      await expectProblem(await app.post({ unique: false }, 'k'), 422, 'idempotency_mismatch')
      expect(output.records().at(-1)).toMatchObject({ code: 'idempotency_mismatch' })
    } finally {
      vi.restoreAllMocks()
    }
  })

  it('reads and writes as much with thousands of kept responses as with none', async () => {
    const owner = unique('owner')
    const { post } = counting(owner)
    const insert = `
      INSERT INTO stored_answers (owner, idempotency_key, fingerprint, status, body, created_at_ms)
      SELECT ?1, 'kept ' || value, 'f', 200, '{}', ?2 FROM json_each(?3)`
    const costs: object[] = []
    for (const kept of [0, 5_000]) {
      const numbers = JSON.stringify(Array.from({ length: kept }, (_, i) => i))
      await env.DB.prepare(insert).bind(owner, Date.now(), numbers).run()
      const { counts } = await countedD1((DB) => post({}, `new ${kept}`, DB))
      costs.push({ ...counts })
    }
    expect(costs[1]).toEqual(costs[0])
  })

  it('has its responses deleted by the cron once they are older than the window', async () => {
    const owner = unique('owner')
    const { post } = counting(owner)
    await post({}, 'old')
    await post({}, 'young')
    const age = 'UPDATE stored_answers SET created_at_ms = ?3 WHERE owner = ?1 AND idempotency_key = ?2'
    const week_ms = 7 * 86_400_000
    await env.DB.prepare(age)
      .bind(owner, 'old', Date.now() - week_ms - 60_000)
      .run()
    await env.DB.prepare(age)
      .bind(owner, 'young', Date.now() - week_ms + 60_000)
      .run()
    await post({}, 'new')
    expect(await keysOf(owner)).toBe(3)
    await runJob('stored_answers')
    expect(await keysOf(owner)).toBe(2)
    expect((await post({}, 'young')).headers.get('Idempotency-Replayed')).toBe('true')
    expect((await post({}, 'old')).headers.get('Idempotency-Replayed')).toBeNull()
  })
})
