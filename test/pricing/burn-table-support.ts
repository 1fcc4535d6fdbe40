import {
  type Charge,
  type Chargeable,
  chargeFor,
  type UsedBefore,
} from '../../src/pricing/burn-table/charge.ts'
import type { BurnRule, BurnTableDefinition } from '../../src/pricing/burn-table/definition.ts'
import { type BurnDefaults, type BurnTable, compileBurnTable } from '../../src/pricing/burn-table/table.ts'
import { formatDecimal, parseDecimal, picoUsd } from '../../src/pricing/money.ts'

/** Helpers for tests of burn tables. Fields that a test leaves out have the defaults of the deployment. */

/** The default burn settings: 1,000 credits per USD and a markup of 100 %. */
export const DEFAULTS: BurnDefaults = {
  credits_per_usd_micro: 1_000_000_000n,
  markup_percent_micro: 100_000_000n,
}

export function definition(
  rules: readonly BurnRule[],
  fields: Partial<Omit<BurnTableDefinition, 'rules'>> = {},
): BurnTableDefinition {
  return {
    name: 'Test',
    credits_per_usd: '1000',
    rounding: { mode: 'half_even', step: '0.000001' },
    min_charge: '0',
    on_unpriced: 'flag',
    ...fields,
    rules,
  }
}

export function table(...args: Parameters<typeof definition>): BurnTable {
  return compileBurnTable(definition(...args), { id: 'bt_test', version: 2 }, DEFAULTS)
}

/** Returns the usage of an event whose provider cost is exactly `usd` USD. */
export function costing(usd: string): Chargeable {
  const cost = parseDecimal(usd, 12)
  if (typeof cost !== 'bigint') throw new Error(`not USD: ${usd}`)
  return { provider: 'OPENAI', model: 'gpt-4o', feature_id: 'chat', cost: picoUsd(cost) }
}

/** The earlier use of a wallet at the beginning of a period, which is zero. */
export const FRESH: UsedBefore = { at_ms: Date.parse('2026-11-22T12:00:00Z'), used: () => 0n }

export function charge(burnTable: BurnTable, event: Partial<Chargeable>, before = FRESH): Charge {
  const result = chargeFor(burnTable, { ...costing('0'), ...event }, before)
  if (result.kind !== 'charged') throw new Error('the event has no price')
  return result
}

/** Returns the charge in credits, as a plain decimal. */
export function credits(burnTable: BurnTable, event: Partial<Chargeable>, before = FRESH): string {
  return formatDecimal(charge(burnTable, event, before).credits_micro, 6)
}

/** A model of a wallet that is charged for events in order, with counters for tiers. */
export class Meter {
  readonly used = new Map<string, { quantity: bigint; resets_at_ms: number }>()

  /**
   * Charges an event that arrives at the time `at`, and adds its use to the counters. Returns the charge in credits.
   */
  credits(burnTable: BurnTable, event: Partial<Chargeable>, at = '2026-11-22T12:00:00Z'): string {
    const { credits_micro, advance } = charge(burnTable, event, {
      at_ms: Date.parse(at),
      used: ({ key, resets_at_ms }) => {
        const known = this.used.get(key)
        return known?.resets_at_ms === resets_at_ms ? known.quantity : 0n
      },
    })
    if (advance) {
      const { key, resets_at_ms } = advance.counter
      this.used.set(key, { quantity: advance.quantity, resets_at_ms })
    }
    return formatDecimal(credits_micro, 6)
  }
}
