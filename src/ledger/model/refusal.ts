import type { Level, LimitUnit, OffReason, RollingLength } from './limits.ts'
import type { WalletOwner } from './vocabulary.ts'

/**
 * The expected refusals of the ledger, and of the rating that precedes the ledger. A refused request makes no change of
 * its own and does not use up its idempotency key. After `unavailable`, the outcome can be unknown: the ledger might
 * have executed the request. A refusal is plain JSON in RPC. `detailOf` returns its text, and `http/output/problem.ts`
 * returns its HTTP status. Both must handle every code.
 */
export type Refusal =
  | { readonly code: 'invalid_request'; readonly detail: string; readonly errors: readonly FieldError[] }
  | { readonly code: 'customer_mismatch' }
  | { readonly code: 'unknown_provider'; readonly provider: string; readonly nearest: readonly string[] }
  | {
      readonly code: 'unpriced_model'
      readonly provider: string
      readonly model: string
      readonly nearest: readonly string[]
    }
  | {
      readonly code: 'insufficient_credits'
      readonly wallet_id: string
      /** The amounts as decimal strings of credits, because the required amount can exceed the largest balance. */
      readonly balance: string
      readonly available_balance: string
      readonly required: string
      /** The overdraft limit of the wallet; absent if it is 0. */
      readonly overdraft_limit?: string
    }
  | {
      readonly code: 'limit_reached'
      readonly feature_id: string
      readonly level: Level
      /** The API key of the limit, if `level` is `key`. */
      readonly key_id?: string
      readonly model?: string
      /** Whether the limit counts the use of all features. */
      readonly all_features?: true
      readonly unit: LimitUnit
      /** The quantities as decimal strings in the limit's unit. */
      readonly limit: string
      readonly used: string
      readonly needed: string
      /**
       * The time at which the limit resets. For a rolling limit, the time at which the oldest use leaves the window.
       * Null if there is no such time.
       */
      readonly resets_at_ms: number | null
      /** The length of the window of a rolling limit. */
      readonly rolling?: RollingLength
    }
  | { readonly code: 'feature_not_allowed'; readonly feature_id: string; readonly reason: OffReason }
  | { readonly code: 'idempotency_mismatch' }
  | {
      readonly code: 'too_many_open'
      readonly what:
        | 'lots'
        | 'holds'
        | 'recurring grants'
        | 'MB of metadata'
        | 'checkouts'
        | 'payments'
        | 'alerts'
      readonly limit: number
    }
  | { readonly code: 'conflict'; readonly detail: string }
  | { readonly code: 'already_voided' }
  /**
   * A call with this idempotency key was already opened. `event_id` is the event that was charged; null while the
   * call runs, or if the charge has no event.
   */
  | { readonly code: 'already_processed'; readonly event_id: string | null }
  | { readonly code: 'hold_not_open' }
  | { readonly code: 'not_found'; readonly detail: string }
  | { readonly code: 'revoked_api_key' }
  | { readonly code: 'customer_suspended' }
  | {
      readonly code: 'rate_limited'
      /** The maximum number of requests a minute. */
      readonly limit: number
      readonly retry_after_s: number
    }
  | {
      readonly code: 'quota_exceeded'
      /** The kind of the counted requests; absent for events. */
      readonly of?: 'changes'
      /** The maximum number of events or changes in a UTC month. */
      readonly limit: number
      readonly resets_at_ms: number
    }
  /** The ledger is overloaded. `keys_full` means that it stores the maximum number of idempotency keys. */
  | { readonly code: 'overloaded'; readonly keys_full?: true }
  /**
   * A required service, such as the ledger or D1, failed or did not respond in time. `stripe` means that Stripe did not
   * respond as expected when a checkout was opened.
   */
  | { readonly code: 'unavailable'; readonly stripe?: true }
  /** The deployment has no usable Stripe key for the mode of the ledger. */
  | { readonly code: 'payments_not_configured' }

/** An error of a request field. `path` is a JSON Pointer (RFC 6901). */
export interface FieldError {
  readonly path: string
  readonly message: string
}

/** Returns one or two sentences for a person: what is wrong and, if possible, what to do. */
export function detailOf(refusal: Refusal): string {
  switch (refusal.code) {
    case 'invalid_request':
    case 'conflict':
    case 'not_found':
      return refusal.detail
    case 'customer_mismatch':
      return 'The customer_id of the event is not the customer of the API key. Leave it out, or use a key of that customer.'
    case 'unknown_provider':
      return `There is no provider "${refusal.provider}".${nearest(refusal.nearest)}`
    case 'unpriced_model':
      return `There is no price for the model "${refusal.model}" of ${refusal.provider}.${nearest(refusal.nearest)}`
    case 'insufficient_credits':
      return refusal.overdraft_limit === undefined
        ? `The wallet has ${refusal.available_balance} credits available, and the request needs ${refusal.required}.`
        : `The wallet has ${refusal.available_balance} credits available and an overdraft limit of ${refusal.overdraft_limit}, and the request needs ${refusal.required}.`
    case 'limit_reached':
      return limitDetail(refusal)
    case 'feature_not_allowed':
      return OFF_DETAILS[refusal.reason]
    case 'idempotency_mismatch':
      return 'This idempotency key was already used with another request. Use a new key for a new request.'
    case 'too_many_open':
      if (refusal.what === 'alerts') {
        return `The ledger, the wallet or this type of alert has reached its limit of ${refusal.limit} alerts. Delete an alert, then retry.`
      }
      if (refusal.what === 'MB of metadata') {
        return `The metadata of the ledger's grants, purchases and entitlements would exceed the tier's limit of ${refusal.limit} MB. Send the request without metadata.`
      }
      return refusal.what === 'payments'
        ? `The ledger has reached its limit of ${refusal.limit} payments without an outcome. Unpaid checkouts end after a day, so retry later.`
        : `The wallet has reached its limit of ${refusal.limit} open ${refusal.what}. ${refusal.what === 'checkouts' ? 'Retry after one is paid or ends, at most 24 hours after it was opened.' : 'Use, release or cancel some, then retry.'}`
    case 'hold_not_open':
      return 'This hold is not open: it was captured, was released, or has expired. Open a new hold.'
    case 'already_voided':
      return 'This event is already voided.'
    case 'already_processed':
      return refusal.event_id === null
        ? 'A call with this idempotency key is running, or was charged without an event. Its response is not stored: use a new key for a new call.'
        : `A call with this idempotency key was made and charged as ${refusal.event_id}. Its response is not stored: use a new key for a new call.`
    case 'revoked_api_key':
      return 'This API key was deleted or replaced. Use another key.'
    case 'customer_suspended':
      return 'This customer is suspended or closed: its API keys can only read, and its portal tokens are refused. Contact the operator.'
    case 'rate_limited':
      return `More than ${refusal.limit} requests arrived in this minute. Retry after ${refusal.retry_after_s} s.`
    case 'quota_exceeded':
      return `The monthly quota of ${refusal.limit} ${refusal.of ?? 'events'} is used up. The quota resets at ${new Date(refusal.resets_at_ms).toISOString()}.`
    case 'overloaded':
      return refusal.keys_full
        ? 'This ledger has reached its limit of idempotency keys. Send events in batches with one key for each batch, or retry with the same key after older keys have expired.'
        : 'Too many requests are waiting for this ledger. Wait, then retry with the same idempotency key.'
    case 'unavailable':
      return refusal.stripe
        ? 'Stripe did not respond as expected, so the checkout was not opened and nothing was charged. Wait, then retry.'
        : 'A required service was unavailable. Retry with the same idempotency key: the request takes effect at most once.'
    case 'payments_not_configured':
      return 'This deployment has no usable Stripe key for this mode. Ask the operator to set one up (docs/payments.md), or add credits with POST /v1/credits/purchase.'
  }
}

const OFF_DETAILS: Readonly<Record<OffReason, string>> = {
  feature_disabled: 'This feature is disabled.',
  feature_not_enabled: 'This feature is not enabled: no entitlement allows it.',
}

function limitDetail(refusal: Refusal & { code: 'limit_reached' }): string {
  const { level, unit, limit, used, needed, resets_at_ms, rolling, all_features } = refusal
  const name = unit === 'usd' ? 'USD' : unit
  const features = all_features ? 'all features' : 'this feature'
  const reset = resetText(resets_at_ms, rolling !== undefined)
  return `The use would exceed the ${LEVEL_NAMES[level]}'s limit of ${limit} ${name} for ${features}: ${used} are used or held, and the request needs ${needed}. ${reset}`
}

/** The names of the levels in error texts. */
export const LEVEL_NAMES: Readonly<Record<Level, string>> = {
  user: 'user',
  team: 'team',
  key: 'API key',
  model: 'model',
  customer: 'customer',
}

function resetText(resets_at_ms: number | null, rolls: boolean): string {
  if (resets_at_ms === null) return rolls ? 'The limit has no known reset time.' : 'The limit never resets.'
  const at = new Date(resets_at_ms).toISOString()
  return rolls ? `The oldest use leaves the window at ${at}.` : `The limit resets at ${at}.`
}

/** The maximum number of errors that one response lists. */
const MAX_ERRORS = 50

/**
 * The maximum length of a path in a detail. A path can contain a field name of any length from the client, and the
 * details of a batch are stored.
 */
const MAX_PATH_SHOWN = 200

/**
 * Returns a refusal with the status 400 that lists at most 50 invalid fields. Its detail names the first field. `what`
 * is the invalid part, such as the query.
 */
export function invalid(
  errors: readonly FieldError[],
  what = 'request',
): Refusal & { readonly code: 'invalid_request' } {
  const [first] = errors
  const where = first && first.path !== '' ? `${first.path.slice(0, MAX_PATH_SHOWN).toWellFormed()}: ` : ''
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''
  return {
    code: 'invalid_request',
    detail: first
      ? sentence(`The ${what} is invalid: ${where}${first.message}${more}`)
      : `The ${what} is invalid.`,
    errors: errors.slice(0, MAX_ERRORS),
  }
}

/** Adds a full stop to a text that does not end with a question mark. */
function sentence(text: string): string {
  return text.endsWith('?') ? text : `${text}.`
}

function nearest(names: readonly string[]): string {
  return names.length === 0 ? '' : ` Did you mean ${names.join(', ')}?`
}

export type Refused = { readonly kind: 'refused'; readonly refusal: Refusal }

export type Answered<T> = { readonly kind: 'done' | 'replayed'; readonly format: number; readonly answer: T }

export function refused(refusal: Refusal): Refused {
  return { kind: 'refused', refusal }
}

/** Returns a refusal with the status 400 about one invalid field. */
export function invalidField(path: string, message: string, detail = `${path} ${message}.`): Refused {
  return refused({ code: 'invalid_request', detail, errors: [{ path, message }] })
}

export function conflict(detail: string): Refused {
  return refused({ code: 'conflict', detail })
}

/** Returns a refusal with the status 404 that names the missing object, such as `Hold hold_1 not found.` */
export function notFound(what: string, remedy?: string): Refused {
  return refused({
    code: 'not_found',
    detail: `${what} not found.${remedy === undefined ? '' : ` ${remedy}`}`,
  })
}

/** Returns the refusal with the status 404 for an owner without a wallet. */
export function walletNotFound(owner: WalletOwner): Refused {
  const what = owner.kind === 'customer' ? 'Wallet' : `Wallet of the ${owner.kind} ${owner.id}`
  return notFound(
    what,
    'A grant, a purchase, a transfer to the owner or a change of the overdraft limit creates the wallet.',
  )
}

export const OVERLOADED: Refused = refused({ code: 'overloaded' })
export const UNAVAILABLE: Refused = refused({ code: 'unavailable' })
