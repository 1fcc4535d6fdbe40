import { describe, expect, it } from 'vitest'
import { recordOf } from '../../src/ledger/burns/burn.ts'
import { rate } from '../../src/ledger/burns/rate.ts'
import type { EventFields, PricedEvent } from '../../src/ledger/model/vocabulary.ts'
import { microCredits } from '../../src/pricing/money.ts'
import { CONTEXT, MemoryLedger } from '../support/memory-ledger.ts'
import { metadataOf } from '../support/messages.ts'

/** An event with all fields. The type requires every field, so a new field must be added here and must be recorded. */
const FIELDS: Required<EventFields> = {
  timestamp_ms: 1_700_000_000_001,
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  user_id: 'ann',
  team_id: 'red',
  provider: 'OPENAI',
  model: 'gpt-4o',
  usage: { input_tokens: 1000 },
  modifiers: { region: 'eu' },
  custom: { pages: 3 },
  warnings: ['own'],
}

const EVENT: PricedEvent = {
  ...FIELDS,
  charge: { kind: 'priced', cost: { micro: 2, pico: 500_000 }, price_version: 'v' },
  metadata: metadataOf({ a: 1 }),
  hold: { number: 1, wallet: 1, created_at_ms: 1 },
}

function rated(event: PricedEvent) {
  const charge = rate(event, new MemoryLedger().walletOf(), 0, CONTEXT)
  if (charge.kind === 'refused') throw new Error('an event was refused')
  return charge
}

describe('the record of an event', () => {
  it('has every field of the event and of its rating', () => {
    const charge = rated(EVENT)
    expect(recordOf(EVENT, charge, microCredits(charge.credits_micro), 'key_1', ['about'])).toEqual({
      ...FIELDS,
      key_id: 'key_1',
      cost: { micro: 2, pico: 500_000 },
      price: { micro: 5, pico: 0 },
      burn_table_version: charge.burn_table_version,
      price_version: 'v',
      warnings: ['own', 'about'],
    })
  })

  it('names no field that the event lacks', () => {
    const { timestamp_ms, event_type, feature_id } = FIELDS
    const bare: PricedEvent = {
      timestamp_ms,
      event_type,
      feature_id,
      charge: { kind: 'none', price_version: 'v' },
    }
    const record = recordOf(bare, rated(bare), microCredits(0), undefined)
    expect(Object.keys(record).sort()).toEqual(
      [
        'timestamp_ms',
        'event_type',
        'feature_id',
        'cost',
        'price',
        'burn_table_version',
        'price_version',
      ].sort(),
    )
  })
})
