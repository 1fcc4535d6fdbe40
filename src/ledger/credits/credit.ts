import type { Draft } from '../commit/draft.ts'
import { replayedEntry } from '../commit/replay.ts'
import { FORMAT } from '../journal/packing.ts'
import type { CreditAnswer } from '../model/answers.ts'
import type { Entry } from '../model/journal.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import type { CreditMessage } from '../model/messages/credits.ts'
import type { RecurringGrant } from '../model/recurring.ts'
import { invalidField, type Refused, refused } from '../model/refusal.ts'
import { fullRefusal } from '../model/wallet.ts'
import { putLot } from '../wallets/funds.ts'
import { MAX_RECURRING_GRANTS, nextRecurrence } from '../wallets/recurring.ts'
import { settle } from '../wallets/settle.ts'

export type CreditOutcome =
  | { readonly kind: 'done' | 'replayed'; readonly format: number; readonly entry: Entry }
  | Refused

/** Puts a new lot into the owner's wallet, and makes the wallet if there is none. Refused, it changes nothing. */
export function applyCredit(draft: Draft, message: CreditMessage): CreditOutcome {
  const replayed = replayedEntry(draft, message.idempotency)
  if (replayed) return replayed
  if (message.expires_at_ms !== null && message.expires_at_ms <= draft.at_ms) {
    const message = 'must lie in the future'
    return invalidField('/expires_at', message, `expires_at ${message}.`)
  }
  const existing = draft.wallet(message.owner)
  const settled = existing && settle(draft, existing)
  const full = settled && fullRefusal(settled, message.amount, 1)
  if (full) return refused(full)
  if (message.recurring && (settled?.recurring.length ?? 0) >= MAX_RECURRING_GRANTS) {
    return refused({ code: 'too_many_open', what: 'recurring grants', limit: MAX_RECURRING_GRANTS })
  }
  const wallet = settled ? draft.change(settled) : draft.createWallet(message.owner)
  const number = draft.nextLotNumber()
  const lot = {
    number,
    kind: message.lot_kind,
    priority: message.priority,
    expires_at_ms: message.expires_at_ms,
    ...(message.price && { price: message.price }),
    // A recurring grant has the number of its first lot.
    ...(message.recurring && { recurring: number }),
  }
  if (message.recurring) wallet.recurring.push(recurringGrant(draft, message, message.recurring, number))
  const lots = putLot(draft, wallet, { ...lot, created_at_ms: draft.at_ms, amount: message.amount })
  const entry = draft.append(wallet, {
    type: message.type,
    amount: message.amount,
    lots,
    new_lots: [lot],
    ...(message.reason !== undefined && { description: message.reason }),
    ...(message.payment_reference !== undefined && { payment_reference: message.payment_reference }),
    ...(message.metadata && { metadata: message.metadata }),
    ...(message.idempotency && { idempotency: message.idempotency }),
  })
  return { kind: 'done', format: FORMAT, entry }
}

/** Returns the answer to a grant or a purchase, from its entry alone: the first answer and every replay are the same. */
export function creditAnswer(ids: LedgerIds, entry: Entry): CreditAnswer {
  const [lot] = entry.new_lots ?? []
  if (!lot) throw new Error(`entry ${entry.number} is not a credit`)
  return {
    transaction_id: ids.transaction(entry),
    wallet_id: ids.wallet(entry.wallet),
    lot_id: ids.lot(lot.number),
    ...(lot.recurring !== undefined && {
      recurring_grant_id: ids.recurringGrant({
        number: lot.recurring,
        wallet: entry.wallet,
        created_at_ms: entry.at_ms,
      }),
    }),
    amount: entry.amount,
    balance_after: entry.balance_after,
  }
}

function recurringGrant(
  draft: Draft,
  { amount, lot_kind, priority, expires_at_ms, reason }: CreditMessage,
  { every, rollover_max }: NonNullable<CreditMessage['recurring']>,
  number: number,
): RecurringGrant {
  return {
    number,
    every,
    amount,
    kind: lot_kind,
    priority,
    lifetime_ms: expires_at_ms === null ? null : expires_at_ms - draft.at_ms,
    rollover_max,
    ...(reason !== undefined && { reason }),
    created_at_ms: draft.at_ms,
    next_at_ms: nextRecurrence(every, draft.at_ms, draft.at_ms),
  }
}
