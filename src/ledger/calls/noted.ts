import { lesser, microCredits, usdFromParts } from '../../pricing/money.ts'
import type { Draft } from '../commit/draft.ts'
import { countInPlaceOf, quantitiesOf } from '../entitlements/limits.ts'
import { captureParts } from '../holds/funds.ts'
import type { Entry } from '../model/journal.ts'
import type { Idempotency, WalletItemRef } from '../model/vocabulary.ts'
import { type Hold, remaining, type Wallet } from '../model/wallet.ts'

/**
 * Charges the noted estimate of a call to its expiring hold, so that delivered output is paid even if the gateway
 * crashed. Returns undefined if the call has no note. The caller closes the hold. Tiers and allowances do not count
 * the charge, because it was rated at the time of the note.
 */
export function chargeNoted(draft: Draft, wallet: Wallet, hold: Hold): Entry | undefined {
  const { noted } = hold.call ?? {}
  if (!noted) return undefined
  const { user_id, team_id, expires_at_ms } = hold
  const charge = lesser(BigInt(noted.credits), remaining(hold))
  const { amount, lots } = captureParts(draft, wallet, hold, BigInt(charge))
  const quantities = quantitiesOf(
    { credits_micro: BigInt(amount), price: usdFromParts(noted.record.price) },
    noted.record.usage,
  )
  return draft.append(wallet, {
    type: 'BURN',
    amount: microCredits(0 - amount),
    lots,
    event: {
      ...noted.record,
      ...(user_id !== undefined && { user_id }),
      ...(team_id !== undefined && { team_id }),
    },
    ...(expires_at_ms < draft.at_ms && { effective_at_ms: expires_at_ms }),
    idempotency: settlementOf({ ...hold, wallet: wallet.number }),
    ...countInPlaceOf(draft, hold, quantities),
  })
}

/**
 * Returns the idempotency key of a call's charge. The key prevents a second charge, even if the settlement is
 * repeated or arrives after the hold has expired. No client can send a key with this prefix.
 */
export function settlementOf({ number, wallet, created_at_ms }: WalletItemRef): Idempotency {
  return { key: `\u0000call ${wallet}.${number}.${created_at_ms}`, fingerprint: 'call' }
}
