import type { Context } from 'hono'
import { configOf } from '../config.ts'
import type { Timeouts as RouteTimeouts } from '../gateway-routes/store.ts'
import type { AppEnv } from '../http/env.ts'
import { logError } from '../logging/log.ts'
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
import { type Pricing, priceEstimated } from './request/prices.ts'
import type { HeldCall, HoldPlace } from './settlement.ts'
import { begin } from './stream/relay.ts'

interface ProviderRequest {
  readonly dialect: Dialect
  readonly url: string
  readonly headers: Headers
  readonly body: BodyInit
}

/** An attempt of a call: its request, its pricing and its hold. */
export interface Attempt extends ProviderRequest {
  readonly pricing: Pricing
  readonly place: HoldPlace
}

/** The attempts of a call, and the time limits of its route. */
export interface Attempts {
  readonly fallback: Fallback
  readonly timeouts: RouteTimeouts
  /**
   * Prepares the attempt at a target. Returns undefined if the target cannot be called or the call is not admitted.
   */
  readonly prepare: (target: Target) => Promise<Attempt | undefined>
}

/** Makes the attempts of a held call, relays the answer of the last attempt, and always settles the hold. */
export async function relayAnswer(
  c: Context<AppEnv>,
  call: HeldCall,
  { fallback, timeouts, prepare }: Attempts,
): Promise<Response> {
  const limits = limitsOf(c, timeouts)
  const made: Made[] = []
  const notes: string[] = []
  for (let place: Place = { place: 0, target: OWN, delay_ms: 0 }; ; ) {
    const attempt = await prepare(place.target)
    const held = attempt ? heldBy(call, attempt, notes) : call
    const provider = new AbortController()
    const isLast = () => !nextAttempt(fallback, [...made, { ...place, ending: NO_FIRST_CHUNK }], 1)
    const sent = attempt ? await send(c, attempt, provider, limits, isLast()) : NOT_SENT
    made.push({ ...place, ending: endingOf(sent) })
    const next = nextAttempt(fallback, made, Math.random())
    if (!next) return relayed(c, held, limits, { sent, provider, dialect: attempt?.dialect })
    notes.push(noteOf(held, made))
    // The body of a refused attempt is not needed for the next attempt.
    if (sent.kind === 'answered') sent.response.body?.cancel().catch(() => {})
    provider.abort()
    await noteUse(held, null, configOf(c.env).gateway.hold_ms)
    if (next.delay_ms > 0) await scheduler.wait(next.delay_ms)
    place = next
  }
}

type Place = Omit<Made, 'ending'> & { readonly delay_ms: number }

const NO_FIRST_CHUNK = { kind: 'timeout', of: 'first_chunk' } as const
const NOT_SENT: Sent = { kind: 'failed', why: 'not_sent' }

/** Returns the call with the prices and the hold of an attempt. The event of the call lists the earlier attempts. */
function heldBy(call: HeldCall, { pricing, place }: Attempt, notes: readonly string[]): HeldCall {
  return {
    ...call,
    ...place,
    pricing,
    settle: (charge) => {
      const warnings = [...(charge?.event.warnings ?? []), ...notes]
      return call.settle(
        charge && notes.length > 0 ? { ...charge, event: { ...charge.event, warnings } } : charge,
      )
    },
  }
}

/**
 * Describes the last attempt for the warnings of the call's event: its outcome, and its possible cost at the
 * provider.
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
    const retry_after = sent.response.headers.get('Retry-After')
    const { status } = sent.response
    return {
      kind: 'status',
      status,
      ...(retry_after !== null && { retry_after_s: Number(retry_after) || 0 }),
    }
  }
  switch (sent.why) {
    case 'client_gone':
      return { kind: 'client_gone' }
    case 'timeout':
      return { kind: 'timeout', of: 'headers' }
    case 'first_chunk_timeout':
      return NO_FIRST_CHUNK
    case 'unreachable':
      return { kind: 'lost' }
    case 'not_sent':
      return { kind: 'not_sent' }
  }
}

function limitsOf(c: Context<AppEnv>, route: RouteTimeouts): Limits {
  const { headers_timeout_ms, first_chunk_timeout_ms, idle_timeout_ms } = configOf(c.env).gateway
  const { headers_seconds, first_chunk_seconds, idle_seconds } = route
  return {
    headers_timeout_ms: headers_seconds === null ? headers_timeout_ms : headers_seconds * 1000,
    first_chunk_timeout_ms:
      first_chunk_seconds === null ? first_chunk_timeout_ms : first_chunk_seconds * 1000,
    idle_timeout_ms: idle_seconds === null ? idle_timeout_ms : idle_seconds * 1000,
  }
}

async function send(
  c: Context<AppEnv>,
  { url, headers, body, pricing }: Attempt,
  provider: AbortController,
  { headers_timeout_ms, first_chunk_timeout_ms }: Limits,
  isLast: boolean,
): Promise<Sent> {
  const client = c.req.raw.signal
  let why: 'client_gone' | 'timeout' | undefined
  const leave = () => {
    why = 'client_gone'
    provider.abort()
  }
  const timer = setTimeout(() => {
    why = 'timeout'
    provider.abort()
  }, headers_timeout_ms)
  client.addEventListener('abort', leave)
  if (client.aborted) leave()
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body,
      redirect: 'manual',
      signal: provider.signal,
    })
    clearTimeout(timer)
    if (isLast || !response.ok || !response.body || !pricing.call.stream) {
      return { kind: 'answered', response, body: response.body }
    }
    // Waits for the first chunk: another attempt is possible until a chunk is delivered.
    const begun = await begin(response.body, first_chunk_timeout_ms)
    if (begun === 'silent') return { kind: 'failed', why: 'first_chunk_timeout' }
    if (begun === 'failed') return { kind: 'failed', why: why ?? 'unreachable' }
    return { kind: 'answered', response, body: begun }
  } catch (error) {
    if (why === undefined) logError('gateway_provider_unreachable', nameOnly(error))
    return { kind: 'failed', why: why ?? 'unreachable' }
  } finally {
    clearTimeout(timer)
    client.removeEventListener('abort', leave)
  }
}

/** Returns the name of an error without its message, because the message may contain the address of the request. */
function nameOnly(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}
