import { timeJson } from '../http/input/times.ts'
import { creditsExact, creditsJson, jsonOf, metadataJson, usageJson, usdJson } from '../http/output/json.ts'
import type { BatchAnswer, BatchItemAnswer, EventAnswer } from '../ledger/model/answers.ts'
import type { Entry } from '../ledger/model/journal.ts'
import { jsonTextOf } from '../ledger/model/json.ts'
import type { LedgerIds } from '../ledger/model/ledger-ids.ts'
import { formatCredits, type MicroCredits, microCredits } from '../pricing/money.ts'

/**
 * Renders the result of an event in format 1. A request that is repeated with its idempotency key must get an identical
 * response, so any change of the output requires a new format.
 */
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

/**
 * Renders the result of a batch in format 1. The result of a duplicate repeats the result of the earlier event. Only
 * accepted events count in `credits_burned`.
 */
export function renderBatchAnswer({ batch_id, results }: BatchAnswer): object {
  const counts = { accepted: 0, duplicate: 0, rejected: 0 }
  let credits = 0
  // A batch can burn credits of several wallets, so the sum can exceed the maximum of one wallet and the largest safe
  // integer.
  let credits_micro = 0n
  let balance_after: MicroCredits | null = null
  for (const result of results) {
    counts[result.status]++
    if (result.status !== 'accepted') continue
    balance_after = result.balance_after
    if (!Number.isSafeInteger(credits + result.credits)) {
      credits_micro += BigInt(credits)
      credits = 0
    }
    credits += result.credits
  }
  return {
    batch_id,
    accepted: counts.accepted,
    duplicates: counts.duplicate,
    rejected: counts.rejected,
    credits_burned: creditsExact(credits_micro + BigInt(credits)),
    balance_after: balance_after === null ? null : creditsJson(balance_after),
    results: jsonOf(jsonTextOf(`[${results.map(batchItemText).join()}]`)),
  }
}

/**
 * Returns the JSON text of one result of a batch. Rendering the results as objects with exact numbers would take twice
 * as long. Ids need no escapes, because they contain no special characters.
 */
function batchItemText(result: BatchItemAnswer, index: number): string {
  if (result.status === 'rejected') {
    const error = JSON.stringify({ code: result.code, detail: result.detail })
    return `{"index":${index},"id":null,"status":"rejected","credits_burned":0,"balance_after":null,"error":${error}}`
  }
  const amounts = `"credits_burned":${formatCredits(result.credits)},"balance_after":${formatCredits(result.balance_after)}`
  return `{"index":${index},"id":"${result.id}","status":"${result.status}",${amounts}}`
}

/** Renders a recorded event from its ledger entry. Throws if the entry does not belong to an event. */
export function renderEvent(ids: LedgerIds, entry: Entry): object {
  const { event } = entry
  if (!event) throw new Error(`entry ${entry.number} is not the entry of an event`)
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
