import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Job, runJobs } from '../../src/cron/run-jobs.ts'
import { JOBS, MINUTE_JOBS } from '../../src/cron.ts'

const NOW_MS = Date.now()
/** The platform's maximum number of subrequests in one invocation. */
const MAX_CALLS = 1_000

beforeEach(async () => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  vi.spyOn(console, 'log').mockImplementation(() => undefined)
  await env.DB.prepare('DELETE FROM sweeps').run()
})
afterEach(() => {
  vi.restoreAllMocks()
})

const job = (name: string, run: Job['run'], calls = 10): Job => ({ name, calls, run })
const query = (db: D1Database) => db.prepare('SELECT 1').first()

describe('a scheduled job', () => {
  it('continues where its last run ended', async () => {
    const begun: string[] = []
    const walker = job('walker', async ({ after, reach }) => {
      begun.push(after)
      reach(`${after}x`)
    })
    for (let run = 0; run < 3; run++) await runJobs(env, [walker], NOW_MS)
    expect(begun).toEqual(['', 'x', 'xx'])
  })

  it('keeps the place that it reached before it failed', async () => {
    const begun: string[] = []
    const failing = job('failing', async ({ after, reach }) => {
      begun.push(after)
      reach('half')
      throw new Error('broken')
    })
    await expect(runJobs(env, [failing], NOW_MS)).rejects.toThrow('1 of 1 scheduled jobs failed')
    await expect(runJobs(env, [failing], NOW_MS)).rejects.toThrow('1 of 1 scheduled jobs failed')
    expect(begun).toEqual(['', 'half'])
  })

  it('that fails or hangs does not stop the others', async () => {
    const ran: string[] = []
    const jobs = [
      job('fails', async () => {
        throw new Error('broken')
      }),
      job('hangs', () => new Promise(() => undefined)),
      job('works', async () => void ran.push('works')),
    ]
    await expect(runJobs(env, jobs, NOW_MS, 0, 200)).rejects.toThrow('2 of 3 scheduled jobs failed')
    expect(ran).toEqual(['works'])
  })

  it('is not the last one in every run', async () => {
    const ran: string[] = []
    const jobs = ['a', 'b', 'c'].map((name) => job(name, async () => void ran.push(name)))
    for (let first = 0; first < 3; first++) await runJobs(env, jobs, NOW_MS, first)
    expect(ran.join('')).toBe('abcbcacab')
  })
})

describe('the budget of a job', () => {
  it('ends its run without a failure, and the next run continues', async () => {
    const done: string[] = []
    const long = job(
      'long',
      async ({ env: bindings, after, reach }) => {
        for (let i = Number(after); i < 25; i++) {
          await query(bindings.DB)
          done.push(String(i))
          reach(String(i + 1))
        }
      },
      10,
    )
    for (let run = 0; run < 3; run++) await runJobs(env, [long], NOW_MS)
    expect(done).toEqual(Array.from({ length: 25 }, (_, i) => String(i)))
  })

  it('counts each statement of a batch, and each call of a ledger object, a queue and KV', async () => {
    const spend = async (use: Job['run']) => {
      let spent = false
      const spender = job('spender', async (run) => {
        await use(run)
        spent = true
      })
      await runJobs(env, [{ ...spender, calls: 3 }], NOW_MS)
      return spent
    }
    const batch = (n: number) => (run: Parameters<Job['run']>[0]) =>
      run.env.DB.batch(Array.from({ length: n }, () => run.env.DB.prepare('SELECT ?1').bind(1))).then(
        () => {},
      )
    expect(await spend(batch(3))).toBe(true)
    expect(await spend(batch(4))).toBe(false)
    const wake = (n: number) => async (run: Parameters<Job['run']>[0]) => {
      for (let i = 0; i < n; i++) await run.env.LEDGER.getByName('budget').ping()
    }
    expect(await spend(wake(3))).toBe(true)
    expect(await spend(wake(4))).toBe(false)
    const sent = (n: number) => async (run: Parameters<Job['run']>[0]) => {
      // The consumer drops these messages, because their version does not exist.
      for (let i = 0; i < n; i++) await run.env.NOTIFICATIONS.send({ v: 0 })
    }
    expect(await spend(sent(3))).toBe(true)
    expect(await spend(sent(4))).toBe(false)
    const looked = (n: number) => async (run: Parameters<Job['run']>[0]) => {
      for (let i = 0; i < n; i++) await run.env.API_KEYS.get('none')
    }
    expect(await spend(looked(3))).toBe(true)
    expect(await spend(looked(4))).toBe(false)
  })

  it('lets a job change nothing after its time', async () => {
    let resume = () => {}
    let outcome: unknown
    const late = job('late', async ({ env: bindings }) => {
      await new Promise<void>((resolve) => {
        resume = resolve
      })
      outcome = await query(bindings.DB).catch((error: unknown) => error)
    })
    await expect(runJobs(env, [late], NOW_MS, 0, 50)).rejects.toThrow()
    resume()
    await vi.waitFor(() => expect(outcome).toBeInstanceOf(Error))
  })

  it('is separate for each job: all together stay below the calls of one invocation', () => {
    for (const jobs of [JOBS, MINUTE_JOBS]) {
      const runner = 1 + jobs.length
      expect(jobs.reduce((sum, { calls }) => sum + calls, runner)).toBeLessThanOrEqual(MAX_CALLS)
    }
    // The jobs of both lists store their positions in one table under their names, so the names must be unique.
    const names = [...JOBS, ...MINUTE_JOBS].map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })
})
