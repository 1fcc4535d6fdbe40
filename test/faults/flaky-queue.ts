import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import type { TestLedger } from '../support/ledgers.ts'

/** The fault of one `sendBatch`. */
export type QueueFault =
  | 'works'
  /** No message of the batch arrives. */
  | 'fails'
  /** All messages arrive, but the sender gets an error. */
  | 'fails after it was accepted'
  /** Only the first message of the batch arrives. */
  | 'fails half way'
  /** The object loses its power before the message is sent. */
  | 'power cut before'
  /** The object loses its power after the message has arrived. */
  | 'power cut after'

/** A queue behind a ledger object with planned faults: one fault for each `sendBatch`; afterwards the queue works. */
export class FlakyQueue {
  /** All messages that arrived, in the order of delivery. */
  readonly arrived: unknown[] = []
  /** The number of times the object tried to send. */
  sends = 0
  private readonly ledger: TestLedger
  private plan: QueueFault[] = []

  private constructor(ledger: TestLedger) {
    this.ledger = ledger
  }

  static async behind(ledger: TestLedger): Promise<FlakyQueue> {
    const queue = new FlakyQueue(ledger)
    await queue.install()
    return queue
  }

  breaks(...faults: QueueFault[]): void {
    this.plan = faults
  }

  /** Call this again after the object has restarted. `db` is the D1 that it gets. */
  async install(db: D1Database = env.DB): Promise<void> {
    await runInDurableObject(this.ledger.stub, (instance, state) => {
      const cut = (): never => {
        state.abort('the power failed')
        throw new Error('the power failed')
      }
      const sendBatch = async (messages: Iterable<{ readonly body: unknown }>) =>
        this.take([...messages], cut)
      const binding: Queue = Object.create(env.USAGE, { sendBatch: { value: sendBatch } })
      if (!Reflect.set(instance, 'env', { ...env, DB: db, USAGE: binding })) {
        throw new Error('the object kept its bindings')
      }
    })
  }

  private take(messages: readonly { readonly body: unknown }[], cut: () => never): void {
    this.sends++
    const fault = this.plan.shift() ?? 'works'
    if (fault === 'power cut before') cut()
    if (fault === 'fails') throw new Error('Queue sendBatch failed: Network connection lost.')
    const bodies = messages.map(({ body }): unknown => JSON.parse(JSON.stringify(body)))
    this.arrived.push(...(fault === 'fails half way' ? bodies.slice(0, 1) : bodies))
    if (fault === 'power cut after') cut()
    if (fault !== 'works') throw new Error('Queue sendBatch failed: Internal Server Error')
  }
}
