/**
 * Plans the attempts of a call: their order, and whether an outcome leads to another attempt. The functions are pure.
 * Without a plan there is one attempt. No attempt follows after the first byte of an answer was delivered. All
 * attempts use the API of the call. Bodies are not translated. A target can replace only the model in the body.
 */

/** A further attempt. */
export interface Target {
  /** The name of a stored provider key; null for the key and the URL of the call. */
  readonly provider_key: string | null
  /** The model; null for the model of the call. */
  readonly model: string | null
}

/**
 * The action after an attempt that may have had an effect at the provider. With `next`, another attempt follows, and
 * both may cost money.
 */
export type OnAmbiguous = 'next' | 'stop'

export interface Fallback {
  /** The attempts after the first one, in order; at most `MAX_TARGETS`. */
  readonly targets: readonly Target[]
  readonly on_ambiguous: OnAmbiguous
}

export const MAX_TARGETS = 3
/** The target of the first attempt: the key, the URL and the model of the call. */
export const OWN: Target = { provider_key: null, model: null }

/** The way in which an attempt ended before a byte of its answer was delivered. */
export type Ending =
  /** The provider answered with this status. */
  | { readonly kind: 'status'; readonly status: number; readonly retry_after_s?: number | undefined }
  /** Nothing was sent, because the key does not exist, or its address is refused or not resolved. */
  | { readonly kind: 'not_sent' }
  /** The connection failed after the request may have been sent. */
  | { readonly kind: 'lost' }
  /** The provider did not send its headers, or the first chunk of its answer, within the time limit. */
  | { readonly kind: 'timeout'; readonly of: 'headers' | 'first_chunk' }
  /** The client disconnected. */
  | { readonly kind: 'client_gone' }

/**
 * The verdict on an attempt:
 * - `accepted`: its answer is the answer of the call, even if it is an error that every attempt would get;
 * - `refused`: the provider did no work, which costs nothing;
 * - `ambiguous`: the provider may have worked, and may charge for it;
 * - `abandoned`: the client has disconnected.
 */
export type Verdict = 'accepted' | 'refused' | 'ambiguous' | 'abandoned'

/** Temporary errors. 529 is Anthropic's "overloaded". */
const TRANSIENT: ReadonlySet<number> = new Set([408, 409, 425, 429, 500, 502, 503, 529])
/** Errors of the key, the account or the model, which another target may not have. */
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
  /** The position of the attempt: 0 for the first one, and then the number of the target, starting at 1. */
  readonly place: number
  readonly target: Target
}

/** An attempt and how it ended. */
export interface Made extends Attempt {
  readonly ending: Ending
}

export interface Next extends Attempt {
  /** The pause before the attempt. */
  readonly delay_ms: number
}

/** The longest pause. A target is not attempted again if its provider requests a longer pause. */
export const MAX_DELAY_MS = 2_000
const FIRST_DELAY_MS = 250

/**
 * Returns the next attempt, or undefined if the call ends with the last one. Skips targets that would fail again.
 * `random` is a number from 0 to 1 that varies the pause before another attempt at the same target.
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
 * Returns the delay before an attempt; undefined if the target would fail again, or if its provider requests a pause
 * longer than `MAX_DELAY_MS`.
 */
function delayBefore(target: Target, made: readonly Made[], random: number): number | undefined {
  const before = made.filter((attempt) => isSame(attempt.target, target))
  const last = before.at(-1)?.ending
  if (!last) return 0
  if (last.kind === 'not_sent') return undefined
  if (last.kind === 'status' && OF_THE_TARGET.has(last.status)) return undefined
  const asked_ms = last.kind === 'status' ? (last.retry_after_s ?? 0) * 1_000 : 0
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
  /** The fault, which follows the name of the header in a sentence: `must …`. */
  | { readonly kind: 'invalid'; readonly message: string }

const MAX_HEADER_CHARS = 1_024
const MAX_NAME_CHARS = 255
/** A token or a string of RFC 9651. In an item, parameters may follow it. */
const NAME = String.raw`([A-Za-z*][\w!#$%&'*+.^|~:/-]*|"(?:[^"\\]|\\["\\])*")`
const ITEM = new RegExp(String.raw`^${NAME}((?:;\s*[a-z_]+=${NAME})*)$`)
const PARAMETER = new RegExp(String.raw`;\s*([a-z_]+)=${NAME}`, 'g')
/** Matches commas outside of strings. */
const COMMAS = /,(?=(?:[^"\\]|\\.|"(?:[^"\\]|\\.)*")*$)/

/**
 * Reads the header as a list of RFC 9651. Each item is the name of a stored provider key, or the token `retry` for
 * the key of the call. An item may have the parameter `model`. The token `off` alone disables the stored route for
 * the call. A name is sent as a string if it has characters that a token cannot have: `"My
 * key";model="llama-3.3-70b"`.
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
      return invalid('must be off, or a list of provider keys such as retry, "Backup";model="gpt-4o"')
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

/** The fields that select a stored route. `model` is a name, a prefix followed by `*`, or `*`. */
interface Matching {
  readonly api: string
  readonly model: string
  readonly enabled: boolean
}

/** Returns the enabled route that best matches an API and a model: an exact name first, then the longest prefix. */
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
