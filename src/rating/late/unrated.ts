import type { Bindings } from '../../bindings.ts'
import { ledgerKey, ledgerName } from '../../db/ledger-db.ts'
import { readUnratedSummaries } from '../../ledger/client/client.ts'
import type { UnratedModel, UnratedSummary } from '../../ledger/model/unrated.ts'
import type { LedgerName } from '../../ledger/model/vocabulary.ts'
import { OPERATOR } from '../price-epochs.ts'

/** The place of a page: the first ledger, and the model of it after which the page begins. */
export interface UnratedPlace {
  readonly ledger_id: string
  readonly after: UnratedModel | null
}

export interface UnratedOfLedger extends UnratedSummary {
  readonly ledger: LedgerName
}

export interface UnratedPage {
  readonly rows: readonly UnratedOfLedger[]
  /** The ledgers of this page that did not answer. */
  readonly unavailable: readonly LedgerName[]
  readonly next: UnratedPlace | null
}

/** The ledgers that one page asks, all at once. */
const LEDGERS_A_PAGE = 20

// Reads one row for each ledger that has unrated events, through the partial index, and none for the others.
const WITH_UNRATED = `
  SELECT ledger_id FROM ledgers WHERE unrated > 0 AND ledger_id >= ?1 ORDER BY ledger_id LIMIT ${LEDGERS_A_PAGE + 1}`

/**
 * The models without a price of all ledgers, by ledger and model, at most `limit`. D1 knows which ledgers have any since
 * their last flush; the ledgers count their events.
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
