import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FORMAT, packEntry } from '../../src/ledger/journal/packed-entry.ts'
import { packPage, parsePage } from '../../src/ledger/journal/packed-page.ts'
import { packRows, unpackRow } from '../../src/ledger/journal/packing.ts'
import type { AnswerRecord, Entry, EventRecord, JournalRecord } from '../../src/ledger/model/journal.ts'
import { microCredits } from '../../src/pricing/money.ts'
import { linked, unsalted } from '../support/chain.ts'
import { metadataOf } from '../support/messages.ts'

/** An event with all fields. The type requires every field, so a new field must be added here and must be packed. */
const WHOLE_EVENT: Required<EventRecord> = {
  timestamp_ms: 1_700_000_000_001,
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat “quoted” \\ / \u2028',
  user_id: 'zoë 🦄',
  team_id: '12',
  key_id: 'key_1',
  provider: 'OPENAI',
  model: 'gpt-4o',
  usage: { input_tokens: 10_000_000_000_000, output_tokens: 0 },
  modifiers: { service_tier: 'batch', region: 'eu' },
  custom: { api_calls: 3 },
  cost: { micro: 9_007_199_254_740_991, pico: 999_999 },
  price: { micro: 0, pico: 1 },
  burn_table_version: 1,
  price_version: 'x',
  unrated: true,
  rerates: {
    entry: 12,
    at_ms: 1_700_000_000_000,
    cost_before: { micro: 1, pico: 1 },
    price_before: { micro: 2, pico: 2 },
    price_after: { micro: 3, pico: 3 },
  },
  warnings: ['one', ''],
}

const WHOLE_BURN: Entry = {
  kind: 'entry',
  number: 12,
  type: 'BURN',
  wallet: 3,
  owner: { kind: 'user', id: 'zoë 🦄' },
  at_ms: 1_700_000_000_000,
  effective_at_ms: 1_600_000_000_000,
  amount: microCredits(-8_000_000_000_000_000),
  balance_after: microCredits(0),
  lots: [
    [1, microCredits(-7_999_999_999_999_999), { micro: 8_000_000_000_000_000, pico: 999_999 }],
    [2, microCredits(-1)],
  ],
  event: WHOLE_EVENT,
  description: '',
  payment_reference: 'pi_3',
  metadata: metadataOf({}),
  idempotency: { key: 'k "1"', fingerprint: 'f' },
}

const LATE_RATING: Entry = {
  kind: 'entry',
  number: 13,
  type: 'BURN',
  wallet: 3,
  at_ms: 1_700_000_000_002,
  amount: microCredits(-3),
  balance_after: microCredits(0),
  lots: [[2, microCredits(-3)]],
  event: {
    timestamp_ms: 1,
    event_type: 'CUSTOM',
    feature_id: 'f',
    cost: { micro: 3, pico: 0 },
    price: { micro: 4, pico: 0 },
    burn_table_version: 2,
    price_version: 'y',
    rerates: {
      entry: 12,
      at_ms: 1_700_000_000_000,
      cost_before: { micro: 1, pico: 1 },
      price_before: { micro: 2, pico: 2 },
      price_after: { micro: 3, pico: 3 },
    },
  },
}

const CAPTURE: Entry = {
  kind: 'entry',
  number: 14,
  type: 'BURN',
  wallet: 1,
  at_ms: 1_700_000_000_002,
  amount: microCredits(-3),
  balance_after: microCredits(0),
  lots: [[2, microCredits(-3)]],
  captured: { feature_id: 'f', user_id: 'zoë 🦄', team_id: '12', price: { micro: 1, pico: 2 } },
}

const VOID: Entry = {
  kind: 'entry',
  number: 15,
  type: 'VOID',
  wallet: 1,
  at_ms: 1_700_000_000_003,
  amount: microCredits(3),
  balance_after: microCredits(3),
  lots: [[2, microCredits(3), { micro: 0, pico: 7 }]],
  reverses: {
    timestamp_ms: 5,
    event_type: 'TOKEN_USAGE',
    feature_id: 'f',
    user_id: 'zoë 🦄',
    team_id: '12',
    provider: 'OPENAI',
    model: 'gpt-4o',
    price: { micro: 1, pico: 2 },
    voided: { usage: { audio_seconds: 0.1 }, custom: { api_calls: 1 }, cost: { micro: 4, pico: 0 } },
  },
}

const WHOLE_PURCHASE: Entry = {
  kind: 'entry',
  number: 1,
  type: 'PURCHASE',
  wallet: 1,
  owner: { kind: 'customer' },
  at_ms: 0,
  amount: microCredits(5),
  balance_after: microCredits(5),
  lots: [[1, microCredits(5)]],
  new_lots: [
    { number: 1, kind: 'paid', priority: 0, expires_at_ms: 0, price: { micro: 0, pico: 0 } },
    { number: 2, kind: 'promo', priority: 100, expires_at_ms: null },
    { number: 3, kind: 'promo', priority: 100, expires_at_ms: null, recurring: 3 },
    { number: 4, kind: 'promo', priority: 100, expires_at_ms: null, starts_at_ms: 9 },
  ],
}

const WHOLE_BATCH: AnswerRecord = {
  kind: 'answer',
  at_ms: 3,
  answer: {
    of: 'batch',
    batch_id: 'batch_1',
    results: [
      { status: 'accepted', id: 'evt_1', credits: microCredits(1), balance_after: microCredits(2) },
      { status: 'duplicate', id: 'evt_1', credits: microCredits(1), balance_after: microCredits(2) },
      { status: 'rejected', code: 'insufficient_credits', detail: 'no' },
    ],
  },
  idempotency: { key: 'k', fingerprint: 'f' },
}

const WHOLE_MOVEMENT: AnswerRecord = {
  kind: 'answer',
  at_ms: 3,
  answer: {
    of: 'movement',
    transaction_id: null,
    wallet_id: 'wal_1',
    amount: microCredits(-1),
    balance_after: microCredits(0),
    overdraft_limit: microCredits(5),
  },
  idempotency: { key: 'k2', fingerprint: 'f' },
}

const MINIMAL: Entry = {
  kind: 'entry',
  number: 2,
  type: 'EXPIRATION',
  wallet: 1,
  at_ms: 4,
  amount: microCredits(0),
  balance_after: microCredits(0),
  lots: [],
}

const ALL: readonly JournalRecord[] = [
  WHOLE_PURCHASE,
  MINIMAL,
  WHOLE_BATCH,
  WHOLE_MOVEMENT,
  WHOLE_BURN,
  LATE_RATING,
  CAPTURE,
  VOID,
]

/** Metadata with unusual field names. `JSON.parse` creates `__proto__` as an ordinary field. */
const ODD_METADATA: Record<string, unknown> = JSON.parse(
  '{"__proto__":{"polluted":1},"":0,"A":{},"k":["x"],"constructor":null,"1":1,"0":2,"\\u0000":"\\ud800","💸":"\\u2028"}',
)

function rowOf(records: readonly JournalRecord[]): string {
  const [row, ...more] = packRows(records)
  if (!row || more.length > 0) throw new Error('not one row')
  return textOf(row.body)
}

/** Returns the text that SQLite stores for a body. */
function textOf(body: string | ArrayBuffer): string {
  return typeof body === 'string'
    ? body
    : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
}

describe('a journal row', () => {
  it('preserves every field of every kind of record', () => {
    expect(unsalted(unpackRow(FORMAT, rowOf(ALL)))).toStrictEqual(ALL)
  })

  it('keeps metadata with any keys unchanged', () => {
    const entry = { ...MINIMAL, metadata: metadataOf(ODD_METADATA) }
    const [unpacked] = unsalted(unpackRow(FORMAT, rowOf([entry])))
    expect(unpacked).toStrictEqual(entry)
    const metadata = unpacked?.kind === 'entry' ? unpacked.metadata : undefined
    expect(metadata).toBe(JSON.stringify(ODD_METADATA))
  })

  it('of an earlier version, with its metadata parsed, reads as text', () => {
    const row = rowOf([MINIMAL]).replace(/,"s":"[^"]+"/, '')
    const old = row.replace(/\}\]$/, `,"md":${JSON.stringify(ODD_METADATA)}}]`)
    expect(unpackRow(1, old)).toStrictEqual([{ ...MINIMAL, metadata: metadataOf(ODD_METADATA) }])
  })

  it('keeps any metadata and any text', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.string({ unit: 'binary' }),
        (metadata, text) => {
          const entry = { ...MINIMAL, description: text, metadata: metadataOf(metadata) }
          expect(unsalted(unpackRow(FORMAT, rowOf([entry])))).toStrictEqual([entry])
        },
      ),
    )
  })

  it('is made even without records, because it holds the counters', () => {
    expect([...packRows([])]).toStrictEqual([{ body: '[]', records: [] }])
  })

  it('of an unknown format is refused', () => {
    expect(() => unpackRow(3, '[]')).toThrow(/format 3/)
    expect(() => parsePage(3, '[]')).toThrow(/format 3/)
  })
})

describe('a large commit', () => {
  const records = Array.from(
    { length: 5000 },
    (_, i): Entry => ({ ...WHOLE_BURN, number: i + 1, metadata: metadataOf({ note: 'x'.repeat(i % 300) }) }),
  )
  const rows = [...packRows(records)].map((row) => ({ ...row, body: textOf(row.body) }))

  it('is split into rows that keep every record, in order', () => {
    expect(rows.length).toBeGreaterThan(5)
    expect(rows.flatMap((row) => row.records)).toStrictEqual(records)
    expect(unsalted(rows.flatMap((row) => unpackRow(FORMAT, row.body)))).toStrictEqual(records)
  })

  it('fills its rows up to their size', () => {
    for (const row of rows) expect(row.body.length).toBeLessThan(257 * 1024)
    for (const row of rows.slice(0, -1)) expect(row.body.length).toBeGreaterThan(250 * 1024)
  })

  it('stores a record that is larger than a row in a separate row', () => {
    const huge: Entry = { ...MINIMAL, metadata: metadataOf({ note: 'x'.repeat(300 * 1024) }) }
    expect([...packRows([MINIMAL, huge, MINIMAL])].map((row) => row.records.length)).toEqual([1, 1, 1])
    expect([...packRows([huge])].map((row) => row.records.length)).toEqual([1])
  })
})

it('a large row with a letter above U+00FF is stored as bytes, because a string would take twice its length', () => {
  const row = (note: string) => {
    const entry = { ...MINIMAL, metadata: metadataOf({ note }) }
    const [{ body } = { body: '' }] = packRows([entry, entry])
    expect(unsalted(unpackRow(FORMAT, textOf(body)))).toStrictEqual([entry, entry])
    return body
  }
  expect(row(`語${'x'.repeat(100_000)}`)).toBeInstanceOf(ArrayBuffer)
  expect(row(`é${'x'.repeat(100_000)}`)).toBeTypeOf('string')
  expect(row('語')).toBeTypeOf('string')
})

describe('a page', () => {
  const numbers = new Map([
    ['user:zoë 🦄', 7],
    ['team:12', 40],
  ])
  const numberOf = (kind: string, id: string) => numbers.get(`${kind}:${id}`) ?? 0
  const nameOf = (kind: string, number: number) => {
    for (const [name, known] of numbers)
      if (known === number && name.startsWith(`${kind}:`)) return name.slice(5)
    return 'nobody'
  }
  const body = packPage(linked([WHOLE_PURCHASE, WHOLE_BURN, CAPTURE, VOID]), numberOf)

  it('names users and teams by number only', () => {
    expect(body).not.toContain('🦄')
    expect(parsePage(FORMAT, body).subjects).toEqual({ user: new Set([7]), team: new Set([40]) })
  })

  it('contains no idempotency key', () => {
    expect(body).not.toContain('k \\"1\\"')
  })

  it('returns every entry with the current names, without owner and key', () => {
    const { idempotency: _key, owner: _owner, ...burn } = WHOLE_BURN
    const { owner: _customer, ...purchase } = WHOLE_PURCHASE
    expect(parsePage(FORMAT, body).entries(nameOf)).toStrictEqual([purchase, burn, CAPTURE, VOID])
  })

  it('of the format before the hash chain reads as before', () => {
    const { idempotency: _key, owner: _owner, ...burn } = WHOLE_BURN
    const old = JSON.stringify([{ ...packEntry(burn, numberOf), k: undefined }])
    expect(parsePage(1, old).subjects).toEqual({ user: new Set([7]), team: new Set([40]) })
    expect(parsePage(1, old).entries(nameOf)).toStrictEqual([burn])
  })

  it('names the users and teams of captures and voids that have no event', () => {
    for (const entry of [CAPTURE, VOID]) {
      const { subjects } = parsePage(FORMAT, packPage(linked([entry]), numberOf))
      expect(subjects).toEqual({ user: new Set([7]), team: new Set([40]) })
    }
  })

  it('distinguishes a user whose id is a number from the subject with that number', () => {
    expect(parsePage(FORMAT, packPage(linked([WHOLE_BURN]), numberOf)).subjects.team).toEqual(new Set([40]))
  })
})
