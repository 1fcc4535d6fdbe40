import type { Context } from 'hono'
import { configOf } from '../config.ts'
import type { Timeouts as RouteTimeouts } from '../gateway-routes/store.ts'
import type { AppEnv } from '../http/env.ts'
import { retryAfterMs } from '../http/outbound/retry-after.ts'
import { logFailure, logWarning } from '../logging/log.ts'
import { formatUsd, usdFromParts } from '../pricing/money.ts'
import type { Dialect } from '../provider-keys/providers.ts'
import { type Limits, noteUse, relayed, type Sent } from './answer.ts'
import {
  type Ending as AttemptEnding,
  type Fallback,
  type Made,
  nextAttempt,
  OWN,
  type Target,
  verdictOf,
} from './fallback.ts'
import type { CallHold } from './hold.ts'
import type { InputEstimate } from './request/estimate.ts'
import { type Pricing, priceEstimated } from './request/prices.ts'
import type { HeldCall } from './settlement.ts'
import { CallTimer } from './stream/call-timer.ts'
import { begin } from './stream/relay.ts'

interface ProviderRequest {
  readonly dialect: Dialect
  readonly url: string
  readonly headers: Headers
  readonly body: BodyInit
  /** Present if the client's body is relayed while it arrives. */
  readonly relayed?: RelayedBody
}

/** A body that is relayed while it arrives. */
export interface RelayedBody {
  /** Aborts if the body cannot be relayed completely. The request to the provider is then aborted. */
  readonly broken: AbortSignal
  /** Returns the response to a broken body; undefined if the body is broken because its client disconnected. */
  readonly refusal: () => Response | undefined
}

/** An attempt of a call that is ready to be sent: the request to the provider, the pricing and the hold. */
export interface Attempt extends ProviderRequest {
  readonly input: InputEstimate
  readonly pricing: Pricing
  /** The hold of the call. An upload can get another hold while it is relayed. */
  readonly hold: Pick<CallHold, 'place' | 'settle'>
}

/** The fallback and the time limits of a call, and the function that prepares its attempts. */
export interface Attempts {
  readonly fallback: Fallback
  readonly timeouts: RouteTimeouts
  /**
   * Prepares the attempt at a target. Returns undefined if the target cannot be called, or if the call has no price or
   * gets no hold at the target.
   */
  readonly prepare: (target: Target) => Promise<Attempt | undefined>
}

/**
 * Makes the attempts of a call that has a hold, one after another, and relays the response to the last attempt that was
 * sent. Settles the hold, unless it throws.
 */
export async function relayAnswer(
  c: Context<AppEnv>,
  { fallback, timeouts, prepare }: Attempts,
): Promise<Response> {
  const limits = limitsOf(c, timeouts)
  const made: Made[] = []
  const notes: string[] = []
  let last: SentAttempt | undefined
  for (let place: Place = { place: 0, target: OWN, delay_ms: 0 }; ; ) {
    const attempt = await prepare(place.target)
    if (attempt) {
      discard(last)
      const held = heldBy(attempt, c.get('request_id'), made, notes)
      const provider = new AbortController()
      const { hold_ms } = configOf(c.env).gateway
      const timer = new CallTimer(hold_ms, () => c.executionCtx.waitUntil(noteUse(held, null, hold_ms)))
      const isLast = !nextAttempt(fallback, [...made, { ...place, ending: NO_FIRST_CHUNK }], 1)
      const sent = await send(c, attempt, provider, timer, limits, isLast)
      last = { held, sent, provider, timer, dialect: attempt.dialect }
    }
    if (!last) throw new Error('the first attempt of a call was not prepared')
    made.push({ ...place, ending: attempt ? endingOf(last.sent) : { kind: 'not_sent' } })
    const next = nextAttempt(fallback, made, Math.random())
    if (!next) return withAttempts(await relayed(c, last.held, limits, last), notes)
    notes.push(noteOf(last.held, made))
    await noteUse(last.held, null, configOf(c.env).gateway.hold_ms)
    if (next.delay_ms > 0) await scheduler.wait(next.delay_ms)
    place = next
  }
}

/** An attempt that was sent, and its outcome. */
interface SentAttempt {
  readonly held: HeldCall
  readonly sent: Sent
  readonly provider: AbortController
  readonly timer: CallTimer
  readonly dialect: Dialect
}

/**
 * Cancels the body of a response that is not relayed. It is called only after the next attempt was prepared, because
 * the client gets this response if no further attempt can be made. Until then, the body is not read.
 */
function discard(attempt: SentAttempt | undefined): void {
  if (attempt?.sent.kind === 'answered') attempt.sent.response.body?.cancel().catch(() => {})
  attempt?.provider.abort()
}

type Place = Omit<Made, 'ending'> & { readonly delay_ms: number }

const NO_FIRST_CHUNK = { kind: 'timeout', of: 'first_chunk' } as const

/**
 * The header of the response to a call with further attempts: a list of strings (RFC 9651), one for each attempt before
 * the attempt whose response is relayed.
 */
const ATTEMPTS_HEADER = 'X-Meter-Attempts'

function withAttempts(response: Response, notes: readonly string[]): Response {
  if (notes.length > 0) {
    response.headers.set(ATTEMPTS_HEADER, notes.map((note) => JSON.stringify(note)).join(', '))
  }
  return response
}

/**
 * Returns the call with the pricing and the hold of an attempt. The event of the call will have a warning for each
 * earlier attempt. `made` has the attempts so far, and `notes` has their warnings. If the call has no charge, and
 * therefore no event, an attempt for which the provider possibly charges is logged. The result does not refer to the
 * attempt, because the body of the attempt would stay in memory until the end of the stream.
 */
function heldBy(
  { pricing, input, hold }: Attempt,
  request_id: string,
  made: readonly Made[],
  notes: readonly string[],
): HeldCall {
  const held: HeldCall = {
    ...hold.place,
    get hold() {
      return hold.place.hold
    },
    get held() {
      return hold.place.held
    },
    get unrated() {
      return hold.place.unrated
    },
    pricing,
    input,
    settle(charge, client_waits) {
      if (!charge) {
        if (made.some(({ ending }) => verdictOf(ending) === 'ambiguous')) {
          const all = made.length > notes.length ? [...notes, noteOf(held, made)] : notes
          logWarning('gateway_attempts_not_charged', {
            ...hold.place.ledger,
            request_id,
            attempts: all.join('; '),
          })
        }
        return hold.settle(null, client_waits)
      }
      if (notes.length === 0) return hold.settle(charge, client_waits)
      const warnings = [...(charge.event.warnings ?? []), ...notes]
      return hold.settle({ ...charge, event: { ...charge.event, warnings } }, client_waits)
    },
  }
  return held
}

/**
 * Returns the warning about the last attempt for the event of the call. The warning has the outcome of the attempt. If
 * the outcome is ambiguous, the warning also has the estimated cost of the input at the provider, if the input has a
 * price.
 */
function noteOf({ pricing, input }: HeldCall, made: readonly Made[]): string {
  const last = made.at(-1)
  if (!last) throw new Error('no attempt was made')
  const { ending } = last
  const what = ending.kind === 'status' ? `status ${ending.status}` : ending.kind
  const verdict = verdictOf(ending)
  const charge =
    verdict === 'ambiguous' ? priceEstimated(pricing, { input_tokens: input.likely })?.charge : undefined
  const cost =
    charge?.kind === 'priced' ? `, at least ${formatUsd(usdFromParts(charge.cost))} USD at the provider` : ''
  return `attempt ${made.length}: ${verdict} (${what})${cost}`
}

function endingOf(sent: Sent): AttemptEnding {
  if (sent.kind === 'answered') {
    const { status, headers } = sent.response
    return { kind: 'status', status, retry_after_ms: retryAfterMs(headers.get('Retry-After'), Date.now()) }
  }
  if (sent.kind === 'refused') return { kind: 'client_gone' }
  switch (sent.why) {
    case 'client_gone':
    case 'not_sent':
      return { kind: 'client_gone' }
    case 'timeout':
      return { kind: 'timeout', of: 'headers' }
    case 'first_chunk_timeout':
      return NO_FIRST_CHUNK
    case 'unreachable':
      return { kind: 'lost' }
  }
}

function limitsOf(c: Context<AppEnv>, route: RouteTimeouts): Limits {
  const { headers_timeout_ms, first_chunk_timeout_ms, idle_timeout_ms, client_timeout_ms } = configOf(
    c.env,
  ).gateway
  const { headers_seconds, first_chunk_seconds, idle_seconds } = route
  return {
    headers_timeout_ms: headers_seconds === null ? headers_timeout_ms : headers_seconds * 1000,
    first_chunk_timeout_ms:
      first_chunk_seconds === null ? first_chunk_timeout_ms : first_chunk_seconds * 1000,
    idle_timeout_ms: idle_seconds === null ? idle_timeout_ms : idle_seconds * 1000,
    client_timeout_ms,
  }
}

async function send(
  c: Context<AppEnv>,
  { url, headers, body, relayed: upload, pricing }: Attempt,
  provider: AbortController,
  timer: CallTimer,
  { headers_timeout_ms, first_chunk_timeout_ms }: Limits,
  isLast: boolean,
): Promise<Sent> {
  const client = c.req.raw.signal
  let why: 'client_gone' | 'timeout' | undefined
  const leave = () => {
    why = 'client_gone'
    provider.abort()
  }
  timer.start(headers_timeout_ms, () => {
    why = 'timeout'
    provider.abort()
  })
  client.addEventListener('abort', leave)
  // The listener is not removed, because a provider can respond before it has the whole body.
  upload?.broken.addEventListener('abort', leave)
  try {
    if (client.aborted) return { kind: 'failed', why: 'not_sent' }
    if (upload?.broken.aborted) leave()
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body,
      redirect: 'manual',
      signal: provider.signal,
    })
    if (isLast || !response.ok || !response.body || !pricing.call.stream) {
      return { kind: 'answered', response, body: response.body }
    }
    // The first chunk is awaited before the response is relayed, because no further attempt is possible after a chunk
    // was delivered.
    const begun = await begin(response.body, first_chunk_timeout_ms, timer)
    if (begun === 'silent') return { kind: 'failed', why: 'first_chunk_timeout' }
    if (begun === 'failed') return { kind: 'failed', why: why ?? 'unreachable' }
    return { kind: 'answered', response, body: begun }
  } catch (error) {
    const refusal = upload?.refusal()
    if (refusal) return { kind: 'refused', refusal }
    if (why === undefined) {
      const fields = { request_id: c.get('request_id'), reason: nameOnly(error) }
      logFailure('gateway_provider_unreachable', fields)
    }
    return { kind: 'failed', why: why ?? 'unreachable' }
  } finally {
    timer.stop()
    client.removeEventListener('abort', leave)
  }
}

/** Returns only the name of an error. Its message could contain the URL of the request. */
function nameOnly(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}
