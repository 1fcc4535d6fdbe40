import type { Context } from 'hono'
import { configOf, type GatewayConfig } from '../config.ts'
import type { AppEnv } from '../http/env.ts'
import { problem, refusalResponse } from '../http/output/problem.ts'
import { readUpTo } from '../http/read-up-to.ts'
import { noteCall } from '../ledger/client/client.ts'
import type { SettledCall } from '../ledger/model/messages/calls.ts'
import type { PricedEvent } from '../ledger/model/vocabulary.ts'
import { logError, logFailure } from '../logging/log.ts'
import { formatCredits } from '../pricing/money.ts'
import type { Dialect } from '../provider-keys/providers.ts'
import { chargeOf, type HeldCall, type HoldPlace, type Used } from './settlement.ts'
import type { CallTimer } from './stream/call-timer.ts'
import { deliveredTokens, NOTHING } from './stream/delivered.ts'
import { type Ending, relay } from './stream/relay.ts'
import { type ResponseFormat, ResponseReader, usageIn } from './stream/response-reader.ts'
import { isReadable, returnedHeaders, UNREADABLE } from './upstream.ts'

/**
 * The usage of a call whose client disconnected after the request was sent, and before the gateway had read the
 * response. The call is charged by an estimate from its request, because the provider has possibly received the request.
 */
const UNANSWERED: Used = {
  reported: undefined,
  complete: false,
  delivered: NOTHING,
  model: undefined,
  refused: false,
  why: 'client_gone',
}

/**
 * Relays the response to the last attempt that was sent, or returns a problem if this attempt failed. Always settles
 * the hold.
 */
export function relayed(
  c: Context<AppEnv>,
  held: HeldCall,
  limits: Limits,
  {
    sent,
    provider,
    timer,
    dialect,
  }: {
    readonly sent: Sent
    readonly provider: AbortController
    readonly timer: CallTimer
    readonly dialect: Dialect
  },
): Response | Promise<Response> {
  if (sent.kind === 'failed') {
    const { why } = sent
    void held.settle(why === 'client_gone' ? chargeOf(held, UNANSWERED) : null)
    return failure(c, why)
  }
  if (sent.kind === 'refused') {
    void held.settle(null)
    return sent.refusal
  }
  const { response, body } = sent
  if (!isReadable(response.headers)) {
    provider.abort()
    void held.settle(null)
    return problem(c, UNREADABLE)
  }
  if (!response.ok || body === null) {
    void held.settle(null)
    return new Response(body, { status: response.status, headers: returnedHeaders(response.headers) })
  }
  const { call, endpoint } = held.pricing
  const type = response.headers.get('Content-Type') ?? ''
  const format = { api: endpoint.api, dialect, type, cuts: call.lacks_usage, upload: call.upload }
  const answer = { response, body, provider, timer, format }
  if (type.includes('text/event-stream') || call.stream || endpoint.api === 'speech') {
    return streamed(c, held, limits, answer)
  }
  return whole(c, held, limits, answer)
}

export type Limits = Omit<GatewayConfig, 'hold_ms'>

/** `not_sent`: the client disconnected before the request was sent, for example in the pause before an attempt. */
type Failed = 'client_gone' | 'not_sent' | 'unreachable' | 'timeout' | 'first_chunk_timeout'

export type Sent =
  | {
      readonly kind: 'answered'
      readonly response: Response
      /**
       * The body of the response. If the first chunk has already been read, the body is a new stream that begins with
       * this chunk.
       */
      readonly body: ReadableStream<Uint8Array> | null
    }
  | { readonly kind: 'failed'; readonly why: Failed }
  /** The gateway refused the client's body while it was relayed. The provider did not get the whole body. */
  | { readonly kind: 'refused'; readonly refusal: Response }

function failure(c: Context<AppEnv>, why: Failed): Response {
  if (why === 'timeout' || why === 'first_chunk_timeout') {
    return problem(c, {
      code: 'provider_timeout',
      detail:
        'The provider did not respond in time. Nothing is charged here, but the provider might charge for the call.',
    })
  }
  return problem(c, {
    code: 'provider_unreachable',
    detail:
      'The provider could not be reached, or its response could not be read completely. Nothing is charged here, but the provider might charge for the call.',
  })
}

interface Answer {
  readonly response: Response
  readonly body: ReadableStream<Uint8Array>
  readonly provider: AbortController
  readonly timer: CallTimer
  readonly format: ResponseFormat
}

/**
 * Relays a stream. The response has no headers with the charge, because the charge is known only at the end of the
 * stream.
 */
function streamed(
  c: Context<AppEnv>,
  held: HeldCall,
  { first_chunk_timeout_ms, idle_timeout_ms, client_timeout_ms }: Limits,
  { response, body, provider, timer, format }: Answer,
): Response {
  const { meter, call } = held.pricing
  const { hold_ms } = configOf(c.env).gateway
  const reader = new ResponseReader(format)
  let noted: { readonly at_ms: number; readonly tokens: number } | undefined
  const note = () => {
    const tokens = deliveredTokens(reader.delivered, call.media)
    const at_ms = Date.now()
    if (noted && tokens < 2 * noted.tokens + NOTED_TOKENS && at_ms - noted.at_ms < hold_ms / 3) return
    noted = { at_ms, tokens }
    const charge = chargeOf(held, { ...reader.used(), complete: false, why: 'running' })
    if (!charge) return
    timer.extended()
    c.executionCtx.waitUntil(noteUse(held, charge.event, hold_ms))
  }
  const stream = relay(body, {
    pass: (chunk) => reader.pass(chunk),
    end: () => reader.end(),
    onChunk: note,
    async onEnd(ending: Ending) {
      if (ending !== 'done') reader.interrupt()
      const charge = chargeOf(held, { ...reader.used(), why: ending === 'done' ? undefined : ending })
      const settling = held.settle(charge)
      const { missing } = reader
      if (!charge || ending !== 'done' || !meter.trailer || missing === undefined) return undefined
      const answer = await settling
      return answer && new TextEncoder().encode(missing + trailerOf(answer))
    },
    cancel: () => provider.abort(),
    drain: meter.drain,
    timer,
    first_chunk_timeout_ms,
    idle_timeout_ms,
    client_timeout_ms,
    client: c.req.raw.signal,
  })
  return new Response(stream, { status: response.status, headers: returnedHeaders(response.headers) })
}

/**
 * A constant in the rule for notes. A note stores the charge so far of a running call. The first chunk of a stream
 * causes the first note. A later chunk causes a new note if the number of delivered tokens has reached twice the number
 * in the last note plus this constant, or if a third of the hold's lifetime has passed since the last note.
 */
const NOTED_TOKENS = 64

/**
 * Extends the hold of a running call and stores `event` in the ledger as the note of the call. If the hold expires, the
 * note is charged. If `event` is null, the earlier note is kept. Never throws.
 */
export async function noteUse(
  { env, ledger, hold }: HoldPlace,
  event: PricedEvent | null,
  lifetime_ms: number,
): Promise<void> {
  try {
    const result = await noteCall(env, ledger, { hold, event, lifetime_ms })
    // A note can arrive after the settlement of its call. The call then needs no note.
    if (result.kind === 'refused' && result.refusal.code !== 'hold_not_open') {
      logFailure('gateway_call_not_noted', { ...ledger, code: result.refusal.code })
    }
  } catch (error) {
    logError('gateway_call_not_noted', error, { ...ledger })
  }
}

/** Reads a whole response, settles the hold, and returns the response with headers that contain the charge. */
async function whole(
  c: Context<AppEnv>,
  held: HeldCall,
  { headers_timeout_ms }: Limits,
  { response, body, provider, timer, format }: Answer,
): Promise<Response> {
  const client = c.req.raw.signal
  const leave = () => provider.abort()
  client.addEventListener('abort', leave)
  timer.start(headers_timeout_ms, leave)
  let bytes: Uint8Array
  try {
    bytes = await readWhole(body)
  } catch {
    const why = client.aborted ? 'client_gone' : 'unreachable'
    void held.settle(client.aborted ? chargeOf(held, UNANSWERED) : null)
    return failure(c, why)
  } finally {
    timer.stop()
    client.removeEventListener('abort', leave)
  }
  const charge = chargeOf(held, { ...usageIn(format, bytes), why: undefined })
  const answer = await held.settle(charge, true)
  // If the settlement of a charge fails, the response is not delivered.
  if (charge && !answer) return refusalResponse(c, { code: 'unavailable' })
  const headers = returnedHeaders(response.headers)
  for (const [name, value] of charge && answer ? meterHeaders(answer) : []) headers.set(name, value)
  return new Response(bytes, { status: response.status, headers })
}

/** The maximum size of a response that is not a stream, in bytes. A response with ten images is smaller. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

async function readWhole(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const bytes = await readUpTo(body, MAX_ANSWER_BYTES)
  if (!bytes) throw new Error(`the response has more than ${MAX_ANSWER_BYTES} bytes`)
  return bytes
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

/** Returns the headers with the charge as comments of an event stream. Clients ignore comments in event streams. */
function trailerOf(answer: SettledCall): string {
  return `${meterHeaders(answer)
    .map(([name, value]) => `: ${name}: ${value}\n`)
    .join('')}\n`
}
