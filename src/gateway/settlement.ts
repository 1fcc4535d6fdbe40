import type { Bindings } from '../bindings.ts'
import { settleCall } from '../ledger/client/client.ts'
import type { SettleCallMessage, SettledCall } from '../ledger/model/messages/calls.ts'
import type { LedgerName, PricedEvent, WalletItemRef } from '../ledger/model/vocabulary.ts'
import { logFailure } from '../logging/log.ts'
import type { MicroCredits } from '../pricing/money.ts'
import type { Usage } from '../pricing/usage.ts'
import type { InputEstimate } from './request/estimate.ts'
import {
  type Pricing,
  priceEstimated,
  priceReported,
  priceSpeech,
  priceTranscription,
} from './request/prices.ts'
import { type Delivered, deliveredUsage } from './stream/delivered.ts'

/** The hold of a call. */
export interface HoldPlace {
  readonly env: Bindings
  readonly ledger: LedgerName
  readonly hold: WalletItemRef
  /** The credits of the hold. */
  readonly held: MicroCredits
  readonly key_id: string
}

/** A call that holds credits. */
export interface HeldCall extends HoldPlace {
  readonly pricing: Pricing
  readonly input: InputEstimate
  /**
   * Settles the call; null releases its hold. The request is kept alive until the call is settled, even if its client
   * disconnects.
   */
  readonly settle: (charge: Charge | null) => Promise<SettledCall | undefined>
}

/** The reason why a charge is not the usage that the provider reported for a whole answer. */
export type Shortened =
  | 'client_gone'
  | 'provider_failed'
  | 'first_chunk_timeout'
  | 'idle_timeout'
  | 'no_usage'
  | 'running'

export interface Used {
  readonly reported: Readonly<Record<string, unknown>> | undefined
  readonly complete: boolean
  readonly delivered: Delivered
  readonly why: Shortened | undefined
}

export interface Charge {
  readonly event: PricedEvent
  /**
   * Whether the charge is limited to the hold. An estimate is limited. A complete report and an exact price of speech
   * are not.
   */
  readonly capped: boolean
}

/**
 * Computes the charge of a call. A complete report is charged as reported. Otherwise missing parts are estimated: the
 * input from the body, the output from the delivered part. Returns null if the usage cannot be priced.
 */
export function chargeOf(
  { pricing, input }: HeldCall,
  { reported, complete, delivered, why }: Used,
): Charge | null {
  if (reported && complete) {
    const event = priceReported(pricing, reported)
    if (event) return { event, capped: false }
  }
  if (pricing.endpoint.api === 'speech') return speechCharge(pricing, why)
  const output = deliveredUsage(delivered, pricing.call.media)
  const event =
    (reported && partly(pricing, reported, output)) ??
    (pricing.endpoint.api === 'transcriptions'
      ? priceTranscription(pricing)
      : estimated(pricing, input, output))
  if (!event) return null
  const warnings = [...(event.warnings ?? []), 'estimated', why ?? 'no_usage']
  return { event: { ...event, warnings }, capped: true }
}

/** Returns the charge of speech. All of its characters are charged, even if only a part was delivered. */
function speechCharge(pricing: Pricing, why: Shortened | undefined): Charge | null {
  const speech = priceSpeech(pricing)
  if (!speech || speech.exact) return speech ? { event: speech.event, capped: false } : null
  const warnings = [...(speech.event.warnings ?? []), 'estimated', why ?? 'no_usage']
  return { event: { ...speech.event, warnings }, capped: true }
}

/** Prices the reported usage. A delivered quantity replaces the reported quantity if it is larger. */
function partly(
  pricing: Pricing,
  reported: Readonly<Record<string, unknown>>,
  delivered: Usage,
): PricedEvent | undefined {
  const event = priceReported(pricing, reported)
  const known = new Map<string, number>(Object.entries(event?.usage ?? {}))
  const larger = Object.entries(delivered).filter(([unit, quantity]) => quantity > (known.get(unit) ?? 0))
  return event && larger.length > 0 ? priceReported(pricing, reported, Object.fromEntries(larger)) : event
}

/**
 * Prices the estimated input and the delivered output. Images that are not streamed are charged as requested, because
 * the provider makes them even if they are not delivered.
 */
function estimated(pricing: Pricing, { likely }: InputEstimate, delivered: Usage): PricedEvent | undefined {
  const { stream, beside } = pricing.call
  const { web_searches: _, ...images } = beside
  return priceEstimated(pricing, { ...(!stream && images), input_tokens: likely, ...delivered })
}

/**
 * The pauses between the attempts to settle, in milliseconds. If the last attempt fails, the noted amount is charged
 * when the hold expires.
 */
const WAITS_MS = [200, 1_000, 4_000]

/**
 * Settles a call. Retries if the ledger fails or cannot be reached. Returns undefined if all attempts fail. The
 * ledger charges a call once, even if it gets the request several times.
 */
export async function settled(
  { env, ledger, hold, held, key_id }: HoldPlace,
  charge: Charge | null,
): Promise<SettledCall | undefined> {
  const message: SettleCallMessage = {
    hold,
    key_id,
    event: charge?.event ?? null,
    capped: charge?.capped ?? false,
    held,
  }
  for (const wait_ms of [...WAITS_MS, null]) {
    const result = await attempt(env, ledger, message)
    if (result !== undefined) return result
    if (wait_ms !== null) await scheduler.wait(wait_ms)
  }
  logFailure('gateway_call_not_settled', { ...ledger, hold: hold.number })
  return undefined
}

async function attempt(
  env: Bindings,
  ledger: LedgerName,
  message: SettleCallMessage,
): Promise<SettledCall | undefined> {
  try {
    const result = await settleCall(env, ledger, message)
    return result.kind === 'done' ? result.answer : undefined
  } catch {
    // The object failed and logged its error, or it was unreachable. The settlement is retried.
    return undefined
  }
}
