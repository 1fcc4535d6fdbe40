import { describe, expect, it } from 'vitest'
import { findProvider } from '../../../src/pricing/catalogue/catalogue.ts'
import { type OverlayDraft, type Plan, planOverlay } from '../../../src/rating/price-overrides/plan.ts'
import { MAX_OVERLAYS, type StoredOverlay } from '../../../src/rating/price-overrides/store.ts'

const DAY_MS = 86_400_000
const NOW = Date.parse('2026-11-22T12:00:00Z')
const PRICES = { units: { input_tokens: { amount: '1', per: 1 } } }

let made = 0

function stored(fields: Partial<StoredOverlay> = {}): StoredOverlay {
  made += 1
  return {
    epoch: made,
    overlay_id: `po_${made}`,
    provider: 'openai',
    model: 'my-model',
    service_tier: null,
    prices: JSON.stringify(PRICES),
    effective_from_ms: NOW - DAY_MS,
    effective_to_ms: null,
    created_at_ms: NOW - DAY_MS,
    created_by: 'operator',
    ...fields,
  }
}

function plan(
  fields: Partial<OverlayDraft> = {},
  own: readonly StoredOverlay[] = [],
  below: readonly StoredOverlay[] = [],
): Plan {
  const provider = findProvider('openai')
  if (provider === undefined) throw new Error('no provider')
  const draft: OverlayDraft = {
    provider,
    model: 'my-model',
    service_tier: null,
    prices: PRICES,
    effective_from_ms: undefined,
    effective_to_ms: null,
    ...fields,
  }
  return planOverlay(draft, own, below, NOW)
}

/** Returns the code `add`, or the code and the text of the refusal. */
function outcome(planned: Plan): { code: string; words: string } {
  if (planned.kind === 'add') return { code: 'add', words: '' }
  const { refusal } = planned
  const detail = 'detail' in refusal ? refusal.detail : ''
  return { code: refusal.code, words: detail }
}

describe('a price from now on', () => {
  it('begins now, and closes the open price of the same model and tier at its start', () => {
    const open = stored()
    const ended = stored({ effective_from_ms: NOW - 9 * DAY_MS, effective_to_ms: NOW - DAY_MS })
    expect(plan({}, [ended, open])).toEqual({ kind: 'add', effective_from_ms: NOW, closes: open })
    expect(plan()).toEqual({ kind: 'add', effective_from_ms: NOW, closes: undefined })
  })

  it.each([
    ['another model', { model: 'other-model' }],
    ['a prefix of its name', { model: 'my-*' }],
    ['another service tier', { service_tier: 'batch' }],
    ['another provider', { provider: 'azure' }],
    ['what has ended', { effective_to_ms: NOW }],
  ])('leaves %s alone', (_, fields) => {
    expect(plan({}, [stored(fields)])).toMatchObject({ kind: 'add', closes: undefined })
  })
})

describe('a price that begins later', () => {
  const later = NOW + DAY_MS

  it('closes the price in force at its start, with or without a later end', () => {
    for (const effective_to_ms of [null, later + 1]) {
      const open = stored({ effective_to_ms })
      expect(plan({ effective_from_ms: later }, [open])).toMatchObject({
        effective_from_ms: later,
        closes: open,
      })
    }
    expect(plan({ effective_from_ms: later }, [stored({ effective_to_ms: later })])).toMatchObject({
      closes: undefined,
    })
  })

  it('conflicts with one that begins before it or with it, unless that one ends in time', () => {
    const scheduled = stored({ effective_from_ms: later })
    for (const effective_from_ms of [undefined, later - 1, later]) {
      const { code, words } = outcome(plan({ effective_from_ms }, [scheduled]))
      expect(code).toBe('conflict')
      expect(words).toContain(scheduled.overlay_id)
    }
    expect(outcome(plan({ effective_to_ms: later + 1 }, [scheduled])).code).toBe('conflict')
    expect(outcome(plan({ effective_to_ms: later }, [scheduled])).code).toBe('add')
    expect(outcome(plan({ effective_from_ms: later + 1 }, [scheduled])).code).toBe('add')
  })

  it('begins within 366 days and ends after it began', () => {
    expect(outcome(plan({ effective_from_ms: NOW + 366 * DAY_MS })).code).toBe('add')
    expect(outcome(plan({ effective_from_ms: NOW + 366 * DAY_MS + 1 })).code).toBe('invalid_request')
    expect(outcome(plan({ effective_from_ms: later, effective_to_ms: later })).words).toContain(
      '/effective_to',
    )
    expect(outcome(plan({ effective_to_ms: NOW })).words).toContain('/effective_to')
    expect(outcome(plan({ effective_to_ms: NOW + 1 })).code).toBe('add')
  })
})

describe('a price that begins in the past', () => {
  const past = { effective_from_ms: NOW - 2 * DAY_MS }

  it('is accepted for a model that had none, at most 35 days back', () => {
    expect(plan({ effective_from_ms: NOW - 35 * DAY_MS })).toMatchObject({ kind: 'add', closes: undefined })
    expect(outcome(plan({ effective_from_ms: NOW - 35 * DAY_MS - 1 }))).toMatchObject({
      code: 'invalid_request',
      words: expect.stringContaining('35 days'),
    })
  })

  it.each([
    ['the very model', {}],
    ['the very model, before', { effective_to_ms: NOW - DAY_MS }],
    [
      'the very model, until a moment after the beginning',
      { effective_from_ms: 0, effective_to_ms: past.effective_from_ms + 1 },
    ],
    ['the very model, for one tier', { service_tier: 'batch' }],
    ['a beginning of its name', { model: 'my-*' }],
    ['every model', { model: '*' }],
  ])('is refused where an overlay has priced %s in that time, and names it', (_, fields) => {
    const other = stored({ effective_from_ms: NOW - 3 * DAY_MS, ...fields })
    for (const planned of [plan(past, [other]), plan(past, [], [other])]) {
      expect(outcome(planned)).toMatchObject({
        code: 'conflict',
        words: expect.stringContaining(other.overlay_id),
      })
    }
  })

  it.each([
    ['of another model', { model: 'my-models' }],
    ['of other prefixes', { model: 'my-models*' }],
    ['of another provider', { provider: 'azure' }],
    ['that ended when it begins', { effective_from_ms: 0, effective_to_ms: past.effective_from_ms }],
  ])('is accepted beside an overlay %s', (_, fields) => {
    expect(outcome(plan(past, [stored(fields)])).code).toBe('add')
  })

  it('must end before another price of the same model begins', () => {
    const other = stored({ effective_from_ms: NOW - DAY_MS })
    expect(outcome(plan({ ...past, effective_to_ms: NOW - DAY_MS }, [other])).code).toBe('add')
    expect(outcome(plan({ ...past, effective_to_ms: NOW - DAY_MS + 1 }, [other])).code).toBe('conflict')
  })

  it('is refused where the catalogue has prices, a dated name or an alias of its models too', () => {
    for (const model of ['gpt-4o', 'gpt-4o-2024-11-20']) {
      expect(outcome(plan({ ...past, model }))).toMatchObject({
        code: 'conflict',
        words: expect.stringContaining('catalogue'),
      })
    }
  })

  it('is refused for a multiplier and for a prefix, since some matching models had a price', () => {
    expect(outcome(plan({ ...past, prices: { multiplier: '0.5' } })).code).toBe('invalid_request')
    expect(outcome(plan({ ...past, model: 'my-*' })).code).toBe('invalid_request')
  })
})

describe('a price of the feed for the same model', () => {
  const fed = stored({ created_by: 'feed' })

  it('neither ends nor conflicts, because the new price takes precedence over it', () => {
    expect(plan({}, [fed])).toEqual({ kind: 'add', effective_from_ms: NOW, closes: undefined })
    expect(outcome(plan({ effective_from_ms: NOW + DAY_MS }, [fed])).code).toBe('add')
  })

  it('has rated past events, so the new price cannot begin before its end', () => {
    expect(outcome(plan({ effective_from_ms: NOW - 2 * DAY_MS }, [fed]))).toMatchObject({
      code: 'conflict',
      words: expect.stringContaining(fed.overlay_id),
    })
  })

  it('counts towards the maximum', () => {
    const full = Array.from({ length: MAX_OVERLAYS }, (_, i) =>
      stored({ model: `m-${i}`, created_by: 'feed' }),
    )
    expect(outcome(plan({}, full)).code).toBe('conflict')
  })
})

it('there are at most 5,000 in a scope', () => {
  const full = Array.from({ length: MAX_OVERLAYS }, (_, i) => stored({ model: `other-${i}` }))
  expect(outcome(plan({}, full.slice(1))).code).toBe('add')
  expect(outcome(plan({}, full))).toMatchObject({ code: 'conflict', words: expect.stringContaining('5000') })
})
