import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import type { TestLedger } from '../support/ledgers.ts'

/** The outcome of one `sendBatch` call. */
export type QueueFault =
  | 'works'
  /** No message of the batch arrives. */
  | 'fails'
  /** All messages arrive, but the sender gets an error. */
  | 'fails after it was accepted'
  /** Only the first message of the batch arrives. */
  | 'fails half way'
  /** The object stops before the message is sent. */
  | 'power cut before'
  /** The object stops after the message has arrived. */
  | 'power cut after'

/**
 * A queue for a ledger object with a list of faults. Each `sendBatch` call has the next fault of the list. After the
 * last fault, the queue works.
 */
export class FlakyQueue {
  /** The messages that have arrived, in the order in which they arrived. */
  readonly arrived: unknown[] = []
  /** The number of `sendBatch` calls. */
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

  /**
   * Installs the queue and the D1 database `db` in the ledger object. Call it again after each restart of the object.
   */
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
