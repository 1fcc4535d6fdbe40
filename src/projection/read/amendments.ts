import type { Bindings } from '../../bindings.ts'
import { readUnrated } from '../../ledger/client/client.ts'
import type { Caller } from '../../ledger/model/account.ts'
import type { Entry } from '../../ledger/model/journal.ts'
import type { Refused } from '../../ledger/model/refusal.ts'
import type { LedgerName } from '../../ledger/model/vocabulary.ts'
import { microCredits } from '../../pricing/money.ts'

/**
 * Returns entries with the current state of their events. An event that was recorded without a price and was rated
 * later gets its rating. Calls the ledger only if an entry contains an event without a price. If the ledger refuses the
 * call, returns the entries unchanged.
 */
export async function withAmendments(
  env: Bindings,
  from: { readonly ledger: LedgerName; readonly caller: Caller },
  entries: readonly Entry[],
): Promise<readonly Entry[]> {
  const result = await amend(env, from, entries)
  return 'kind' in result ? entries : result
}

/** Returns the same result as `withAmendments`, but returns the refusal if the ledger refuses the call. */
export async function amend(
  env: Bindings,
  from: { readonly ledger: LedgerName; readonly caller: Caller },
  entries: readonly Entry[],
): Promise<readonly Entry[] | Refused> {
  const amended = entries.filter(({ event }) => event?.unrated).map(({ number }) => number)
  if (amended.length === 0) return entries
  const message = { caller: from.caller, before_entry: 0, limit: 0, amended }
  const result = await readUnrated(env, from.ledger, message)
  if (result.kind === 'refused') return result
  const amendments = new Map(result.answer.amendments)
  return entries.map((entry) => {
    const amendment = amendments.get(entry.number)
    if (!amendment || !entry.event) return entry
    const { unrated: _, ...event } = entry.event
    const { credits, balance_after, cost, price, burn_table_version, price_version } = amendment
    return {
      ...entry,
      amount: microCredits(0 - credits),
      balance_after,
      event: { ...event, cost, price, burn_table_version, price_version },
    }
  })
}
