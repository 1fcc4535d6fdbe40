import fc from 'fast-check'
import { describe, expect, inject, it } from 'vitest'
import { applyEvent } from '../../src/ledger/burns/burn.ts'
import { pastEntry } from '../../src/ledger/burns/reversal.ts'
import { eventsInMonth } from '../../src/ledger/commit/draft.ts'
import { applyMovement } from '../../src/ledger/credits/movement.ts'
import { CONTEXT, MemoryLedger } from '../support/memory-ledger.ts'
import { type EventOptions, eventItem, grant } from '../support/messages.ts'

const NOVEMBER = Date.UTC(2026, 10, 1)
const DECEMBER = Date.UTC(2026, 11, 1)
const MONTHLY = 3

function ledgerWithCredits(): MemoryLedger {
  const ledger = new MemoryLedger()
  ledger.credit(1, grant(1_000_000))
  return ledger
}

/** Commits one event to a ledger with a monthly quota of `events_a_month`. */
function burn(
  ledger: MemoryLedger,
  now_ms: number,
  options: EventOptions = {},
  events_a_month: number | null = MONTHLY,
) {
  const outcome = ledger.commit(now_ms, (draft) =>
    applyEvent(draft, eventItem(1, options), { ...CONTEXT, events_a_month }),
  )
  return outcome.kind === 'refused' ? outcome.refusal : outcome.kind
}

const EXCEEDED = { code: 'quota_exceeded', limit: MONTHLY, resets_at_ms: DECEMBER }

describe('the monthly quota', () => {
  it('accepts exactly its number of events, and returns the time of the reset', () => {
    const ledger = ledgerWithCredits()
    const outcomes = Array.from({ length: 5 }, (_, index) => burn(ledger, NOVEMBER + index))
    expect(outcomes).toEqual(['done', 'done', 'done', EXCEEDED, EXCEEDED])
    expect(ledger.entries.filter(({ type }) => type === 'BURN')).toHaveLength(MONTHLY)
  })

  it('restarts with the UTC month of the arrival, to the millisecond, for any time of the event', () => {
    const ledger = ledgerWithCredits()
    for (let count = 0; count < MONTHLY; count++) burn(ledger, DECEMBER - 1)
    expect(burn(ledger, DECEMBER - 1, { timestamp_ms: DECEMBER + 1 })).toEqual(EXCEEDED)
    expect(burn(ledger, DECEMBER, { timestamp_ms: DECEMBER - 1 })).toBe('done')
    expect(burn(ledger, DECEMBER)).toBe('done')
    expect(burn(ledger, DECEMBER)).toBe('done')
    expect(burn(ledger, DECEMBER)).toMatchObject({ resets_at_ms: Date.UTC(2027, 0, 1) })
  })

  it('does not count replays, and replays when it is used up', () => {
    const ledger = ledgerWithCredits()
    expect(burn(ledger, NOVEMBER, { key: 'k' })).toBe('done')
    for (let count = 0; count < 10; count++) expect(burn(ledger, NOVEMBER, { key: 'k' })).toBe('replayed')
    expect(burn(ledger, NOVEMBER)).toBe('done')
    expect(burn(ledger, NOVEMBER)).toBe('done')
    expect(burn(ledger, NOVEMBER, { key: 'k' })).toBe('replayed')
    expect(burn(ledger, NOVEMBER, { key: 'new' })).toEqual(EXCEEDED)
  })

  it('does not count refused events, and leaves their keys unused', () => {
    const ledger = new MemoryLedger()
    expect(burn(ledger, NOVEMBER)).toMatchObject({ code: 'insufficient_credits' })
    ledger.credit(NOVEMBER, grant(1_000_000))
    for (let count = 0; count < MONTHLY; count++) expect(burn(ledger, NOVEMBER)).toBe('done')
    expect(burn(ledger, NOVEMBER, { key: 'late' })).toEqual(EXCEEDED)
    expect(burn(ledger, DECEMBER, { key: 'late' })).toBe('done')
  })

  it('gives nothing back for a void', () => {
    const ledger = ledgerWithCredits()
    for (let count = 0; count < MONTHLY; count++) burn(ledger, NOVEMBER)
    for (const entry of ledger.entries.filter(({ type }) => type === 'BURN')) {
      const voided = ledger.commit(NOVEMBER, (draft) =>
        applyMovement(draft, { movement: { type: 'VOID', past: pastEntry(entry) } }, CONTEXT.ids),
      )
      expect(voided.kind).toBe('done')
    }
    expect(burn(ledger, NOVEMBER)).toEqual(EXCEEDED)
  })

  it('follows the current tier, and is unlimited for null', () => {
    const ledger = ledgerWithCredits()
    for (let count = 0; count < 10; count++) expect(burn(ledger, NOVEMBER, {}, null)).toBe('done')
    expect(burn(ledger, NOVEMBER, {}, 10)).toMatchObject({ code: 'quota_exceeded', limit: 10 })
    expect(burn(ledger, NOVEMBER, {}, 11)).toBe('done')
    expect(burn(ledger, NOVEMBER, {}, 0)).toMatchObject({ code: 'quota_exceeded', limit: 0 })
  })
})

describe('a hostile clock', () => {
  it('counts each month once, even if the clock is set back across its end', () => {
    const ledger = ledgerWithCredits()
    for (let count = 0; count < MONTHLY; count++) burn(ledger, NOVEMBER)
    expect(burn(ledger, DECEMBER)).toBe('done')
    // The time of the ledger never goes back, so these events still count towards December.
    for (let count = 0; count < MONTHLY; count++) burn(ledger, NOVEMBER)
    expect(burn(ledger, NOVEMBER)).toMatchObject({ resets_at_ms: Date.UTC(2027, 0, 1) })
    expect(ledger.entries.filter(({ type }) => type === 'BURN')).toHaveLength(2 * MONTHLY)
  })
})

it('never accepts more in a month than the quota, at any times of arrival', () => {
  const { seed, runs } = inject('fuzz')
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: NOVEMBER, max: Date.UTC(2027, 2, 1) }), { minLength: 1, maxLength: 40 }),
      (arrivals) => {
        const ledger = ledgerWithCredits()
        for (const at_ms of arrivals) burn(ledger, at_ms)
        const months = new Map<number, number>()
        for (const { type, at_ms } of ledger.entries) {
          if (type !== 'BURN') continue
          const month = new Date(at_ms).getUTCMonth()
          months.set(month, (months.get(month) ?? 0) + 1)
        }
        for (const count of months.values()) expect(count).toBeLessThanOrEqual(MONTHLY)
      },
    ),
    { ...(seed !== undefined && { seed }), ...(runs !== undefined && { numRuns: runs }) },
  )
})

it('continues over a year and a leap day', () => {
  const counters = (at_ms: number) => ({
    entry: 0,
    lot: 0,
    wallet: 0,
    hold: 0,
    at_ms,
    month_events: 7,
    notification: 0,
  })
  expect(eventsInMonth(counters(Date.UTC(2027, 11, 31)), Date.UTC(2028, 11, 31))).toBe(0)
  expect(eventsInMonth(counters(Date.UTC(2028, 1, 1)), Date.UTC(2028, 1, 29, 23, 59, 59, 999))).toBe(7)
  expect(eventsInMonth(counters(Date.UTC(2028, 1, 29)), Date.UTC(2028, 2, 1))).toBe(0)
})
