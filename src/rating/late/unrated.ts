import type { Bindings } from '../../bindings.ts'
import { ledgerKey, ledgerName } from '../../db/ledger-db.ts'
import { readUnratedSummaries } from '../../ledger/client/client.ts'
import type { UnratedModel, UnratedSummary } from '../../ledger/model/unrated.ts'
import type { LedgerName } from '../../ledger/model/vocabulary.ts'
import { OPERATOR } from '../price-epochs.ts'

/**
 * The position where a page begins: the first ledger, and the model in this ledger after which the page begins; null to
 * begin with the first model.
 */
export interface UnratedPlace {
  readonly ledger_id: string
  readonly after: UnratedModel | null
}

export interface UnratedOfLedger extends UnratedSummary {
  readonly ledger: LedgerName
}

export interface UnratedPage {
  readonly rows: readonly UnratedOfLedger[]
  /** The ledgers that could not be read. Their models are missing on this page. */
  readonly unavailable: readonly LedgerName[]
  readonly next: UnratedPlace | null
}

/** The maximum number of ledgers for one page. They are called concurrently. */
const LEDGERS_A_PAGE = 20

// Uses the partial index on ledgers with unrated events. Reads one row for each of these ledgers, and no rows for other
// ledgers.
const WITH_UNRATED = `
  SELECT ledger_id FROM ledgers WHERE unrated > 0 AND ledger_id >= ?1 ORDER BY ledger_id LIMIT ${LEDGERS_A_PAGE + 1}`

/**
 * Returns a page of at most `limit` models without a price, ordered by ledger and model. Finds in D1 the ledgers that
 * had unrated events at their last flush. The ledger objects then return the models and the number of events of each
 * model.
 */
export async function listUnratedModels(
  env: Bindings,
  from: UnratedPlace,
  limit: number,
): Promise<UnratedPage> {
  const { results } = await env.DB.prepare(WITH_UNRATED).bind(from.ledger_id).all<{ ledger_id: string }>()
  const ledgers = results.map(({ ledger_id }) => ledgerName(ledger_id))
  const answers = await Promise.all(
    ledgers.slice(0, LEDGERS_A_PAGE).map(async (ledger) => {
      const after = ledgerKey(ledger) === from.ledger_id ? from.after : null
      const message = { caller: { key_id: OPERATOR }, after, limit: limit + 1 }
      return { ledger, result: await readUnratedSummaries(env, ledger, message) }
    }),
  )
  const rows: UnratedOfLedger[] = []
  const unavailable: LedgerName[] = []
  for (const { ledger, result } of answers) {
    if (result.kind === 'refused') {
      unavailable.push(ledger)
      continue
    }
    for (const summary of result.answer) {
      if (rows.length === limit) return { rows, unavailable, next: placeAfter(rows) }
      rows.push({ ledger, ...summary })
    }
  }
  const further = ledgers[LEDGERS_A_PAGE]
  return { rows, unavailable, next: further ? { ledger_id: ledgerKey(further), after: null } : null }
}

function placeAfter(rows: readonly UnratedOfLedger[]): UnratedPlace | null {
  const last = rows.at(-1)
  if (!last) return null
  const { ledger, provider, model } = last
  return { ledger_id: ledgerKey(ledger), after: { provider, model } }
}
