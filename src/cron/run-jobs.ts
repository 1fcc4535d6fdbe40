import type { Bindings } from '../bindings.ts'
import { type LogFields, logError, logInfo } from '../logging/log.ts'
import { Budget, BudgetSpent, budgeted } from './budget.ts'

/** The input of one run of a scheduled job. */
export interface JobRun {
  /** The bindings. Each call to D1, ledger objects, queues or KV is subtracted from the budget of the run. */
  readonly env: Bindings
  readonly now_ms: number
  /** The position at which the last run ended; an empty text if the run begins at the start. */
  readonly after: string
  /**
   * Sets the position at which the next run begins. The position is stored even if this run fails or uses up its
   * budget.
   */
  readonly reach: (place: string) => void
}

export interface Job {
  /** The name of the job. Never change it: the D1 table `sweeps` stores the position of the job under this name. */
  readonly name: string
  /** The maximum number of calls to D1, ledger objects, queues and KV in one run. */
  readonly calls: number
  /** Does a limited part of the work. */
  readonly run: (run: JobRun) => Promise<void>
}

/** The time limit in ms of one run of a job. */
const JOB_TIME_MS = 30_000

const PLACES = 'SELECT sweep, after_customer_id FROM sweeps'

const PLACE = 'SELECT after_customer_id FROM sweeps WHERE sweep = ?1'

// Writes 1 row.
const MOVE = `
  INSERT INTO sweeps (sweep, after_customer_id) VALUES (?1, ?2)
  ON CONFLICT (sweep) DO UPDATE SET after_customer_id = excluded.after_customer_id`

/**
 * Runs jobs one after the other, each with a separate budget. A job that fails, hangs or exceeds its budget does not
 * affect other jobs. `first` is the index of the job that runs first. The caller passes a different index in each run,
 * so that no job is always last. Throws if a job failed, or if the stored positions cannot be read.
 */
export async function runJobs(
  env: Bindings,
  jobs: readonly Job[],
  now_ms: number,
  first = 0,
  time_ms = JOB_TIME_MS,
): Promise<void> {
  const { results } = await env.DB.prepare(PLACES).all<{ sweep: string; after_customer_id: string }>()
  const places = new Map(results.map(({ sweep, after_customer_id }) => [sweep, after_customer_id]))
  const begin = first % Math.max(1, jobs.length)
  let failed = 0
  for (const job of [...jobs.slice(begin), ...jobs.slice(0, begin)]) {
    const after = places.get(job.name) ?? ''
    const done = await runJob(env, job, { now_ms, after, time_ms })
    if (!done) failed++
  }
  if (failed > 0) throw new Error(`${failed} of ${jobs.length} scheduled jobs failed`)
}

/**
 * Runs a job and stores its new position. Returns whether this succeeded. A job whose budget is used up counts as
 * successful.
 */
async function runJob(
  env: Bindings,
  job: Job,
  { now_ms, after, time_ms }: { readonly now_ms: number; readonly after: string; readonly time_ms: number },
): Promise<boolean> {
  const budget = new Budget(job.calls, time_ms)
  const fields: LogFields = { job: job.name }
  let place = after
  let succeeded = true
  const reach = (reached: string) => {
    place = reached
  }
  try {
    await within(job.run({ env: budgeted(env, budget), now_ms, after, reach }), time_ms)
  } catch (error) {
    if (error instanceof BudgetSpent) logInfo('scheduled_job_continues', { ...fields, place })
    else {
      succeeded = false
      logError('cron_failed', error, fields)
    }
  }
  budget.end()
  try {
    if (place !== after) await writePlace(env.DB, job.name, place)
  } catch (error) {
    succeeded = false
    logError('cron_failed', error, fields)
  }
  return succeeded
}

/** Returns the stored position of a job. Used by a job that the operator can also start. */
export async function readPlace(db: D1Database, job: string): Promise<string> {
  return (await db.prepare(PLACE).bind(job).first<string>('after_customer_id')) ?? ''
}

export async function writePlace(db: D1Database, job: string, place: string): Promise<void> {
  await db.prepare(MOVE).bind(job, place).run()
}

async function within(work: Promise<void>, time_ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`The job did not end within ${time_ms} ms.`)), time_ms)
  })
  // Ignores an error of the work after the timeout. The work fails at its next call, because its budget is then 0.
  work.catch(() => undefined)
  try {
    await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
  }
}
