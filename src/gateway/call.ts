import type { Context } from 'hono'
import { planCall } from '../gateway-routes/plan.ts'
import type { AppEnv } from '../http/env.ts'
import { fingerprintOf } from '../http/input/fingerprint.ts'
import { LARGE_BYTES, roomFor } from '../http/middleware/large-bodies.ts'
import { invalidRequest, problem, refusalResponse } from '../http/output/problem.ts'
import type { Refused } from '../ledger/model/refusal.ts'
import { resolveUpstream, type UpstreamFound } from '../provider-keys/upstream.ts'
import { type Attempt, type RelayedBody, relayAnswer } from './attempts.ts'
import { decodedPath, endpointOf, type MeteredEndpoint, type Target } from './dialect.ts'
import type { Target as FallbackTarget } from './fallback.ts'
import { type CallHold, holdCall } from './hold.ts'
import { type BodyProblem, declaredLength, type JsonBody, readJsonBody } from './request/body.ts'
import { type CallRequest, callOfUpload, type ReadCall, readCall } from './request/call-request.ts'
import { estimateInput, type InputEstimate } from './request/estimate.ts'
import type { MeterHeaders } from './request/headers.ts'
import { limitsAt } from './request/limits.ts'
import { withMember } from './request/members.ts'
import {
  type Cached,
  type CallPrices,
  type Pricing,
  pricesOfCall,
  pricesOfTranscription,
} from './request/prices.ts'
import { readUpload } from './request/upload.ts'
import { upstreamHeaders, upstreamQuery, upstreamUrl } from './upstream.ts'

/**
 * Makes a metered call. Places a hold on credits before anything is sent to the provider, relays the response, and
 * settles the hold. The gateway calls the ledger object twice. For a stream, a slow response or a further attempt, it
 * calls the ledger object more often.
 */
export async function meteredCall(
  c: Context<AppEnv>,
  target: Target,
  endpoint: MeteredEndpoint,
  meter: MeterHeaders,
): Promise<Response> {
  if (endpoint.api === 'transcriptions') return uploadedCall(c, target, endpoint, meter)
  let room = await roomFor(Math.min(declaredLength(c.req.raw.headers) ?? 0, LARGEST_PLACE))
  if (!room) return refusalResponse(c, { code: 'overloaded' })
  // A body without a declared length needs memory once it becomes large: the maximum, until its length is known.
  const wait = async () => {
    room = await roomFor(LARGEST_PLACE)
    return room !== undefined
  }
  try {
    const body = await readJsonBody(c.req.raw, { bytes: LARGE_BYTES, wait })
    if (!room) return refusalResponse(c, { code: 'overloaded' })
    if (body.kind !== 'json') return bodyProblem(c, body)
    room.shrinkTo(body.bytes.length)
    const read = readCall(endpoint, body.value)
    if (read.kind === 'invalid') return invalidBody(c, read)
    const { call } = read
    const estimated = (value: JsonBody['value']) =>
      estimateInput(target.dialect, value, { text: body.text, bytes: body.bytes.length })
    const input = estimated(body.value)
    const inputOf = ({ model }: CallRequest) =>
      model === call.model ? input : estimated({ ...body.value, model })
    return await heldCall(
      c,
      { target, endpoint, meter },
      {
        call,
        callWith: (model) => readCall({ ...endpoint, model }, { ...body.value, model }),
        inputOf,
        prices: (pricing) =>
          pricesOfCall(pricing, inputOf(pricing.call), cachedBy(body.text, pricing.provider)),
        identity: body.text,
        body: (pricing, { clipped_to }, model) => bodyToSend(body, pricing, { clipped_to, model }),
        repeatable: true,
      },
    )
  } finally {
    room?.leave()
  }
}

/**
 * The maximum memory that the gateway reserves for a body, in bytes. All bodies in an isolate share a limited memory. A
 * gateway body of up to 16 MB never reserves more than this maximum. The gateway needs less memory than other routes,
 * because it copies a body less often.
 */
const LARGEST_PLACE = 5 * 1024 * 1024

/**
 * Makes a call whose body is an upload. The upload is relayed to the provider while it arrives. A request that repeats
 * an idempotency key must have a body with the same declared length and the same first 64 KB. If no length is declared,
 * only the first 64 KB must be the same.
 */
async function uploadedCall(
  c: Context<AppEnv>,
  target: Target,
  endpoint: MeteredEndpoint,
  meter: MeterHeaders,
): Promise<Response> {
  const upload = await readUpload(c.req.raw)
  if ('kind' in upload) return bodyProblem(c, upload)
  const call = callOfUpload(upload)
  let refused: Refused | undefined
  return heldCall(
    c,
    { target, endpoint, meter },
    {
      call,
      callWith: () => ({ kind: 'read', call }),
      inputOf: () => ({ held: 0, likely: 0 }),
      prices: pricesOfTranscription,
      identity: `${upload.most_bytes} ${upload.head}`,
      body: (pricing, hold) =>
        upload.body(async () => {
          refused = await hold.moveTo(pricing, pricesOfTranscription)
          return !refused
        }),
      upload: {
        broken: upload.broken,
        refusal() {
          if (refused) return refusalResponse(c, refused.refusal)
          return upload.problem && bodyProblem(c, upload.problem)
        },
      },
      repeatable: false,
    },
  )
}

interface Asked {
  readonly target: Target
  readonly endpoint: MeteredEndpoint
  readonly meter: MeterHeaders
}

/** The body of a call, with the values that determine its price. */
interface Sent {
  readonly call: CallRequest
  /** Reads the values that determine the price if `model` replaces the model of the body. */
  readonly callWith: (model: string) => ReadCall
  readonly inputOf: (call: CallRequest) => InputEstimate
  readonly prices: (pricing: Pricing) => CallPrices
  /** The text that identifies the body. It must be equal in every request with the same idempotency key. */
  readonly identity: string
  /** Returns the body for the provider. If `model` is not null, it replaces the model. */
  readonly body: (pricing: Pricing, hold: CallHold, model: string | null) => BodyInit
  /** Whether the body can be sent a second time. */
  readonly repeatable: boolean
  readonly upload?: RelayedBody
}

async function heldCall(c: Context<AppEnv>, asked: Asked, sent: Sent): Promise<Response> {
  const { target, endpoint, meter } = asked
  const { call, prices, identity, repeatable } = sent
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
  const key = meter.idempotency_key
  const idempotency =
    key === undefined
      ? undefined
      : { key, fingerprint: fingerprintOf(`POST /gateway/${dialect}/${target.path}`, identity) }
  const hold = await holdCall(c, { pricing, prices, idempotency })
  if ('kind' in hold) return refusalResponse(c, hold.refusal)
  const fallback = repeatable ? planned.fallback : { ...planned.fallback, targets: [] }
  const prepare = (to: FallbackTarget) => attemptAt(c, target, sent, { own, pricing, hold }, to)
  try {
    return await relayAnswer(c, { fallback, timeouts: planned.timeouts, prepare })
  } catch (error) {
    void hold.settle(null)
    throw error
  }
}

interface Prepared {
  readonly own: UpstreamFound
  readonly pricing: Pricing
  readonly hold: CallHold
}

/**
 * Prepares the attempt at a target. Returns undefined if the provider key of the target cannot be used, or if the call
 * has no price or gets no hold at the target.
 */
async function attemptAt(
  c: Context<AppEnv>,
  target: Target,
  { call, callWith, inputOf, prices, body, upload: relayed }: Sent,
  { own, pricing: asked, hold }: Prepared,
  { provider_key, model }: FallbackTarget,
): Promise<Attempt | undefined> {
  const { dialect } = target
  const upstream =
    provider_key === null ? own : await resolveUpstream(c, { provider: dialect, name: provider_key })
  const to = withModel(target, model)
  if (!upstream.ok || !to) return undefined
  const { provider } = upstream
  const read = model === null ? undefined : callWith(model)
  if (read?.kind === 'invalid') return undefined
  const named = read?.call ?? call
  const pricing = {
    ...asked,
    provider,
    call: named.lacks_usage && REPORTS_UNASKED.has(provider) ? { ...named, lacks_usage: false } : named,
  }
  if (await hold.moveTo(pricing, prices)) return undefined
  const url = upstreamUrl(upstream.baseUrl, to)
  return {
    dialect,
    input: inputOf(pricing.call),
    url,
    headers: upstreamHeaders(dialect, url, upstream.key, c.req.raw.headers),
    body: body(pricing, hold, model),
    ...(relayed && { relayed }),
    pricing,
    hold,
  }
}

/** The providers whose streams always report the usage, and that refuse a request for the report. */
const REPORTS_UNASKED: ReadonlySet<string> = new Set(['mistral'])

/**
 * Returns the body of the client with at most three changes. A fallback can replace the model. A clipped call gets
 * lower output limits. A stream that would report no usage gets a request for the report.
 */
function bodyToSend(
  body: JsonBody,
  { call, provider }: Pricing,
  { clipped_to, model }: { readonly clipped_to: number | undefined; readonly model: string | null },
): Uint8Array | string {
  let text = body.text
  if (model !== null && typeof body.value.model === 'string') text = withMember(text, ['model'], model)
  if (clipped_to !== undefined) {
    const most = Math.max(1, Math.floor(clipped_to / call.answers))
    for (const { path, tokens } of limitsAt(provider, call)) {
      if (tokens === undefined || tokens > most) text = withMember(text, path, most)
    }
  }
  if (call.lacks_usage) text = withMember(text, ['stream_options', 'include_usage'], true)
  return text === body.text ? body.bytes : text
}

/**
 * Replaces the model in the path of a Gemini call. Returns undefined if no path of the gateway can contain the model.
 * Calls of other APIs are unchanged, because their body contains the model.
 */
function withModel(target: Target, model: string | null): Target | undefined {
  const { dialect } = target
  if (model === null || dialect !== 'google') return target
  const name = encodeURIComponent(model.replace(/^models\//, ''))
  const path = decodeURIComponent(target.path).replace(/^[^:]+/, `models/${name}`)
  const decoded = decodedPath(path)
  const isCalled = decoded !== undefined && endpointOf(dialect, 'POST', decoded) !== undefined
  return isCalled ? { ...target, path } : undefined
}

/**
 * The providers that write prompts to the cache although the request does not ask for it. Only some of their models
 * have a price for it, such as gpt-5.6 and later models.
 */
const WRITE_UNASKED: ReadonlySet<string> = new Set(['openai', 'azure'])

function cachedBy(text: string, provider: string): Cached {
  if (!text.includes('"cache_control"')) return WRITE_UNASKED.has(provider) ? '5m' : 'none'
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
        detail: 'The body is larger than the limit of 16 MB for JSON or 25 MB for an upload.',
      })
    case 'not_json':
      return problem(c, { code: 'invalid_json', detail: 'The body is not valid JSON in UTF-8.' })
    case 'unsupported':
      return problem(c, {
        code: 'unsupported_media_type',
        detail:
          'Send the body as application/json, or an audio upload as multipart/form-data, without a Content-Encoding.',
      })
    case 'invalid':
      if (found.error.path !== '') return invalidBody(c, found.error)
      return invalidRequest(c, `The body ${found.error.message}.`, [found.error])
  }
}
