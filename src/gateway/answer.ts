import type { Context } from 'hono'
import { configOf, type GatewayConfig } from '../config.ts'
import type { AppEnv } from '../http/env.ts'
import { problem, refusalResponse } from '../http/output/problem.ts'
import { readUpTo } from '../http/read-up-to.ts'
import { noteCall } from '../ledger/client/client.ts'
import { isRecord } from '../ledger/model/json.ts'
import type { SettledCall } from '../ledger/model/messages/calls.ts'
import type { PricedEvent } from '../ledger/model/vocabulary.ts'
import { logError } from '../logging/log.ts'
import { formatCredits } from '../pricing/money.ts'
import type { Dialect } from '../provider-keys/providers.ts'
import { chargeOf, type HeldCall, type HoldPlace, type Shortened, type Used } from './settlement.ts'
import { deliveredUsage, NOTHING } from './stream/delivered.ts'
import { Elements } from './stream/elements.ts'
import { Lines } from './stream/lines.ts'
import { deliveredText, readingOf } from './stream/readings.ts'
import { type Ending, relay } from './stream/relay.ts'
import { returnedHeaders } from './upstream.ts'

/**
 * The usage of a call whose client disconnected before the answer was read. The provider has the request, so the
 * estimate of its input is charged.
 */
const UNANSWERED: Used = { reported: undefined, complete: false, delivered: NOTHING, why: 'client_gone' }

/** Relays the answer of the last attempt of a call, and always settles the hold. */
export function relayed(
  c: Context<AppEnv>,
  held: HeldCall,
  limits: Limits,
  {
    sent,
    provider,
    dialect,
  }: { readonly sent: Sent; readonly provider: AbortController; readonly dialect: Dialect | undefined },
): Response | Promise<Response> {
  if (sent.kind === 'failed') {
    const { why } = sent
    void held.settle(why === 'client_gone' ? chargeOf(held, UNANSWERED) : null)
    return failure(c, why)
  }
  const { response, body } = sent
  const type = response.headers.get('Content-Type') ?? ''
  // An HTML page is sent by a proxy between the gateway and the provider, not by the provider.
  if (!response.ok || body === null || type.includes('text/html')) {
    void held.settle(null)
    return new Response(body, { status: response.status, headers: returnedHeaders(response.headers) })
  }
  const isEvents = type.includes('text/event-stream')
  const { call, endpoint } = held.pricing
  if (isEvents || call.stream || endpoint.api === 'speech') {
    return streamed(c, held, limits, { response, body, provider, isEvents })
  }
  return whole(c, held, limits, dialect ?? 'openai', { response, body, provider })
}

export type Limits = Pick<GatewayConfig, 'headers_timeout_ms' | 'first_chunk_timeout_ms' | 'idle_timeout_ms'>

type Failed = 'client_gone' | 'unreachable' | 'timeout' | 'first_chunk_timeout' | 'not_sent'

export type Sent =
  | {
      readonly kind: 'answered'
      readonly response: Response
      /** The body of the response, or the same stream after its first chunk was read. */
      readonly body: ReadableStream<Uint8Array> | null
    }
  | { readonly kind: 'failed'; readonly why: Failed }

function failure(c: Context<AppEnv>, why: Failed): Response {
  if (why === 'timeout' || why === 'first_chunk_timeout') {
    return problem(c, {
      code: 'provider_timeout',
      detail:
        'The provider sent no answer in time. Nothing is charged here, but the provider may charge for the call.',
    })
  }
  return problem(c, {
    code: 'provider_unreachable',
    detail:
      'The provider could not be reached, or the connection failed before an answer. Nothing is charged.',
  })
}

interface Answer {
  readonly response: Response
  readonly body: ReadableStream<Uint8Array>
  readonly provider: AbortController
}

/** Relays a stream. The charge is known only at its end, so the answer has no headers with the charge. */
function streamed(
  c: Context<AppEnv>,
  held: HeldCall,
  { first_chunk_timeout_ms, idle_timeout_ms }: Limits,
  { response, body, provider, isEvents }: Answer & { readonly isEvents: boolean },
): Response {
  const { pricing } = held
  const { meter, call, endpoint } = pricing
  const { hold_ms } = configOf(c.env).gateway
  const reading = readingOf(endpoint.api)
  const parts = isEvents
    ? new Lines(reading, call.lacks_usage)
    : endpoint.api === 'speech'
      ? UNREAD
      : new Elements(reading)
  const used = (why: Shortened | undefined): Used => ({
    reported: reading.reported(),
    complete: reading.complete,
    delivered: reading.delivered,
    why,
  })
  let noted: { readonly at_ms: number; readonly tokens: number } | undefined
  const note = () => {
    const tokens = deliveredUsage(reading.delivered, call.media).output_tokens ?? 0
    const at_ms = Date.now()
    if (noted && tokens < 2 * noted.tokens + NOTED_TOKENS && at_ms - noted.at_ms < hold_ms / 3) return
    noted = { at_ms, tokens }
    const charge = chargeOf(held, { ...used('running'), complete: false })
    if (charge) c.executionCtx.waitUntil(noteUse(held, charge.event, hold_ms))
  }
  const stream = relay(body, {
    pass: (chunk) => parts.pass(chunk),
    end: () => parts.end(),
    onChunk: note,
    async onEnd(ending: Ending) {
      const charge = chargeOf(held, used(ending === 'done' ? undefined : ending))
      const settling = held.settle(charge)
      if (ending !== 'done' || !meter.trailer || !isEvents) return undefined
      const answer = await settling
      return answer && new TextEncoder().encode(trailerOf(answer))
    },
    cancel: () => provider.abort(),
    drain: meter.drain,
    first_chunk_timeout_ms,
    idle_timeout_ms,
    client: c.req.raw.signal,
  })
  return new Response(stream, { status: response.status, headers: returnedHeaders(response.headers) })
}

/** Relays speech unchanged. Audio contains no usage to extract. */
const UNREAD = { pass: (chunk: Uint8Array) => [chunk], end: () => [] }

/**
 * A note is renewed when the delivered tokens reach twice the noted tokens plus this number, or when a third of the
 * hold's time has passed since the note.
 */
const NOTED_TOKENS = 64

/**
 * Extends the hold of a running call. Notes the charge of `event`, which is charged if the hold expires. Null keeps
 * the earlier note.
 */
export async function noteUse(
  { env, ledger, hold }: HoldPlace,
  event: PricedEvent | null,
  lifetime_ms: number,
): Promise<void> {
  try {
    await noteCall(env, ledger, { hold, event, lifetime_ms })
  } catch (error) {
    logError('gateway_call_not_noted', error, { ...ledger })
  }
}

/** Reads a whole answer, settles the hold, and returns the answer with the headers of its charge. */
async function whole(
  c: Context<AppEnv>,
  held: HeldCall,
  { headers_timeout_ms }: Limits,
  dialect: Dialect,
  { response, body, provider }: Answer,
): Promise<Response> {
  const client = c.req.raw.signal
  const leave = () => provider.abort()
  client.addEventListener('abort', leave)
  const timer = setTimeout(leave, headers_timeout_ms)
  const { hold_ms } = configOf(c.env).gateway
  const extending = setInterval(() => c.executionCtx.waitUntil(noteUse(held, null, hold_ms)), hold_ms / 3)
  let bytes: Uint8Array
  try {
    bytes = await readWhole(body)
  } catch {
    const why = client.aborted ? 'client_gone' : 'unreachable'
    void held.settle(client.aborted ? chargeOf(held, UNANSWERED) : null)
    return failure(c, why)
  } finally {
    clearTimeout(timer)
    clearInterval(extending)
    client.removeEventListener('abort', leave)
  }
  const charge = chargeOf(held, usedIn(held, dialect, bytes))
  const answer = await held.settle(charge)
  // An answer that cannot be charged is not delivered.
  if (charge && !answer) return refusalResponse(c, { code: 'unavailable' })
  const headers = returnedHeaders(response.headers)
  for (const [name, value] of answer ? meterHeaders(answer) : []) headers.set(name, value)
  return new Response(bytes, { status: response.status, headers })
}

/** The maximum size of an answer that is not a stream. Ten images fit. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

async function readWhole(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const bytes = await readUpTo(body, MAX_ANSWER_BYTES)
  if (!bytes) throw new Error(`the answer has more than ${MAX_ANSWER_BYTES} bytes`)
  return bytes
}

/** Reads the usage of a whole answer. An answer without usage is estimated from its text. */
function usedIn({ pricing }: HeldCall, dialect: Dialect, bytes: Uint8Array): Used {
  const text = new TextDecoder('latin1').decode(bytes)
  const reported = parsed(text)
  const { api } = pricing.endpoint
  // An answer with images or with the duration of a transcription needs no usage.
  const complete =
    reported !== undefined &&
    (isRecord(reported.usage) ||
      isRecord(reported.usageMetadata) ||
      api === 'images' ||
      (api === 'transcriptions' && reported.duration !== undefined))
  const delivered = complete ? NOTHING : deliveredText(dialect, text)
  return { reported: complete ? reported : undefined, complete, delivered, why: undefined }
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

function meterHeaders({
  event_id,
  credits,
  balance_after,
}: SettledCall): readonly (readonly [string, string])[] {
  return [
    ...(event_id === null ? [] : [['X-Meter-Event-Id', event_id] as const]),
    ['X-Meter-Credits-Burned', formatCredits(credits)],
    ['X-Meter-Balance', formatCredits(balance_after)],
  ]
}

/** Returns the headers of the charge as comments in the event stream. Every client skips comments. */
function trailerOf(answer: SettledCall): string {
  return `${meterHeaders(answer)
    .map(([name, value]) => `: ${name}: ${value}\n`)
    .join('')}\n`
}
