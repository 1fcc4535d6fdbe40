import type { Context } from 'hono'
import { configOf } from '../../config.ts'
import { callerOf, sharedLedgerOf } from '../../http/caller.ts'
import type { AppEnv } from '../../http/env.ts'
import { readExplanation } from '../../ledger/client/client.ts'
import { layersOf, partConditions } from '../../pricing/cost/price-book.ts'
import { usdFromParts } from '../../pricing/money.ts'
import type { BulkResult, Calculation, CalculationToExplain } from '../calculate.ts'
import { explainCharge, roundingJson } from './charge.ts'
import { layersJson, modifiersJson, tierJson, unitsJson } from './price.ts'

/** Adds explanations to the calculations that request them. Calls the ledger once for each burn table version. */
export async function explainEach<R extends BulkResult>(
  c: Context<AppEnv>,
  results: readonly R[],
): Promise<(R | Calculation)[]> {
  const tables = new Map<number, Awaited<ReturnType<typeof readExplanation>>>()
  const explained: (R | Calculation)[] = []
  for (const result of results) {
    if (result.kind === 'refused' || result.explain === undefined) {
      explained.push(result)
      continue
    }
    const { burn_table_version } = result.quote
    const read =
      tables.get(burn_table_version) ??
      (await readExplanation(c.env, sharedLedgerOf(c), {
        caller: callerOf(c),
        burn_table_version,
        entry: null,
      }))
    tables.set(burn_table_version, read)
    explained.push({ ...result, explanation: explanationOf(c, result, result.explain, read) })
  }
  return explained
}

function explanationOf(
  c: Context<AppEnv>,
  { cost, usage, item }: Calculation,
  { book, request, read_from }: CalculationToExplain,
  read: Awaited<ReturnType<typeof readExplanation>>,
): object {
  const [first, ...below] = layersJson(layersOf(book, request), request)
  const models = new Set((request.parts ?? []).flatMap(({ model }) => (model === undefined ? [] : [model])))
  const other_models = [...models].flatMap((requested) => {
    const conditions = partConditions(book, request, requested)
    const [layer] = layersJson(layersOf(book, conditions), conditions)
    return layer === undefined ? [] : [{ requested, ...layer }]
  })
  const { feature_id, provider, model, custom, charge } = item
  const table = read.kind === 'done' ? read.answer.table : null
  const chargeable = {
    ...{ feature_id, provider, model, usage, custom },
    cost: charge.kind === 'priced' ? usdFromParts(charge.cost) : undefined,
  }
  const explained = table && explainCharge(table, configOf(c.env), chargeable, true)
  return {
    price: {
      ...first,
      tier: tierJson(cost.breakdown()),
      modifiers: modifiersJson(request),
      ...(below.length > 0 && { below }),
      ...(other_models.length > 0 && { other_models }),
      price_version: cost.price_version,
    },
    units: unitsJson(cost.breakdown(), usage, read_from),
    burn_table: explained?.burn_table ?? null,
    rounding: explained?.rounding ?? roundingJson(null),
    lots: [],
  }
}
