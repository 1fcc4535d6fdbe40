import fc from 'fast-check'
import { EVENT_TYPES } from '../../../src/ledger/model/vocabulary.ts'
import type { Cell } from '../../../src/usage/cells/cells.ts'
import type { UsageDelta } from '../../../src/usage/cells/delta.ts'

/**
 * Generates usage for property tests. Uses only a few names, so that several cells have the same name. Some names have
 * unusual characters.
 */

const name = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('chat', 'search', 'a', 'B', '"quoted" \\ /', 'zoë 🦄', '\u2028', '__proto__'),
  },
  { weight: 1, arbitrary: fc.constantFrom('x'.repeat(255), '"'.repeat(255), '🦄'.repeat(255), '10', '-1') },
)
const unit = fc.constantFrom('input_tokens', 'output_tokens', 'video_seconds', 'api_calls', 'constructor')
const subject = fc.option(fc.integer({ min: 1, max: 5000 }), { nil: undefined })
/** Generates times. Most of them are within the same few days, and some are long before. */
const timestamp_ms = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 1_790_000_000_000, max: 1_790_200_000_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 1_790_200_000_000 }) },
)
const quantity = fc.oneof(
  fc.bigInt({ min: -3n, max: 3n }).map((whole) => whole * 1_000_000_000n),
  fc.bigInt({ min: -(10n ** 22n), max: 10n ** 22n }),
)
const usd = fc.oneof(
  fc.constantFrom(0n, 1n, -1n),
  fc.bigInt({ min: -(8n * 10n ** 21n), max: 8n * 10n ** 21n }),
)

const delta = fc.record({
  timestamp_ms,
  event_type: fc.option(fc.constantFrom(...EVENT_TYPES)),
  feature_id: name,
  provider: fc.option(fc.constantFrom('OPENAI', 'ANTHROPIC'), { nil: undefined }),
  model: fc.option(name, { nil: undefined }),
  user: subject,
  team: subject,
  key: fc.option(fc.constantFrom('key_1', 'key_2', '"quoted"'), { nil: undefined }),
  events: fc.constantFrom<1 | 0 | -1>(1, 1, 1, 0, -1),
  units: fc.dictionary(
    unit,
    quantity.filter((nano) => nano !== 0n),
    { maxKeys: 4, noNullPrototype: true },
  ),
  credits_micro: fc.integer({ min: -8_000_000_000_000_000, max: 8_000_000_000_000_000 }),
  cost_pico: usd,
  price_pico: usd,
  paid_pico: usd,
})

/** Generates the usage of entries with increasing numbers. Skips some numbers, like entries without usage. */
export function deltas(maxLength: number): fc.Arbitrary<UsageDelta[]> {
  return fc.array(fc.record({ skipped: fc.nat(2), delta }), { maxLength }).map((all) => {
    let entry = 0
    return all.map(({ skipped, delta: { provider, model, user, team, key, ...rest } }) => {
      entry += skipped + 1
      return {
        entry,
        ...rest,
        ...(provider !== undefined && { provider }),
        ...(model !== undefined && { model }),
        ...(user !== undefined && { user }),
        ...(team !== undefined && { team }),
        ...(key !== undefined && { key }),
      }
    })
  })
}

/**
 * Returns the cells as sorted JSON texts, so that tests can compare them. Leaves out cells in which all values are 0.
 */
export function said(cells: Iterable<Cell>): string[] {
  return [...cells]
    .map(({ units_nano, ...cell }) =>
      JSON.stringify(
        {
          ...cell,
          weight: undefined,
          units: [...units_nano].sort(([a], [b]) => (a < b ? -1 : 1)),
        },
        (_, value) => (typeof value === 'bigint' ? `${value}n` : value),
      ),
    )
    .sort()
}

/** Returns the sums of the deltas by cell. This simple implementation is compared with the real ones. */
export function reference(all: readonly UsageDelta[], cut: (cell: Cell) => Cell = (cell) => cell): string[] {
  const sums: Cell[] = []
  for (const delta of all) {
    const added = cut({
      hour: Math.floor(delta.timestamp_ms / 3_600_000),
      feature_id: delta.feature_id,
      provider: delta.provider ?? null,
      model: delta.model ?? null,
      event_type: delta.event_type,
      user: delta.user ?? null,
      team: delta.team ?? null,
      key: delta.key ?? null,
      events: delta.events,
      credits_micro: BigInt(delta.credits_micro),
      cost_pico: delta.cost_pico,
      price_pico: delta.price_pico,
      paid_pico: delta.paid_pico,
      units_nano: new Map(Object.entries(delta.units)),
    })
    const at = sums.findIndex((cell) =>
      (['hour', 'feature_id', 'provider', 'model', 'event_type', 'user', 'team', 'key'] as const).every(
        (dimension) => cell[dimension] === added[dimension],
      ),
    )
    const known = sums[at]
    if (!known) {
      sums.push(added)
      continue
    }
    const units_nano = new Map(known.units_nano)
    for (const [unit_name, nano] of added.units_nano) {
      units_nano.set(unit_name, (units_nano.get(unit_name) ?? 0n) + nano)
    }
    sums[at] = {
      ...known,
      events: known.events + added.events,
      credits_micro: known.credits_micro + added.credits_micro,
      cost_pico: known.cost_pico + added.cost_pico,
      price_pico: known.price_pico + added.price_pico,
      paid_pico: known.paid_pico + added.paid_pico,
      units_nano,
    }
  }
  const nonZero = sums.map((cell) => ({
    ...cell,
    units_nano: new Map([...cell.units_nano].filter(([, nano]) => nano !== 0n)),
  }))
  return said(
    nonZero.filter(
      ({ events, credits_micro, cost_pico, price_pico, paid_pico, units_nano }) =>
        events !== 0 ||
        [credits_micro, cost_pico, price_pico, paid_pico].some((sum) => sum !== 0n) ||
        units_nano.size > 0,
    ),
  )
}
