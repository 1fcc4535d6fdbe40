import type { Bindings } from '../bindings.ts'
import { settleCall } from '../ledger/client/client.ts'
import type { SettleCallMessage, SettledCall } from '../ledger/model/messages/calls.ts'
import type { LedgerName, PricedEvent, WalletItemRef } from '../ledger/model/vocabulary.ts'
import { logFailure } from '../logging/log.ts'
import type { UsagePart } from '../pricing/extract/iterations.ts'
import type { MicroCredits } from '../pricing/money.ts'
import type { Usage } from '../pricing/usage.ts'
import type { MeteredApi } from './dialect.ts'
import type { InputEstimate } from './request/estimate.ts'
import {
  type Pricing,
  priceEstimated,
  priceOtherUnit,
  priceReported,
  priceSeconds,
  priceSpeech,
  searchesOf,
} from './request/prices.ts'
import { type Delivered, deliveredByTools, deliveredUsage, isNothing } from './stream/delivered.ts'

/** The hold of a call, and the data that is needed to settle it. */
export interface HoldPlace {
  readonly env: Bindings
  readonly ledger: LedgerName
  readonly hold: WalletItemRef
  /** The credits that the hold reserves. */
  readonly held: MicroCredits
  /** Whether neither a price nor a rule of the burn table applies to the requested model. */
  readonly unrated: boolean
  readonly key_id: string
}

/** A call that has a hold. */
export interface HeldCall extends HoldPlace {
  readonly pricing: Pricing
  readonly input: InputEstimate
  /**
   * Charges the call, or releases its hold if `charge` is null. The request stays alive until the call is settled, even
   * if its client disconnects. If the response is not delivered yet (`client_waits`), fewer attempts are made.
   */
  readonly settle: (charge: Charge | null, client_waits?: boolean) => Promise<SettledCall | undefined>
}

/** The reason why the charge is not based on the usage report of a whole response. */
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
  /** The end of the last cue in milliseconds, if the response consists of subtitles. */
  readonly subtitles_ms?: number | undefined
  /** The model that the response names; undefined if it names none. */
  readonly model: string | undefined
  /** Whether the response is a refusal, which costs nothing, although its status is 2xx. */
  readonly refused: boolean
  readonly why: Shortened | undefined
}

export interface Charge {
  readonly event: PricedEvent
  /**
   * Whether the charge is limited to the amount of the hold. Estimates are limited, unless nothing is held because the
   * requested model has no price. Complete usage reports and exact prices of speech are not limited.
   */
  readonly capped: boolean
}

/**
 * Computes the charge of a call. If the provider sent a complete usage report, the reported usage is charged.
 * Otherwise, or if the report cannot be priced, or has no output although output was delivered, the missing parts are
 * estimated: the input from the body of the request, and the output from the delivered part of the response. Speech is
 * charged by its text (`speechCharge`), and a transcription without a report by the duration of its audio. A
 * transcription whose reported unit has no price is charged by the other unit. Returns null if the response is a
 * refusal, if the event is refused, for example because it would cost too much, or if an upload was not relayed
 * completely and nothing was delivered.
 */
export function chargeOf(
  { pricing: asked, input, held, unrated }: Pick<HeldCall, 'pricing' | 'input' | 'held' | 'unrated'>,
  { reported, complete, delivered, model, refused, why, subtitles_ms }: Used,
): Charge | null {
  if (refused) return null
  const pricing = { ...asked, named: model, unrated }
  const report = reported && priceReported(pricing, reported)
  const output = deliveredUsage(delivered, pricing.call.media)
  const isEmpty = report !== undefined && !Object.values(report.usage ?? {}).some(isPositive)
  const isTokens = pricing.endpoint.event_type === 'TOKEN_USAGE'
  const lacksOutput = isEmpty
    ? !isNothing(delivered) || EMBEDDINGS.has(pricing.endpoint.api)
    : isTokens && isPositive(output.output_tokens) && !isPositive(report?.usage?.output_tokens)
  if (report && complete && !lacksOutput) {
    const unpriced = report.charge.kind === 'unpriced' && pricing.call.upload
    const other = unpriced ? priceOtherUnit(pricing, report) : undefined
    return other ? estimate(other, held, 'other_unit') : { event: report, capped: false }
  }
  if (pricing.endpoint.api === 'speech') return speechCharge(pricing, held, why)
  const { upload } = pricing.call
  // A provider cannot transcribe an upload that it did not get completely.
  if (upload?.complete === false && why !== undefined && !output.output_tokens) return null
  const event =
    (reported && report && !isEmpty ? partly(pricing, reported, report, output, input) : undefined) ??
    (upload
      ? priceSeconds(pricing, ((upload.exact ? undefined : subtitles_ms) ?? upload.ms) / 1_000)
      : estimated(pricing, input, output, deliveredByTools(delivered, pricing.call.media)))
  return event ? estimate(event, held, why ?? 'no_usage') : null
}

/** The APIs whose calls have input only. */
const EMBEDDINGS: ReadonlySet<MeteredApi> = new Set(['embeddings', 'embed'])

/** Returns an estimated charge. It does not exceed the hold, unless nothing is held. */
function estimate(event: PricedEvent, held: MicroCredits, why: Shortened | 'other_unit'): Charge {
  return {
    event: { ...event, warnings: [...(event.warnings ?? []), 'estimated', why] },
    capped: held > 0,
  }
}

/**
 * Returns the charge of a speech call. All characters of the text are charged, even if only a part of the audio was
 * delivered.
 */
function speechCharge(pricing: Pricing, held: MicroCredits, why: Shortened | undefined): Charge | null {
  const speech = priceSpeech(pricing)
  if (!speech || speech.exact) return speech ? { event: speech.event, capped: false } : null
  return estimate(speech.event, held, why ?? 'no_usage')
}

/**
 * Prices an incomplete usage report, whose event is `report`. If more was delivered than reported, the delivered
 * quantity replaces the reported one. If the reported input is zero, the estimated input replaces it: some servers
 * report the input only at the end.
 */
function partly(
  pricing: Pricing,
  reported: Readonly<Record<string, unknown>>,
  report: PricedEvent,
  delivered: Usage,
  { likely }: InputEstimate,
): PricedEvent | undefined {
  const known = new Map<string, number>(Object.entries(report.usage ?? {}))
  const all = known.get('input_tokens') ? delivered : { ...delivered, input_tokens: likely }
  const larger = Object.entries(all).filter(([unit, quantity]) => quantity > (known.get(unit) ?? 0))
  return larger.length > 0 ? priceReported(pricing, reported, Object.fromEntries(larger)) : report
}

function isPositive(quantity: unknown): boolean {
  return typeof quantity === 'number' && quantity > 0
}

/**
 * Prices the estimated input and the delivered output of a call without a usage report. `tools` is the delivered usage
 * of other models that tools called. If the call is not a stream, all requested images are charged, because the
 * provider creates them even if they are not delivered.
 */
function estimated(
  pricing: Pricing,
  { likely }: InputEstimate,
  delivered: Usage,
  tools: readonly UsagePart[],
): PricedEvent | undefined {
  const { stream, beside } = pricing.call
  const searches = delivered.output_tokens === undefined ? {} : searchesOf(pricing)
  const usage = { ...(!stream && beside), input_tokens: likely, ...searches, ...delivered }
  return priceEstimated(pricing, usage, tools)
}

/**
 * The pauses between the attempts to settle a call, in milliseconds. If the last attempt fails, the ledger charges the
 * note of the call, if it has one, when the hold expires.
 */
const WAITS_MS = [200, 1_000, 4_000]
/**
 * The pauses before further attempts if the response has already been delivered. Cloudflare ends a request 30 seconds
 * after its client has got the response or has disconnected.
 */
const FURTHER_WAITS_MS = [8_000, 12_000]

/**
 * Settles a call. Retries if the ledger object refuses, fails or cannot be reached. Returns undefined if all attempts
 * fail. Retries are safe, because the ledger charges a call only once.
 */
export async function settled(
  { env, ledger, hold, held, key_id }: HoldPlace,
  charge: Charge | null,
  client_waits = false,
): Promise<SettledCall | undefined> {
  const message: SettleCallMessage = {
    hold,
    key_id,
    event: charge?.event ?? null,
    capped: charge?.capped ?? false,
    held,
  }
  for (const wait_ms of [...WAITS_MS, ...(client_waits ? [] : FURTHER_WAITS_MS), null]) {
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
    // The error needs no log entry here: a ledger object logs its own failures. The caller retries the settlement.
    return undefined
  }
}
