import { runInDurableObject } from 'cloudflare:test'
import { onTestFinished } from 'vitest'
import type { PaymentReversals } from '../../src/config.ts'
import { freshLedger } from './ledgers.ts'

/** Sets the operator's policy for refunds and disputes in all ledger objects, until the end of the test. */
export async function withReversals(policy: PaymentReversals): Promise<void> {
  // All ledger objects share one configuration object, so a change in one of them affects all.
  const { stub } = await freshLedger()
  const config = await runInDurableObject(stub, (instance): object => Reflect.get(instance, 'config'))
  const before: unknown = Reflect.get(config, 'payment_reversals')
  Reflect.set(config, 'payment_reversals', policy)
  onTestFinished(() => void Reflect.set(config, 'payment_reversals', before))
}
