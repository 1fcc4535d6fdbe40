import {
  CREDIT_DECIMALS,
  divideHalfEven,
  formatDecimal,
  lesser,
  MAX_MICRO_CREDITS,
  type MicroCredits,
  microCredits,
  picoUsd,
  usdFromParts,
  usdToParts,
} from '../../pricing/money.ts'
import type { Draft } from '../commit/draft.ts'
import { countInPlaceOf, quantitiesOf } from '../entitlements/limits.ts'
import { captureParts } from '../holds/funds.ts'
import type { Entry } from '../model/journal.ts'
import type { Idempotency, WalletItemRef } from '../model/vocabulary.ts'
import { type Hold, remaining, type Wallet } from '../model/wallet.ts'

/**
 * Charges the stored estimate of a call to its expiring hold, so that delivered output is paid for even if the gateway
 * crashes. Returns undefined if the call has no estimate. The caller must close the hold. Tiers and allowances do not
 * count the charge, because it was rated when the estimate was stored. If the wallet cannot pay the whole estimate,
 * which is possible only without held credits, charges a part and records the same part of the price.
 */
export function chargeNoted(draft: Draft, wallet: Wallet, hold: Hold): Entry | undefined {
  const { noted } = hold.call ?? {}
  if (!noted) return undefined
  const { user_id, team_id, expires_at_ms } = hold
  const charge = BigInt(lesser(BigInt(noted.credits), mostNoted(hold)))
  const { amount, lots, shortfall_micro } = captureParts(draft, wallet, hold, charge)
  const whole = usdFromParts(noted.record.price)
  const price = shortfall_micro === 0n ? whole : picoUsd(divideHalfEven(whole * BigInt(amount), charge))
  const warnings = [...(noted.record.warnings ?? []), ...shortfallOf(shortfall_micro)]
  const quantities = quantitiesOf({ credits_micro: BigInt(amount), price }, noted.record.usage)
  return draft.append(wallet, {
    type: 'BURN',
    amount: microCredits(0 - amount),
    lots,
    event: {
      ...noted.record,
      price: usdToParts(price),
      ...(warnings.length > 0 && { warnings }),
      ...(user_id !== undefined && { user_id }),
      ...(team_id !== undefined && { team_id }),
    },
    ...(expires_at_ms < draft.at_ms && { effective_at_ms: expires_at_ms }),
    idempotency: settlementOf({ ...hold, wallet: wallet.number }),
    ...countInPlaceOf(draft, hold, quantities),
  })
}

/**
 * Returns the largest charge for a stored estimate: the rest of the hold. If nothing was held because the requested
 * model has no price, the largest amount, because the output must be paid for.
 */
export function mostNoted(hold: Hold): MicroCredits {
  return hold.credits === 0 ? microCredits(MAX_MICRO_CREDITS) : remaining(hold)
}

/** Returns the warning about the credits that could not be charged, if there are any. */
export function shortfallOf(shortfall_micro: bigint): string[] {
  return shortfall_micro === 0n
    ? []
    : [`shortfall of ${formatDecimal(shortfall_micro, CREDIT_DECIMALS)} credits`]
}

/**
 * Returns the idempotency key of a call's charge. The key prevents a second charge, even if the settlement is
 * repeated or arrives after the hold has expired. No client can send a key with this prefix.
 */
export function settlementOf({ number, wallet, created_at_ms }: WalletItemRef): Idempotency {
  return { key: `\u0000call ${wallet}.${number}.${created_at_ms}`, fingerprint: 'call' }
}
