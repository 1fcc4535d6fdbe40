import { type BurnTable, chargeFor } from '../pricing/burn-table.ts'
import { microCredits, usdFromParts, usdToParts } from '../pricing/money.ts'
import type { Draft } from './draft.ts'
import { take } from './funds.ts'
import type { Entry, EventRecord } from './journal.ts'
import type { LedgerIds } from './ledger-ids.ts'
import type { EventAnswer, IngestItem, PricedEvent } from './messages.ts'
import { FORMAT } from './packing.ts'
import { insufficientCredits, type Refusal } from './refusal.ts'
import { settle } from './settle.ts'
import { spendable, type Wallet } from './wallet.ts'

export type BurnOutcome =
  | { readonly kind: 'done' | 'replayed'; readonly format: number; readonly entry: Entry }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** What a burn needs beside the draft: the rule from cost to credits, and how ids are written. */
export interface BurnContext {
  readonly table: BurnTable
  readonly ids: LedgerIds
}

/**
 * One event: replayed if its key was used for it, refused, or burned. The key is looked at before everything else,
 * even before a refusal that was already found, because what was once accepted stays accepted.
 */
export function applyEvent(draft: Draft, item: IngestItem, context: BurnContext): BurnOutcome {
  const check = draft.checkKey(item.idempotency)
  if (check.kind === 'mismatch') return refused({ code: 'idempotency_mismatch' })
  if (check.kind === 'replay') {
    // Equal fingerprints mean the same operation, so the record is the entry of an event.
    if (check.record.kind !== 'entry') throw new Error('an event was replayed from a record of another kind')
    return { kind: 'replayed', format: check.format, entry: check.record }
  }
  if (item.refusal) return refused(item.refusal)
  if (!item.event) throw new Error('an event to ingest is neither priced nor refused')
  return burn(draft, item.event, item, context)
}

function burn(draft: Draft, event: PricedEvent, item: IngestItem, { table, ids }: BurnContext): BurnOutcome {
  const cost = event.charge.kind === 'priced' ? event.charge.cost : { micro: 0, pico: 0 }
  const charge = chargeFor(table, usdFromParts(cost))
  const wallet = settle(draft, payingWallet(draft, event))
  if (charge.credits_micro > BigInt(spendable(wallet))) {
    return refused(insufficientCredits(ids, wallet, charge.credits_micro))
  }
  const amount = microCredits(charge.credits_micro)
  const changed = draft.change(wallet)
  const entry = draft.append(changed, {
    type: 'BURN',
    amount: microCredits(0 - amount),
    lots: take(draft, changed, amount),
    event: {
      ...recordOf(event),
      cost,
      price: usdToParts(charge.price),
      burn_table_version: table.version,
      ...(event.charge.kind === 'unpriced' && { unrated: true }),
    },
    ...(event.metadata && { metadata: event.metadata }),
    ...(item.idempotency && { idempotency: item.idempotency }),
  })
  return { kind: 'done', format: FORMAT, entry }
}

/** The team's wallet if the event names a team that has one, else the user's if it has one, else the customer's. */
function payingWallet(draft: Draft, event: PricedEvent): Wallet {
  const wallet =
    (event.team_id !== undefined && draft.wallet({ kind: 'team', id: event.team_id })) ||
    (event.user_id !== undefined && draft.wallet({ kind: 'user', id: event.user_id })) ||
    draft.wallet({ kind: 'customer' })
  if (!wallet) throw new Error('the ledger has no customer wallet')
  return wallet
}

function recordOf(event: PricedEvent): Omit<EventRecord, 'cost' | 'price' | 'burn_table_version'> {
  const { charge, metadata: _, ...fields } = event
  return { ...fields, price_version: charge.price_version }
}

/** What an event is answered, from its entry alone: the first answer and every replay are the same. */
export function eventAnswer(ids: LedgerIds, entry: Entry): EventAnswer {
  const { event } = entry
  if (!event) throw new Error(`entry ${entry.number} is not of an event`)
  return {
    id: ids.event(entry),
    credits: microCredits(0 - entry.amount),
    balance_after: entry.balance_after,
    timestamp_ms: event.timestamp_ms,
    cost: event.cost,
    wallet_id: ids.wallet(entry.wallet),
    burn_table_version: event.burn_table_version,
    price_version: event.price_version,
    unrated: event.unrated ?? false,
    warnings: event.warnings ?? [],
  }
}

function refused(refusal: Refusal): BurnOutcome {
  return { kind: 'refused', refusal }
}
