import { timeJson } from '../http/input/times.ts'
import { creditsExact, type ExactNumber, exactNumber, microUsdJson } from '../http/output/json.ts'
import { formatDecimal, PICO_PER_MICRO, picoUsd, roundToMicro } from '../pricing/money.ts'
import { marginJson } from '../rating/render.ts'
import type { CellSums } from '../usage/cells/cells.ts'
import { UNIT_DECIMALS } from '../usage/cells/delta.ts'
import { isWindow, type Question } from './question.ts'
import type { GroupValue, Summary, SummaryRow } from './summary.ts'

/** Returns the id of the user or team that has the given subject number. */
export type NameOf = (kind: 'user' | 'team', number: number) => string

export interface Answered {
  readonly question: Question
  readonly summary: Summary
  readonly name: NameOf
  readonly as_of_ms: number
}

export function renderUsage(answered: Answered): object {
  return render(answered, (sums, { cost }) => ({
    ...usageJson(sums),
    provider_cost_usd: microUsdJson(cost),
  }))
}

/**
 * Renders usage for an end user in the portal. Omits the provider cost, because only the customer is allowed to read
 * it.
 */
export function renderPortalUsage(answered: Answered): object {
  return render(answered, usageJson)
}

function usageJson({ events, units_nano, credits_micro }: CellSums): object {
  return { events, units: unitsJson(units_nano), credits: creditsExact(credits_micro) }
}

export function renderCosts(answered: Answered): object {
  return render(answered, (_, { cost, price, paid }) => ({
    provider_cost_usd: microUsdJson(cost),
    revenue_usd: microUsdJson(price),
    paid_revenue_usd: microUsdJson(paid),
    margin_usd: microUsdJson(price - cost),
    margin_percent: marginJson(picoUsd(price * PICO_PER_MICRO), picoUsd(cost * PICO_PER_MICRO)),
  }))
}

/** The sums of a row in units of 1e-6 USD. */
interface RoundedUsd {
  readonly cost: bigint
  readonly price: bigint
  readonly paid: bigint
}

type RenderSums = (sums: CellSums, usd: RoundedUsd) => object

function render({ question, summary, name, as_of_ms }: Answered, sumsJson: RenderSums): object {
  const rounding = new Rounding()
  const totals = summary.totals()
  const data = summary.sorted().map((row) => ({
    group: groupJson(question, row, name),
    ...sumsJson(row.sums, rounding.next(row.sums)),
  }))
  return {
    data,
    totals: sumsJson(totals, new Rounding().next(totals)),
    from: timeJson(question.from_ms),
    to: timeJson(question.to_ms),
    time_zone: question.zone?.name ?? 'UTC',
    as_of: timeJson(as_of_ms),
  }
}

function groupJson({ group_by }: Question, { values }: SummaryRow, name: NameOf): object {
  return Object.fromEntries(
    group_by.map((group, index) => [group, valueJson(group, values[index] ?? null, name)]),
  )
}

function valueJson(group: Question['group_by'][number], value: GroupValue, name: NameOf): string | null {
  if (value === null || typeof value === 'string') return value
  if (isWindow(group)) return timeJson(value)
  if (group === 'user' || group === 'team') return name(group, value)
  throw new Error(`the value of the group ${group} must not be a number`)
}

/**
 * Rounds sums of USD to 1e-6, half-even. The rounded rows add up to the rounded total, because each row is the
 * increase of the rounded running sum. A rounded row differs from its exact sum by at most 1e-6 USD.
 */
class Rounding {
  private readonly before = { cost: 0n, price: 0n, paid: 0n }

  next({ cost_pico, price_pico, paid_pico }: CellSums): RoundedUsd {
    const before = { ...this.before }
    this.before.cost += cost_pico
    this.before.price += price_pico
    this.before.paid += paid_pico
    return {
      cost: roundToMicro(this.before.cost) - roundToMicro(before.cost),
      price: roundToMicro(this.before.price) - roundToMicro(before.price),
      paid: roundToMicro(this.before.paid) - roundToMicro(before.paid),
    }
  }
}

function unitsJson(units_nano: ReadonlyMap<string, bigint>): Record<string, ExactNumber> {
  const units = [...units_nano].sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(
    units.map(([unit, quantity]) => [unit, exactNumber(formatDecimal(quantity, UNIT_DECIMALS))]),
  )
}
