import fc from 'fast-check'
import { describe, expect, inject, it } from 'vitest'
import type { BurnOutcome } from '../../src/ledger/burns/burn.ts'
import { pastEntry } from '../../src/ledger/burns/reversal.ts'
import { applyMovement } from '../../src/ledger/credits/movement.ts'
import type { Entitlement, RollingLength } from '../../src/ledger/model/limits.ts'
import { CUSTOMER, entitlement, rules } from '../support/entitlements.ts'
import { CONTEXT, MemoryLedger } from '../support/memory-ledger.ts'
import { eventItem, grant } from '../support/messages.ts'

const START = Date.UTC(2026, 2, 4, 12, 7, 31, 250)
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

function rollingLimit(limit: number, rolling: RollingLength): Entitlement {
  return entitlement(
    CUSTOMER,
    rules({ limit_type: 'HARD', limit: String(limit), period: 'ROLLING', rolling }),
  )
}

function ledgerWith(...rows: Entitlement[]): MemoryLedger {
  const ledger = new MemoryLedger()
  ledger.credit(1, grant(1_000_000_000))
  ledger.entitlements.push(...rows)
  return ledger
}

const burn = (ledger: MemoryLedger, now_ms: number, credits: number): BurnOutcome =>
  ledger.burn(now_ms, eventItem(credits))

function refusedUntil(outcome: BurnOutcome): number | null | undefined {
  if (outcome.kind !== 'refused' || outcome.refusal.code !== 'limit_reached') return undefined
  return outcome.refusal.resets_at_ms
}

/** A counted event in the simple model, which stores all of them. */
interface Use {
  readonly at_ms: number
  readonly credits: number
  readonly entry: number
}

/** Returns the sum of the credits of uses from `from_ms` to `to_ms`, including both ends. */
function sumOf(uses: readonly Use[], from_ms: number, to_ms: number): number {
  return uses.reduce(
    (sum, { at_ms, credits }) => (at_ms >= from_ms && at_ms <= to_ms ? sum + credits : sum),
    0,
  )
}

const LENGTHS: readonly RollingLength[] = [
  { hours: 1 },
  { hours: 5 },
  { hours: 24 },
  { days: 7 },
  { days: 31 },
]

describe.each(LENGTHS)('a rolling window of %j', (rolling) => {
  const length_ms = 'hours' in rolling ? rolling.hours * HOUR_MS : rolling.days * 24 * HOUR_MS
  const part_ms = length_ms / 60

  const step = fc.record({
    // The waits before an event are very short, about one part of the window, several parts, or longer than the whole
    // window.
    wait_ms: fc.oneof(
      fc.constantFrom(0, 1, part_ms - 1, part_ms, part_ms + 1, length_ms - 1, length_ms, length_ms + part_ms),
      fc.integer({ min: 0, max: 3 * part_ms }),
      fc.integer({ min: 0, max: length_ms }),
    ),
    credits: fc.constantFrom(0, 1, 10, 33, 50, 100, 101),
    voids: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  })

  it('admits at most its limit in any window of its length, and refuses for at most one part longer', () => {
    const { seed, runs } = inject('fuzz')
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const ledger = ledgerWith(rollingLimit(100, rolling))
        let now_ms = START
        let uses: Use[] = []
        for (const { wait_ms, credits, voids } of steps) {
          now_ms += wait_ms
          const last = uses.at(-1)
          if (voids && last) {
            const past = ledger.entries.find(({ number }) => number === last.entry)
            if (!past) throw new Error('the entry is gone')
            const movement = { type: 'VOID', past: pastEntry(past) } as const
            ledger.commit(now_ms, (draft) => applyMovement(draft, { movement }, CONTEXT.ids))
            uses = uses.slice(0, -1)
          }
          const outcome = burn(ledger, now_ms, credits)
          // A use counts until the whole part that contains it has left the window.
          const counts = uses.filter(({ at_ms, credits }) => leavesAt(at_ms) > now_ms && credits > 0)
          const counted = counts.reduce((sum, use) => sum + use.credits, 0)
          expect(outcome.kind).toBe(counted + credits > 100 ? 'refused' : 'done')
          if (outcome.kind === 'done') {
            uses.push({ at_ms: now_ms, credits, entry: outcome.entry.number })
            expect(sumOf(uses, now_ms - length_ms, now_ms)).toBeLessThanOrEqual(100)
          } else {
            expect(sumOf(uses, now_ms - length_ms - part_ms, now_ms) + credits).toBeGreaterThan(100)
            const oldest = counts[0]
            expect(refusedUntil(outcome)).toBe(oldest ? leavesAt(oldest.at_ms) : null)
          }
        }
      }),
      { numRuns: runs ?? 200, ...(seed !== undefined && { seed }) },
    )
  })

  function leavesAt(at_ms: number): number {
    return Math.floor(at_ms / part_ms) * part_ms + part_ms + length_ms
  }

  it('frees units exactly at the stated time', () => {
    const ledger = ledgerWith(rollingLimit(100, rolling))
    burn(ledger, START, 60)
    burn(ledger, START + 20 * part_ms, 40)
    const frees_at_ms = refusedUntil(burn(ledger, START + 30 * part_ms, 1)) ?? 0
    expect(frees_at_ms - START).toBeGreaterThan(length_ms)
    expect(frees_at_ms - START).toBeLessThanOrEqual(length_ms + part_ms)
    expect(burn(ledger, frees_at_ms - 1, 1).kind).toBe('refused')
    expect(burn(ledger, frees_at_ms, 61).kind).toBe('refused')
    expect(burn(ledger, frees_at_ms, 60).kind).toBe('done')
  })

  it('has at most 61 parts, for any use', () => {
    const row = rollingLimit(1_000_000, rolling)
    const ledger = ledgerWith(row)
    for (let i = 0; i < 300; i++) burn(ledger, START + Math.floor((i * part_ms) / 2), 1)
    expect(ledger.limitCounter(row.counter)?.earlier).toHaveLength(2 * 60)
  })
})
