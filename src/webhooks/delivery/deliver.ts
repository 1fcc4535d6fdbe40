import type { Bindings } from '../../bindings.ts'
import { logError, logFailure } from '../../logging/log.ts'
import { withDeadline } from '../../time/durations.ts'
import { parseMessage } from '../queue/message.ts'
import { type Delivered, deliveryId, type Outcome } from '../records/deliveries.ts'
import { type AddressCheck, addressChecks, attempt } from './attempt.ts'
import { decide, type Ready, type Unsent } from './decide.ts'
import { Lanes } from './lanes.ts'
import { type Consequence, consequenceOf } from './outcome.ts'
import { record } from './record.ts'
import { SEND_LIMITS, type SendLimits } from './send.ts'
import { type Settlement, settle, settleDue, settleUnsent } from './settle.ts'
import { readSituations } from './situation.ts'
import { continueSlow, inFlight } from './slow.ts'

/**
 * The maximum number of simultaneous attempts in one run, in total and for each endpoint. A Worker has six connections.
 */
const CONNECTIONS = { all: 6, of_key: 2 }
/**
 * The first and the last delay between retries of a batch. Ten retries take about 85 minutes, and a hundred retries
 * take about four days.
 */
const FIRST_DELAY_S = 5
const LAST_DELAY_S = 3_600

/** The maximum time for which a run waits for responses from endpoints. */
const PATIENCE_MS = 1_000

export interface DeliverOptions extends SendLimits {
  readonly patience_ms: number
  /** Keeps the isolate alive until the given work is complete, which can be after the end of the run. */
  readonly defer: (work: Promise<void>) => void
}

export function deliverOptions(defer: DeliverOptions['defer']): DeliverOptions {
  return { ...SEND_LIMITS, patience_ms: PATIENCE_MS, defer }
}

/** A queue message and the delivery that it is about. */
interface Job {
  readonly message: Message
  readonly delivered: Delivered
}

/**
 * Consumes a batch of the queue `webhooks`. Sends the deliveries that are due, and records their outcomes. The new
 * state of a delivery is written before its queue message is acknowledged. A crash between two steps can therefore
 * repeat a delivery, but never lose one.
 *
 * A run waits one second for responses. Slower attempts continue after the run, and their rows in D1 show that they
 * are running. A slow endpoint therefore does not block the queue. If an endpoint has five running attempts when a run
 * begins, the run sends nothing to it.
 */
export async function deliverBatch(
  batch: MessageBatch,
  env: Bindings,
  options: DeliverOptions,
): Promise<void> {
  const jobs = jobsOf(batch)
  if (jobs.length === 0) return
  try {
    await deliver(env, jobs, options)
  } catch (error) {
    logError('webhook_batch_failed', error, { messages: jobs.length })
    for (const { message } of jobs) {
      const delay = FIRST_DELAY_S * 2 ** Math.min(message.attempts - 1, 10)
      message.retry({ delaySeconds: Math.min(LAST_DELAY_S, delay) })
    }
  }
}

/** Returns the jobs of a batch. Acknowledges malformed messages, and repeated messages about the same delivery. */
function jobsOf({ messages }: MessageBatch): Job[] {
  const jobs = new Map<string, Job>()
  for (const message of messages) {
    const delivered = parseMessage(message.body)
    if (!delivered) logFailure('webhook_message_malformed', { message: message.id })
    const id = delivered && deliveryId(delivered)
    if (!delivered || id === undefined || jobs.has(id)) message.ack()
    else jobs.set(id, { message, delivered })
  }
  return [...jobs.values()]
}

async function deliver(env: Bindings, jobs: readonly Job[], options: DeliverOptions): Promise<void> {
  const delivered = jobs.map((job) => job.delivered)
  const situations = await readSituations(env, delivered, options.now())
  const check = addressChecks(env, options.fetcher)
  const lanes = new Lanes(CONNECTIONS)
  const running: Running[] = []
  const rows: Outcome[] = []
  const settlements: [Message, Settlement][] = []
  const leaveUnsent = ({ message, delivered }: Job, unsent: Unsent) => {
    const left = settleUnsent(unsent, { delivered, tries: message.attempts, now_ms: options.now() })
    settlements.push([message, left.settlement])
    if (left.outcome) rows.push(left.outcome)
  }
  for (const job of jobs) {
    const situation = situations.get(job.delivered)
    if (!situation) throw new Error(`the situation of delivery ${deliveryId(job.delivered)} was not read`)
    const decision = decide(situation, options.now())
    if (decision.kind === 'send') running.push(run(lanes, { job, ready: decision }, check, options))
    else leaveUnsent(job, decision)
  }
  await withDeadline(Promise.all(running.map(({ end }) => end)), options.patience_ms)
  lanes.close()

  const now_ms = options.now()
  const slow: Running[] = []
  const consequences: Consequence[] = []
  for (const one of running) {
    const { job, ready, started, consequence } = one.progress
    if (consequence) {
      consequences.push(consequence)
      settlements.push([job.message, settleDue(consequence.outcome.due_at_ms, now_ms)])
    } else if (started) {
      slow.push(one)
      rows.push(inFlight(job.delivered, ready.made, now_ms))
      settlements.push([job.message, { kind: 'ack' }])
    } else leaveUnsent(job, { kind: 'busy', has_row: ready.has_row })
  }
  await record(env, consequences, rows, now_ms)
  for (const [message, settlement] of settlements) settle(message, settlement)
  for (const { end, progress } of slow) {
    options.defer(continueSlow(env, end, progress.job.delivered.webhook_endpoint_id, options))
  }
}

/** An attempt that this run has begun or can still begin, with its progress. */
interface Running {
  readonly progress: Progress
  readonly end: Promise<Consequence>
}

interface Progress {
  readonly job: Job
  readonly ready: Ready
  started: boolean
  consequence: Consequence | undefined
}

function run(
  lanes: Lanes,
  { job, ready }: Pick<Progress, 'job' | 'ready'>,
  check: AddressCheck,
  options: DeliverOptions,
): Running {
  const progress: Progress = { job, ready, started: false, consequence: undefined }
  const end = lanes.run(job.delivered.webhook_endpoint_id, async () => {
    progress.started = true
    const sent = await attempt(ready, check, options)
    progress.consequence = consequenceOf(job.delivered, ready.endpoint, sent, ready.made)
    return progress.consequence
  })
  return { progress, end }
}
