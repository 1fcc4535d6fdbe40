import { formatCredits, microCredits } from '../../pricing/money.ts'
import type { NotificationData } from '../model/notifications.ts'
import type { WalletOwner } from '../model/vocabulary.ts'

/**
 * Converts micro-credits to a number of credits for the data of a notification. JSON shows the exact amount, because
 * doubles up to 8e9 are less than 1e-6 apart.
 */
export function creditsOf(amount_micro: number): number {
  return Number(formatCredits(microCredits(amount_micro)))
}

/** Returns the field that names the owner of a wallet. Returns no field for the customer. */
export function ownerFields(owner: WalletOwner): Pick<NotificationData, 'user_id' | 'team_id'> {
  if (owner.kind === 'customer') return {}
  return owner.kind === 'user' ? { user_id: owner.id } : { team_id: owner.id }
}
