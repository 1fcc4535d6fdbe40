import type { MicroCredits } from '../../pricing/money.ts'

export const HOLD_STATUSES = ['open', 'captured', 'released', 'expired'] as const

export type HoldStatus = (typeof HOLD_STATUSES)[number]

/** A hold as it is answered, and as the journal and D1 keep it once it is closed. */
export interface HoldState {
  readonly number: number
  readonly wallet: number
  readonly status: HoldStatus
  readonly feature_id: string
  readonly user_id?: string
  readonly team_id?: string
  readonly credits: MicroCredits
  readonly captured: MicroCredits
  readonly remaining: MicroCredits
  readonly output_rate?: MicroCredits
  readonly created_at_ms: number
  readonly expires_at_ms: number
}
