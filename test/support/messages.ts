import type { Asked } from '../../src/ledger/client/call.ts'
import type { Caller } from '../../src/ledger/model/account.ts'
import { type JsonText, jsonTextOf } from '../../src/ledger/model/json.ts'
import type { CreditMessage } from '../../src/ledger/model/messages/credits.ts'
import type { IngestItem } from '../../src/ledger/model/messages/events.ts'
import type { Idempotency, PricedEvent } from '../../src/ledger/model/vocabulary.ts'
import { microCredits, picoUsd, type UsdParts, usdToParts } from '../../src/pricing/money.ts'

/**
 * Creates messages to a ledger object, in the form in which the Worker sends them. Tests set only the fields that
 * matter to them.
 */

export const CALLER: Caller = { key_id: 'key_of_the_test' }

/** The provider cost that burns one micro-credit, in pico-USD. The default burn table burns 2,000 credits per USD. */
const PICO_USD_PER_MICRO_CREDIT = 500n

/** Returns the provider cost that burns exactly `credits_micro` micro-credits with the default burn table. */
export function costOf(credits_micro: number): UsdParts {
  return usdToParts(picoUsd(BigInt(credits_micro) * PICO_USD_PER_MICRO_CREDIT))
}

export interface EventOptions extends Partial<PricedEvent> {
  readonly key?: string | undefined
  /** The fingerprint of the request. By default, all events with the same amount have the same fingerprint. */
  readonly fingerprint?: string
}

/** Returns an event that burns exactly `credits_micro` micro-credits. */
export function eventItem(credits_micro: number, options: EventOptions = {}): IngestItem {
  const { key, fingerprint = `event of ${credits_micro}`, ...fields } = options
  return {
    ...(key !== undefined && { idempotency: { key, fingerprint } }),
    event: {
      event_type: 'TOKEN_USAGE',
      feature_id: 'chat',
      provider: 'OPENAI',
      model: 'gpt-4o',
      usage: { input_tokens: 1000, output_tokens: 500 },
      timestamp_ms: Date.now(),
      charge: { kind: 'priced', cost: costOf(credits_micro), price_version: 'test' },
      ...fields,
    },
    refusal: null,
  }
}

export function single(item: IngestItem): Asked<'ingest'> {
  return { caller: CALLER, shape: 'single', item }
}

export function batch(items: readonly IngestItem[], idempotency?: Idempotency): Asked<'ingest'> {
  return {
    caller: CALLER,
    shape: 'batch',
    batch_id: `batch_${crypto.randomUUID()}`,
    ...(idempotency && { idempotency }),
    items,
  }
}

export function grant(credits_micro: number, options: Partial<CreditMessage> = {}): Asked<'credit'> {
  return {
    caller: CALLER,
    type: 'GRANT',
    owner: { kind: 'customer' },
    amount: microCredits(credits_micro),
    lot_kind: 'promo',
    priority: 50,
    expires_at_ms: null,
    ...options,
  }
}

/** Returns metadata as JSON text, in the form that the ledger receives. */
export function metadataOf(metadata: object): JsonText {
  return jsonTextOf(JSON.stringify(metadata))
}
