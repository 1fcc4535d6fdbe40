import { type MicroCredits, microCredits, usdFromParts } from '../../pricing/money.ts'
import { type BurnContext, countUse, type Rated } from '../burns/rate.ts'
import type { Draft } from '../commit/draft.ts'
import { count, metersOf, quantitiesOf } from '../entitlements/limits.ts'
import { capturedUse } from '../holds/holds.ts'
import type { Entry } from '../model/journal.ts'
import { RUNNING } from '../model/messages/calls.ts'
import type { Idempotency, PricedEvent, WalletItemRef } from '../model/vocabulary.ts'
import type { Wallet } from '../model/wallet.ts'
import { take } from '../wallets/funds.ts'
import { settlementOf } from './noted.ts'

/** Returns whether the charge of a call is the estimate that was stored while the call ran. */
export function isNoted({ event }: Entry): boolean {
  return event?.warnings?.includes(RUNNING) ?? false
}

/** Returns the idempotency key of the rest of a call's charge. No client can send a key with this prefix. */
export function restOf(ref: WalletItemRef): Idempotency {
  const { key, fingerprint } = settlementOf(ref)
  return { key: `${key} rest`, fingerprint }
}

/**
 * Charges the rest of a call that was charged its stored estimate (`noted`) when its hold expired, and that ended later
 * with a larger use. `amount` is the part of the difference that the wallet can pay, above 0. The rest is an entry of
 * its own, without an event: the event keeps its estimated usage and cost, because entries are never changed.
 */
export function chargeRest(
  draft: Draft,
  wallet: Wallet,
  { ref, event, rated, amount }: Rest,
  noted: Entry,
  context: BurnContext,
): Entry {
  const estimate = noted.event
  if (!estimate) throw new Error(`entry ${noted.number} is not the entry of an event`)
  const lots = take(draft, wallet, amount)
  // The stored estimate did not count towards tiers and allowances, so the whole use counts now.
  countUse(wallet, rated)
  const whole = quantitiesOf(rated, event.usage)
  const before = quantitiesOf({ credits_micro: 0n, price: usdFromParts(estimate.price) }, estimate.usage)
  const quantities = {
    credits: BigInt(amount),
    events: 0n,
    tokens: above(whole.tokens, before.tokens),
    usd: above(whole.usd, before.usd),
  }
  const meters = metersOf(draft, draft.entitlementsOf(estimate, estimate.key_id), quantities)
  return draft.append(wallet, {
    type: 'BURN',
    amount: microCredits(0 - amount),
    lots,
    captured: capturedUse(draft, amount, estimate, context),
    description: `Rest of ${context.ids.event(noted)}, which was charged by an estimate`,
    idempotency: restOf(ref),
    ...count(draft, meters),
  })
}

interface Rest {
  readonly ref: WalletItemRef
  readonly event: PricedEvent
  readonly rated: Rated
  readonly amount: MicroCredits
}

function above(whole: bigint, before: bigint): bigint {
  return whole > before ? whole - before : 0n
}
