import type { Context } from 'hono'
import { configOf } from '../config.ts'
import { planCall } from '../gateway-routes/plan.ts'
import { callerOf, ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { fingerprintOf } from '../http/input/fingerprint.ts'
import { roomFor } from '../http/middleware/large-bodies.ts'
import { invalidRequest, problem, refusalResponse } from '../http/output/problem.ts'
import { openCall } from '../ledger/client/client.ts'
import type { CallAnswer } from '../ledger/model/messages/calls.ts'
import { resolveUpstream } from '../provider-keys/upstream.ts'
import { type Attempt, relayAnswer } from './attempts.ts'
import type { MeteredEndpoint, Target } from './dialect.ts'
import type { Target as FallbackTarget } from './fallback.ts'
import { type BodyProblem, type JsonBody, readJsonBody } from './request/body.ts'
import { type CallRequest, callOfUpload, readCall } from './request/call-request.ts'
import { estimateInput, type InputEstimate } from './request/estimate.ts'
import type { MeterHeaders } from './request/headers.ts'
import { withMember } from './request/members.ts'
import { readUpload } from './request/multipart.ts'
import {
  type Cached,
  type CallPrices,
  type Pricing,
  pricesOfCall,
  pricesOfTranscription,
} from './request/prices.ts'
import { type Charge, type HeldCall, settled } from './settlement.ts'
import { upstreamHeaders, upstreamQuery, upstreamUrl } from './upstream.ts'

/**
 * A metered call: holds credits before anything is sent to the provider, relays the answer, and settles. Two calls of
 * the ledger object.
 */
export async function meteredCall(
  c: Context<AppEnv>,
  target: Target,
  endpoint: MeteredEndpoint,
  meter: MeterHeaders,
): Promise<Response> {
  if (endpoint.api === 'transcriptions') return uploadedCall(c, target, endpoint, meter)
  const room = await roomFor(Math.min(Number(c.req.header('Content-Length') ?? 0), LARGEST_PLACE))
  if (!room) return refusalResponse(c, { code: 'overloaded' })
  try {
    const body = await readJsonBody(c.req.raw)
    if (body.kind !== 'json') return bodyProblem(c, body)
    const read = readCall(endpoint, body.value)
    if (read.kind === 'invalid') return invalidBody(c, read)
    const { call } = read
    const input = estimateInput(target.dialect, body.value, { text: body.text, bytes: body.bytes.length })
    return await heldCall(
      c,
      { target, endpoint, meter },
      {
        call,
        input,
        prices: (pricing) => pricesOfCall(pricing, input, cachedBy(body.text)),
        identity: body.text,
        body: (clipped_to, model) => bodyToSend(body, call, clipped_to, model),
        repeatable: true,
      },
    )
  } finally {
    room.leave()
  }
}

/** A body of 16 MB may use the memory for 5 MB that the isolate's bodies share: bodies here are not copied ten times. */
const LARGEST_PLACE = 5 * 1024 * 1024

/**
 * Makes a call whose body is an upload, which is relayed while it arrives. The idempotency key compares its length and
 * its first 64 KB.
 */
async function uploadedCall(
  c: Context<AppEnv>,
  target: Target,
  endpoint: MeteredEndpoint,
  meter: MeterHeaders,
): Promise<Response> {
  const upload = await readUpload(c.req.raw)
  if (upload === 'too_large') return bodyProblem(c, { kind: 'too_large' })
  if (upload === 'unsupported') return bodyProblem(c, { kind: 'unsupported' })
  const call = callOfUpload(upload)
  return heldCall(
    c,
    { target, endpoint, meter },
    {
      call,
      input: { held: 0, likely: 0 },
      prices: pricesOfTranscription,
      identity: `${upload.bytes} ${upload.head}`,
      body: upload.body,
      repeatable: false,
    },
  )
}

interface Asked {
  readonly target: Target
  readonly endpoint: MeteredEndpoint
  readonly meter: MeterHeaders
}

/** A body, read as far as the price needs it. */
interface Sent {
  readonly call: CallRequest
  readonly input: InputEstimate
  readonly prices: (pricing: Pricing) => CallPrices
  /** The text that the idempotency key compares. */
  readonly identity: string
  /** Returns the body to send, with the output limit of a clipped call and the model of a fallback. */
  readonly body: (clipped_to: number | undefined, model: string | null) => BodyInit
  /** Whether the body can be sent a second time. */
  readonly repeatable: boolean
}

async function heldCall(
  c: Context<AppEnv>,
  { target, endpoint, meter }: Asked,
  { call, input, prices, identity, body, repeatable }: Sent,
): Promise<Response> {
  const { dialect } = target
  const own = await resolveUpstream(
    c,
    upstreamQuery(dialect, (name) => c.req.header(name)),
  )
  if (!own.ok) return problem(c, own.problem)
  const planned = await planCall(c, { api: dialect, model: call.model })
  if (!planned.ok) return problem(c, planned.problem)
  const { provider } = own
  const pricing: Pricing = { key: c.get('key'), book: c.get('prices'), meter, provider, endpoint, call }
  const expected = prices(pricing)
  if (expected.kind === 'refused') return refusalResponse(c, expected.refusal)
  const { idempotency_key, feature_id, user_id, team_id } = meter
  const ledger = ledgerOf(c)
  // The runtime cancels a request whose client leaves, unless `waitUntil` has a promise. This one lasts from before the
  // hold until the call is settled.
  const over = Promise.withResolvers<void>()
  c.executionCtx.waitUntil(over.promise)
  const open = ({ least, most }: AcceptedPrices) =>
    openCall(c.env, ledger, {
      caller: callerOf(c),
      feature_id,
      ...(user_id !== undefined && { user_id }),
      ...(team_id !== undefined && { team_id }),
      lifetime_ms: configOf(c.env).gateway.hold_ms,
      most,
      ...(least && { least }),
      ...(idempotency_key !== undefined && {
        idempotency: {
          key: idempotency_key,
          fingerprint: fingerprintOf(`POST /gateway/${dialect}/${target.path}`, identity),
        },
      }),
    })
  const opened = await open(expected).catch((error: unknown) => {
    over.resolve()
    throw error
  })
  if (opened.kind === 'refused') {
    over.resolve()
    return refusalResponse(c, opened.refusal)
  }
  const openedFor = (
    price: Pricing,
    { most }: AcceptedPrices,
    { hold, credits, output_tokens }: CallAnswer,
  ) => ({
    place: { env: c.env, ledger, hold, held: credits, key_id: c.get('key').key_id },
    clipped_to: meter.clip && output_tokens < (most.usage?.output_tokens ?? 0) ? output_tokens : undefined,
    priced_as: pricedAs(price),
  })
  let current = openedFor(pricing, expected, opened.answer)
  const settle = (charge: Charge | null) => settled(current.place, charge).finally(over.resolve)
  const held: HeldCall = { ...current.place, pricing, input, settle }
  // Another model or provider is admitted and held separately, like a call of its own.
  const holdFor = async (price: Pricing): Promise<boolean> => {
    if (current.priced_as === pricedAs(price)) return true
    const wanted = prices(price)
    if (wanted.kind === 'refused') return false
    await settled(current.place, null)
    current = { ...current, priced_as: '' }
    const again = await open(wanted).catch(() => undefined)
    if (again?.kind !== 'done') return false
    current = openedFor(price, wanted, again.answer)
    return true
  }
  const prepare = async ({ provider_key, model }: FallbackTarget): Promise<Attempt | undefined> => {
    const query = { provider: dialect, ...(provider_key !== null && { name: provider_key }) }
    const upstream = provider_key === null ? own : await resolveUpstream(c, query)
    if (!upstream.ok) return undefined
    const priced = {
      ...pricing,
      provider: upstream.provider,
      call: model === null ? call : { ...call, model },
    }
    if (!(await holdFor(priced))) return undefined
    const url = upstreamUrl(upstream.baseUrl, withModel(target, model))
    return {
      dialect,
      url,
      headers: upstreamHeaders(dialect, url, upstream.key, c.req.raw.headers),
      body: body(current.clipped_to, model),
      pricing: priced,
      place: current.place,
    }
  }
  const fallback = repeatable ? planned.fallback : { ...planned.fallback, targets: [] }
  try {
    return await relayAnswer(c, held, { fallback, timeouts: planned.timeouts, prepare })
  } catch (error) {
    void settle(null)
    throw error
  }
}

type AcceptedPrices = Exclude<CallPrices, { readonly kind: 'refused' }>

/** Identifies the provider and model of a call: its price and the limits that apply depend on them. */
function pricedAs({ provider, call }: Pricing): string {
  return JSON.stringify([provider, call.model])
}

/**
 * Returns the body as received, apart from the output limit of a clipped call and the usage report that a stream must
 * request.
 */
function bodyToSend(
  body: JsonBody,
  call: CallRequest,
  clipped_to: number | undefined,
  model: string | null,
): Uint8Array | string {
  let text = body.text
  if (model !== null && typeof body.value.model === 'string') text = withMember(text, ['model'], model)
  if (clipped_to !== undefined && call.limit_path) {
    text = withMember(text, call.limit_path, Math.max(1, Math.floor(clipped_to / call.answers)))
  }
  if (call.lacks_usage) text = withMember(text, ['stream_options', 'include_usage'], true)
  return text === body.text ? body.bytes : text
}

/** Gemini's path contains the model. */
function withModel(target: Target, model: string | null): Target {
  if (model === null || target.dialect !== 'google') return target
  return { ...target, path: target.path.replace(/^[^:]+/, `models/${encodeURIComponent(model)}`) }
}

function cachedBy(text: string): Cached {
  if (!text.includes('"cache_control"')) return 'none'
  return /"ttl"\s*:\s*"1h"/.test(text) ? '1h' : '5m'
}

function invalidBody(
  c: Context<AppEnv>,
  { path, message }: { readonly path: string; readonly message: string },
): Response {
  return invalidRequest(c, `The body is invalid: ${path} ${message}.`, [{ path, message }])
}

function bodyProblem(c: Context<AppEnv>, found: BodyProblem): Response {
  switch (found.kind) {
    case 'too_large':
      return problem(c, {
        code: 'body_too_large',
        detail: 'The body is larger than the limit: 16 MB of JSON, 25 MB of an upload.',
      })
    case 'not_json':
      return problem(c, { code: 'invalid_json', detail: 'The body is not valid JSON in UTF-8.' })
    case 'unsupported':
      return problem(c, {
        code: 'unsupported_media_type',
        detail:
          'Send the body as application/json, an upload of audio as multipart/form-data, without a Content-Encoding.',
      })
    case 'invalid':
      return invalidRequest(c, `The body ${found.error.message}.`, [found.error])
  }
}
