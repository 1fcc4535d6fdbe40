/**
 * Decides whether a call has another attempt after an outcome, and at which target. All functions are pure. A call
 * without a fallback has one attempt. After the first byte of a response is delivered, there is no further attempt. All
 * attempts use the same API, so bodies are not translated. A target can replace only the model of the call. This file
 * also parses the header `X-Meter-Fallback` and selects the stored route of a call.
 */

/** The target of a further attempt: a provider key and a model. */
export interface Target {
  /** The name of a stored provider key; null for the key and the URL of the call. */
  readonly provider_key: string | null
  /** The model that replaces the model of the call; null if it is not replaced. */
  readonly model: string | null
}

/**
 * The action after an ambiguous attempt, for which the provider possibly charges. With `next`, another attempt is made,
 * and the provider can charge for both. With `stop`, the call ends.
 */
export type OnAmbiguous = 'next' | 'stop'

export interface Fallback {
  /** The targets of the attempts after the first one, in order; at most `MAX_TARGETS`. */
  readonly targets: readonly Target[]
  readonly on_ambiguous: OnAmbiguous
}

export const MAX_TARGETS = 3
/** The target of the first attempt: the key, the URL and the model of the call. */
export const OWN: Target = { provider_key: null, model: null }

/** The outcome of an attempt from which no byte was delivered to the client. */
export type Ending =
  /** The provider responded with the status `status`, and possibly requested a pause before the next attempt. */
  | { readonly kind: 'status'; readonly status: number; readonly retry_after_ms?: number | undefined }
  /**
   * Nothing was sent, because the provider key cannot be used, or because the call has no price or gets no hold at the
   * target.
   */
  | { readonly kind: 'not_sent' }
  /** The connection failed. The provider has possibly received the request. */
  | { readonly kind: 'lost' }
  /** The provider did not send the headers or the first chunk of its response within the time limit. */
  | { readonly kind: 'timeout'; readonly of: 'headers' | 'first_chunk' }
  /** The client disconnected. */
  | { readonly kind: 'client_gone' }

/**
 * The verdict on an attempt:
 * - `accepted`: the response to the attempt is relayed to the client. It can be an error that every attempt would get.
 * - `refused`: the provider did no work and does not charge.
 * - `ambiguous`: it is unknown whether the provider did the work and charges for it.
 * - `abandoned`: the client disconnected.
 */
export type Verdict = 'accepted' | 'refused' | 'ambiguous' | 'abandoned'

/** The statuses of temporary errors. 529 is the status "overloaded" of Anthropic. */
const TRANSIENT: ReadonlySet<number> = new Set([408, 409, 425, 429, 500, 502, 503, 529])
/** The statuses of errors that are caused by the key, the account or the model. Another target can succeed. */
const OF_THE_TARGET: ReadonlySet<number> = new Set([401, 402, 403, 404])
/** The statuses of a proxy that has timed out: 504, and 522 and 524 of Cloudflare. */
const PROXY_TIMEOUTS: ReadonlySet<number> = new Set([504, 522, 524])

export function verdictOf(ending: Ending): Verdict {
  switch (ending.kind) {
    case 'client_gone':
      return 'abandoned'
    case 'not_sent':
      return 'refused'
    case 'lost':
    case 'timeout':
      return 'ambiguous'
    case 'status':
      return verdictOfStatus(ending.status)
  }
}

function verdictOfStatus(status: number): Verdict {
  if (PROXY_TIMEOUTS.has(status)) return 'ambiguous'
  const is_refused = TRANSIENT.has(status) || OF_THE_TARGET.has(status) || status >= 500
  return is_refused ? 'refused' : 'accepted'
}

export interface Attempt {
  /**
   * The position of the attempt: 0 for the first attempt, 1 for the attempt at the first target, 2 for the second
   * target, and so on.
   */
  readonly place: number
  readonly target: Target
}

/** An attempt and its outcome. */
export interface Made extends Attempt {
  readonly ending: Ending
}

export interface Next extends Attempt {
  /** The pause before the attempt, in milliseconds. */
  readonly delay_ms: number
}

/**
 * The maximum pause before an attempt. If a provider requests a longer pause, there is no further attempt at the same
 * target.
 */
export const MAX_DELAY_MS = 2_000
const FIRST_DELAY_MS = 250

/**
 * Returns the next attempt; undefined if the call ends after the attempts in `made`. Skips the targets for which
 * `delayBefore` returns undefined. `random` is a random number from 0 to 1. It varies the pause before another attempt
 * at the same target.
 */
export function nextAttempt(
  { targets, on_ambiguous }: Fallback,
  made: readonly Made[],
  random: number,
): Next | undefined {
  const last = made.at(-1)
  if (!last) return { place: 0, target: OWN, delay_ms: 0 }
  const verdict = verdictOf(last.ending)
  if (verdict === 'accepted' || verdict === 'abandoned') return undefined
  if (verdict === 'ambiguous' && on_ambiguous === 'stop') return undefined
  for (const [index, target] of targets.entries()) {
    if (index < last.place) continue
    const delay_ms = delayBefore(target, made, random)
    if (delay_ms !== undefined) return { place: index + 1, target, delay_ms }
  }
  return undefined
}

/**
 * Returns the pause before an attempt at a target, in milliseconds. Returns undefined if the target would fail again,
 * or if its provider requests a pause that is longer than `MAX_DELAY_MS`.
 */
function delayBefore(target: Target, made: readonly Made[], random: number): number | undefined {
  const before = made.filter((attempt) => isSame(attempt.target, target))
  const last = before.at(-1)?.ending
  if (!last) return 0
  if (last.kind === 'not_sent') return undefined
  if (last.kind === 'status' && OF_THE_TARGET.has(last.status)) return undefined
  const asked_ms = last.kind === 'status' ? (last.retry_after_ms ?? 0) : 0
  if (asked_ms > MAX_DELAY_MS) return undefined
  const backoff_ms = FIRST_DELAY_MS * 2 ** (before.length - 1) * (0.5 + random / 2)
  return Math.min(MAX_DELAY_MS, Math.max(asked_ms, Math.round(backoff_ms)))
}

function isSame(a: Target, b: Target): boolean {
  return a.provider_key === b.provider_key && a.model === b.model
}

/** The parsed header `X-Meter-Fallback`. */
export type FallbackHeader =
  | { readonly kind: 'off' }
  | { readonly kind: 'fallback'; readonly fallback: Fallback }
  /** The error text without its subject, for example `must …`. The name of the header precedes it. */
  | { readonly kind: 'invalid'; readonly message: string }

const MAX_HEADER_CHARS = 1_024
const MAX_NAME_CHARS = 255
/** The pattern of a token or a string of RFC 9651. An item consists of a token or a string, and optional parameters. */
const NAME = String.raw`([A-Za-z*][\w!#$%&'*+.^|~:/-]*|"(?:[^"\\]|\\["\\])*")`
const ITEM = new RegExp(String.raw`^${NAME}((?:;\s*[a-z_]+=${NAME})*)$`)
const PARAMETER = new RegExp(String.raw`;\s*([a-z_]+)=${NAME}`, 'g')
/** The pattern of a comma that is not in a string. */
const COMMAS = /,(?=(?:[^"\\]|\\.|"(?:[^"\\]|\\.)*")*$)/

/**
 * Parses the header `X-Meter-Fallback`, which is a list of RFC 9651. Each item is the name of a stored provider key, or
 * the token `retry`, which means the key of the call. An item can have the parameter `model`. A name with characters
 * that a token cannot have must be a string: `"My key";model="llama-3.3-70b"`. The header `off` means that the call has
 * only one attempt.
 */
export function parseFallback(text: string): FallbackHeader {
  if (text.length > MAX_HEADER_CHARS) return invalid(`must have at most ${MAX_HEADER_CHARS} characters`)
  const items = text.split(COMMAS).map((item) => item.trim())
  if (items.length === 1 && items[0] === 'off') return { kind: 'off' }
  if (items.length > MAX_TARGETS) return invalid(`must name at most ${MAX_TARGETS} attempts`)
  const targets: Target[] = []
  for (const item of items) {
    const target = targetOf(item)
    if (!target) {
      return invalid('must be off, or a list of attempts such as retry, "Backup";model="gpt-4o"')
    }
    targets.push(target)
  }
  return { kind: 'fallback', fallback: { targets, on_ambiguous: 'next' } }
}

function targetOf(item: string): Target | undefined {
  const [, name = '', parameters = ''] = ITEM.exec(item) ?? []
  const key = textOf(name)
  if (key === '' || key.length > MAX_NAME_CHARS || name === 'off') return undefined
  let model: string | null = null
  for (const [, parameter, value = ''] of parameters.matchAll(PARAMETER)) {
    if (parameter !== 'model' || model !== null) return undefined
    model = textOf(value)
    if (model === '' || model.length > MAX_NAME_CHARS) return undefined
  }
  return { provider_key: name === 'retry' ? null : key, model }
}

function textOf(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll(/\\(["\\])/g, '$1') : name
}

function invalid(message: string): FallbackHeader {
  return { kind: 'invalid', message }
}

/**
 * The fields of a stored route that decide whether it applies to a call. `model` is a name, a prefix followed by `*`,
 * or `*`.
 */
interface Matching {
  readonly api: string
  readonly model: string
  readonly enabled: boolean
}

/**
 * Returns the enabled route for an API and a model; undefined if no route matches. An exact model name precedes a
 * prefix, and a longer prefix precedes a shorter one.
 */
export function routeFor<R extends Matching>(
  routes: readonly R[],
  api: string,
  model: string,
): R | undefined {
  let best: R | undefined
  for (const route of routes) {
    if (!route.enabled || route.api !== api || !fits(route.model, model)) continue
    if (!best || precision(route.model) > precision(best.model)) best = route
  }
  return best
}

function fits(pattern: string, model: string): boolean {
  return pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : model === pattern
}

function precision(pattern: string): number {
  return pattern.endsWith('*') ? pattern.length : Number.POSITIVE_INFINITY
}
