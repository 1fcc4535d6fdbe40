import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { configOf, type TierLimits } from '../../src/config.ts'
import type { Tier } from '../../src/db/schema.ts'
import type { TestLedger } from './ledgers.ts'

/** Changes limits of a tier in a ledger object. The change lasts until the object restarts. */
export async function limitTier(ledger: TestLedger, tier: Tier, changed: Partial<TierLimits>): Promise<void> {
  const config = configOf(env)
  const limits = { ...config.limits, [tier]: { ...config.limits[tier], ...changed } }
  await runInDurableObject(ledger.stub, (instance) => {
    if (!Reflect.set(instance, 'config', { ...config, limits })) throw new Error('the object kept its limits')
  })
}

export interface RateHeaders {
  readonly policy: string | null
  readonly rate: string | null
  readonly retry_after: string | null
}

/** Returns the rate limit headers of a response; null for a missing header. */
export function rateHeaders({ headers }: Response): RateHeaders {
  return {
    policy: headers.get('RateLimit-Policy'),
    rate: headers.get('RateLimit'),
    retry_after: headers.get('Retry-After'),
  }
}
