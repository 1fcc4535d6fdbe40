import type { OpenMonetize } from '../client.ts'
import { ConfigurationError, InsufficientCreditsError, OpenMonetizeError } from '../errors.ts'
import type { TrackContext } from '../queue/queue.ts'
import type { Event, Schemas } from '../types.ts'

/**
 * The options of a wrapped client. Options that become fields of a request to the API have the names of these fields.
 */
export interface MeterOptions {
  /** The feature of the calls. Default: the provider's name in lower case. */
  readonly feature_id?: string
  readonly user_id?: string
  readonly team_id?: string
  readonly metadata?: Readonly<Record<string, unknown>>
  /**
   * The provider of the calls, for a compatible API such as GROQ behind the OpenAI client. Default: the client's
   * provider.
   */
  readonly provider?: string
  /**
   * Whether the maximum cost of a call is reserved before the provider is called. Without enough credits, the call
   * throws, unless `clip` can lower its output limit.
   */
  readonly hold?: boolean
  /**
   * Whether the output limit of a request is lowered to the number of tokens that the wallet can pay for. Requires
   * `hold`.
   */
  readonly clip?: boolean
  /** The number of output tokens for which `hold` reserves credits if a call has no output limit. Default: 4,096. */
  readonly max_output_tokens?: number
  /** The `ctx` of a Worker's request. Its `waitUntil` keeps the Worker running while the usage is sent. */
  readonly context?: TrackContext
}

/** Options, or a function that returns the options of the current call, for example from an `AsyncLocalStorage`. */
export type Metering = MeterOptions | (() => MeterOptions)

const NAMES = [
  'feature_id',
  'user_id',
  'team_id',
  'metadata',
  'provider',
  'hold',
  'clip',
  'max_output_tokens',
  'context',
]
const DEFAULT_OUTPUT_TOKENS = 4_096
const HOLD_SECONDS = 600
/** The maximum time of one attempt to create a hold, in milliseconds. */
const HOLD_TIMEOUT_MS = 5_000
/**
 * The average length of a token in characters, for estimates. A hold assumes shorter tokens, so that it reserves
 * enough.
 */
const CHARS_PER_TOKEN = 4
const CHARS_PER_HELD_TOKEN = 3
/** The maximum number of characters that an image or a file adds to an estimate. */
const MEDIA_CHARS = 4_500
const CLIP_ATTEMPTS = 3

/** A call that is not yet sent to the provider. */
export interface Call {
  /** The `provider_api` that names the format of the usage: `chat`, `responses`, `anthropic`, `gemini` … */
  readonly api: string | undefined
  readonly model: string | undefined
  /** The content that the model reads. The input tokens are estimated from it. */
  readonly input: unknown
  readonly max_output_tokens?: number | undefined
  readonly event_type?: Event['event_type']
}

export class Meter {
  readonly #om: OpenMonetize
  readonly #metering: Metering
  readonly #provider: string

  constructor(om: OpenMonetize, metering: Metering, provider: string) {
    if (typeof om?.record !== 'function')
      throw new ConfigurationError('The argument om must be an OpenMonetize client.')
    if (typeof metering !== 'function') check(metering)
    this.#om = om
    this.#metering = metering
    this.#provider = provider
  }

  /**
   * Starts the metering of a call. With the option `hold`, reserves the maximum cost of the call. Throws if the meter
   * refuses the hold. Other errors of the meter are thrown only with `onUnavailable: 'deny'`.
   */
  async begin(call: Call): Promise<MeteredCall> {
    const options = typeof this.#metering === 'function' ? check(this.#metering()) : this.#metering
    const provider = options.provider ?? this.#provider
    this.#om.assertAvailable()
    const hold = options.hold ? await this.#hold(call, provider, options) : undefined
    return new MeteredCall(this.#om, call, provider, options, hold)
  }

  async #hold(call: Call, provider: string, options: MeterOptions): Promise<Schemas['Hold'] | undefined> {
    const wanted = call.max_output_tokens ?? options.max_output_tokens ?? DEFAULT_OUTPUT_TOKENS
    const om = this.#om
    // Skips the hold while the meter is unavailable, so that the call is not delayed.
    if (om.onUnavailable !== 'deny' && om.failure && (om.failure.status === 0 || om.failure.status >= 500)) {
      return undefined
    }
    const patience = { timeoutMs: Math.min(om.timeoutMs, HOLD_TIMEOUT_MS), maxRetries: 1 }
    const create = (max_output_tokens: number) =>
      om.holds.create(
        {
          ...subjectOf(options, provider),
          provider,
          ...(call.model !== undefined && { model: call.model }),
          usage: { input_tokens: Math.ceil(charsOf(call.input) / CHARS_PER_HELD_TOKEN) },
          max_output_tokens,
          expires_in_seconds: HOLD_SECONDS,
        },
        patience,
      )
    try {
      try {
        return await create(wanted)
      } catch (error) {
        if (!options.clip || !(error instanceof InsufficientCreditsError)) throw error
        return await this.#clipped(create, wanted, error)
      }
    } catch (error) {
      if (!(error instanceof OpenMonetizeError) || isRefusal(error) || this.#om.onUnavailable === 'deny')
        throw error
      this.#om.report(error)
      return undefined
    }
  }

  /**
   * Creates a hold for about as many tokens as the wallet can pay for. Interpolates between the cost of one token and
   * the cost of `wanted` tokens. After an error, tries again with 10 % fewer tokens. Throws the error of the last
   * attempt.
   */
  async #clipped(
    create: (max_output_tokens: number) => Promise<Schemas['Hold']>,
    wanted: number,
    refused: InsufficientCreditsError,
  ): Promise<Schemas['Hold']> {
    const { required = 0, availableBalance = 0 } = refused
    const least = await create(1)
    await this.#om.holds.release(least.hold_id)
    const share = (availableBalance - least.credits) / (required - least.credits)
    let tokens = Math.max(1, Math.floor(1 + share * (wanted - 1)))
    for (let attempt = 1; ; attempt++) {
      try {
        return await create(tokens)
      } catch (error) {
        if (attempt === CLIP_ATTEMPTS || tokens === 1) throw error
        tokens = Math.max(1, Math.floor(tokens * 0.9))
      }
    }
  }
}

/** A call in progress. It collects the usage of the call and reports it once. */
export class MeteredCall {
  /**
   * The output limit that the request must have, because the hold covers no more. Undefined without `clip` or a hold.
   */
  readonly max_output_tokens: number | undefined
  model: string | undefined
  /** The `provider_api` that names the format of `response`. */
  api: string | undefined
  /** The usage and other priced fields of the provider's response, without its content. */
  response: Readonly<Record<string, unknown>> | undefined
  /** Whether the provider's numbers cover the whole call. */
  isFinal = false
  /** The number of characters that the caller has received but the provider's usage does not include yet. */
  delivered = 0
  /** Additional fields of the event, such as `image_count`. */
  extra: Partial<Event> = {}
  readonly #om: OpenMonetize
  readonly #call: Call
  readonly #provider: string
  readonly #options: MeterOptions
  readonly #hold: Schemas['Hold'] | undefined
  #extendAt: number
  #ended = false

  constructor(
    om: OpenMonetize,
    call: Call,
    provider: string,
    options: MeterOptions,
    hold: Schemas['Hold'] | undefined,
  ) {
    this.#om = om
    this.#call = call
    this.#provider = provider
    this.#options = options
    this.#hold = hold
    this.#extendAt = Date.now() + HOLD_SECONDS * 500
    this.max_output_tokens = options.clip ? hold?.max_output_tokens : undefined
    this.model = call.model
    this.api = call.api
  }

  /** Records the length of received output. Extends the hold of a long stream. */
  progress(characters: number): void {
    this.delivered += characters
    if (!this.#hold || Date.now() < this.#extendAt) return
    this.#extendAt = Date.now() + HOLD_SECONDS * 500
    this.#om.holds
      .extend(this.#hold.hold_id, { expires_in_seconds: HOLD_SECONDS })
      .catch((error) => this.#om.report(error))
  }

  /**
   * Ends a call, with or without an error, and reports its usage. Estimates usage that the provider has not reported,
   * and marks the event as estimated. If there is no output and no usage, reports nothing and releases the hold.
   */
  end(): void {
    if (this.#ended) return
    if (!this.isFinal && !this.response && this.delivered === 0) {
      this.fail()
      return
    }
    this.#ended = true
    const { metadata } = this.#options
    const { event_type = 'TOKEN_USAGE' } = this.#call
    const { api } = this
    this.#om.record(
      {
        event_type,
        ...subjectOf(this.#options, this.#provider),
        provider: this.#provider,
        ...(this.model !== undefined && { model: this.model }),
        ...(this.response && { provider_response: this.response, ...(api && { provider_api: api }) }),
        ...(this.isFinal ? this.extra : this.#estimate()),
        ...(this.#hold && { hold_id: this.#hold.hold_id }),
        metadata: { ...metadata, ...(!this.isFinal && { estimated: true }) },
      },
      this.#options.context,
    )
  }

  /** Ends a call that cost nothing, and releases its hold. */
  fail(): void {
    if (this.#ended) return
    this.#ended = true
    if (!this.#hold) return
    const released = this.#om.holds.release(this.#hold.hold_id).then(
      () => undefined,
      (error) => this.#om.report(error),
    )
    this.#options.context?.waitUntil(released)
  }

  /** Returns an estimate of the usage that the provider has not reported. */
  #estimate(): Partial<Event> {
    const output_tokens = Math.ceil(this.delivered / CHARS_PER_TOKEN)
    // If a stream is not finished, its last usage covers all input, but not all output.
    if (this.response) return this.delivered > 0 ? { output_tokens } : {}
    return { input_tokens: Math.ceil(charsOf(this.#call.input) / CHARS_PER_TOKEN), output_tokens }
  }
}

function check(options: MeterOptions): MeterOptions {
  if (typeof options !== 'object' || options === null)
    throw new ConfigurationError('The options must be an object.')
  const unknown = Object.keys(options).find((name) => !NAMES.includes(name))
  if (unknown !== undefined)
    throw new ConfigurationError(`Unknown option ${unknown}. Known: ${NAMES.join(', ')}.`)
  return options
}

/** Reports whether the meter refuses the call. The wrappers treat all other errors as failures of the meter. */
function isRefusal({ status, code }: OpenMonetizeError): boolean {
  return status === 402 || code === 'feature_not_allowed' || code === 'customer_suspended'
}

function subjectOf({ feature_id, user_id, team_id }: MeterOptions, provider: string) {
  return {
    feature_id: feature_id ?? provider.toLowerCase(),
    ...(user_id !== undefined && { user_id }),
    ...(team_id !== undefined && { team_id }),
  }
}

const NOT_TEXT = [
  'role',
  'type',
  'id',
  'model',
  'object',
  'signature',
  'finish_reason',
  'finishReason',
  'status',
]
const MEDIA = ['data', 'url', 'image_url', 'file_data', 'b64_json']

/**
 * Returns the number of characters of the texts in a value. Skips the texts of the fields in `NOT_TEXT`. A media part
 * counts at most `MEDIA_CHARS`.
 */
export function charsOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 0
  let sum = 0
  for (const [key, part] of Object.entries(value)) {
    if (typeof part === 'string' && MEDIA.includes(key)) sum += Math.min(part.length, MEDIA_CHARS)
    else if (!NOT_TEXT.includes(key) || typeof part !== 'string') sum += charsOf(part)
  }
  return sum
}

export type Json = Readonly<Record<string, unknown>>

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Returns the named fields that a body has. */
export function pick(body: Json, names: readonly string[]): Json {
  return Object.fromEntries(names.filter((name) => body[name] != null).map((name) => [name, body[name]]))
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}
