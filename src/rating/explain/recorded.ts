import type { Bindings } from '../../bindings.ts'
import { configOf } from '../../config.ts'
import { readExplanation } from '../../ledger/client/client.ts'
import type { Caller } from '../../ledger/model/account.ts'
import type { Entry, EventRecord } from '../../ledger/model/journal.ts'
import type { LedgerIds } from '../../ledger/model/ledger-ids.ts'
import type { Refused } from '../../ledger/model/refusal.ts'
import type { LedgerName } from '../../ledger/model/vocabulary.ts'
import type { PriceBook } from '../../pricing/cost/price-book.ts'
import { withAmendments } from '../../projection/read/amendments.ts'
import { findEntry } from '../../projection/read/list-entries.ts'
import { explainEvent } from './event.ts'

export type ExplainedEvent =
  | {
      readonly kind: 'found'
      /**
       * The entry with the current state of its event. If the event was recorded without a price and was rated later,
       * it has the later rating.
       */
      readonly entry: Entry & { readonly event: EventRecord }
      readonly ids: LedgerIds
      readonly explanation: object
    }
  | { readonly kind: 'none' }
  | Refused

/** Finds a recorded event by its id and explains its price and its charge. */
export async function explainRecorded(
  env: Bindings,
  from: { readonly ledger: LedgerName; readonly caller: Caller },
  id: string,
  prices: PriceBook,
): Promise<ExplainedEvent> {
  const found = await findEntry(env, from, 'evt', id)
  if (found.kind !== 'found') return found
  const [entry = found.entry] = await withAmendments(env, from, [found.entry])
  const { event } = entry
  if (!event) return { kind: 'none' }
  const message = { caller: from.caller, burn_table_version: event.burn_table_version, entry: entry.number }
  const read = await readExplanation(env, from.ledger, message)
  if (read.kind === 'refused') return read
  const recorded = { ...entry, event }
  const explanation = explainEvent(found.ids, recorded, read.answer, prices, configOf(env))
  return { kind: 'found', entry: recorded, ids: found.ids, explanation }
}
