import { timeJson } from '../http/input/times.ts'
import { creditsExact, creditsJson, metadataJson, usageJson, usdJson } from '../http/output/json.ts'
import type { BatchAnswer, BatchItemAnswer, EventAnswer } from '../ledger/model/answers.ts'
import type { Entry } from '../ledger/model/journal.ts'
import type { LedgerIds } from '../ledger/model/ledger-ids.ts'
import { microCredits, ZERO_CREDITS } from '../pricing/money.ts'

/** Format 1. An answer is rendered identically while its key lives, so a change requires a new format. */
export function renderEventAnswer(answer: EventAnswer): object {
  return {
    id: answer.id,
    credits_burned: creditsJson(answer.credits),
    balance_after: creditsJson(answer.balance_after),
    timestamp: timeJson(answer.timestamp_ms),
    provider_cost_usd: usdJson(answer.cost),
    wallet_id: answer.wallet_id,
    burn_table_version: answer.burn_table_version,
    price_version: answer.price_version,
    ...(answer.unrated && { unrated: true }),
    ...(answer.warnings.length > 0 && { warnings: answer.warnings }),
  }
}

/** Format 1. Duplicates repeat their earlier answer and add nothing to the sums. */
export function renderBatchAnswer({ batch_id, results }: BatchAnswer): object {
  const accepted = results.flatMap((result) => (result.status === 'accepted' ? [result] : []))
  const last = accepted.at(-1)
  // The sum over several wallets may exceed what one wallet can hold.
  const credits_micro = accepted.reduce((sum, { credits }) => sum + BigInt(credits), 0n)
  return {
    batch_id,
    accepted: accepted.length,
    duplicates: results.filter((result) => result.status === 'duplicate').length,
    rejected: results.filter((result) => result.status === 'rejected').length,
    credits_burned: creditsExact(credits_micro),
    balance_after: last ? creditsJson(last.balance_after) : null,
    results: results.map(renderBatchItem),
  }
}

function renderBatchItem(result: BatchItemAnswer, index: number): object {
  if (result.status === 'rejected') {
    const { code, detail } = result
    return {
      index,
      id: null,
      status: result.status,
      credits_burned: creditsJson(ZERO_CREDITS),
      balance_after: null,
      error: { code, detail },
    }
  }
  return {
    index,
    id: result.id,
    status: result.status,
    credits_burned: creditsJson(result.credits),
    balance_after: creditsJson(result.balance_after),
  }
}

/** An event as recorded, from the entry of its burn. */
export function renderEvent(ids: LedgerIds, entry: Entry): object {
  const { event } = entry
  if (!event) throw new Error(`entry ${entry.number} is not of an event`)
  return {
    id: ids.event(entry),
    event_type: event.event_type,
    feature_id: event.feature_id,
    user_id: event.user_id ?? null,
    team_id: event.team_id ?? null,
    key_id: event.key_id ?? null,
    provider: event.provider ?? null,
    model: event.model ?? null,
    usage: { ...usageJson(event.usage ?? {}), ...(event.custom && { custom: usageJson(event.custom) }) },
    ...event.modifiers,
    credits_burned: creditsJson(microCredits(0 - entry.amount)),
    balance_after: creditsJson(entry.balance_after),
    provider_cost_usd: usdJson(event.cost),
    customer_price_usd: usdJson(event.price),
    wallet_id: ids.wallet(entry.wallet),
    transaction_id: ids.transaction(entry),
    burn_table_version: event.burn_table_version,
    price_version: event.price_version,
    ...(event.unrated && { unrated: true }),
    ...(event.warnings && { warnings: event.warnings }),
    metadata: metadataJson(entry.metadata),
    timestamp: timeJson(event.timestamp_ms),
    created_at: timeJson(entry.at_ms),
  }
}
