import { formatCredits, microCredits } from '../../pricing/money.ts'
import type { NotificationData } from '../model/notifications.ts'
import type { WalletOwner } from '../model/vocabulary.ts'

/**
 * An amount in the data of a notification. Exact: a double has 15 digits, and amounts up to 8e9 with 6
 * decimals may need 16.
 */
export function creditsOf(amount_micro: number): number {
  return Number(formatCredits(microCredits(amount_micro)))
}

/** The field that names a wallet's owner; none for the customer. */
export function ownerFields(owner: WalletOwner): Pick<NotificationData, 'user_id' | 'team_id'> {
  if (owner.kind === 'customer') return {}
  return owner.kind === 'user' ? { user_id: owner.id } : { team_id: owner.id }
}
