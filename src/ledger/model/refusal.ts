import type { Level, LimitUnit, OffReason, RollingLength } from './limits.ts'
import type { WalletOwner } from './vocabulary.ts'

/**
 * Every expected refusal of the ledger, or of the rating before it. A refusal is a value: it changes nothing,
 * leaves the idempotency key unused, and travels through RPC and the journal as plain JSON. `detailOf`
 * returns its text, and `http/problem.ts` its status. Both switch over all refusals.
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
      /** Decimal strings of credits: the required amount may exceed the largest balance. */
      readonly balance: string
      readonly available_balance: string
      readonly required: string
      /** Absent if the wallet has none. */
      readonly overdraft_limit?: string
    }
  | {
      readonly code: 'limit_reached'
      readonly feature_id: string
      readonly level: Level
      /** The key of the limit, if the limit is of a key or a model. */
      readonly key_id?: string
      readonly model?: string
      /** Whether the limit counts the use of all features. */
      readonly all_features?: true
      readonly unit: LimitUnit
      /** Decimal strings of the unit. */
      readonly limit: string
      readonly used: string
      readonly needed: string
      /** Null: never. */
      readonly resets_at_ms: number | null
      /** Whether the limit rolls: the time is then when the oldest use leaves the window. */
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
  /** A call with this idempotency key was made; null while it runs. */
  | { readonly code: 'already_processed'; readonly event_id: string | null }
  | { readonly code: 'hold_not_open' }
  | { readonly code: 'not_found'; readonly detail: string }
  | { readonly code: 'revoked_api_key' }
  | { readonly code: 'customer_suspended' }
  | {
      readonly code: 'rate_limited'
      /** Requests a minute. */
      readonly limit: number
      readonly retry_after_s: number
    }
  | {
      readonly code: 'quota_exceeded'
      /** The counted requests; absent for events. */
      readonly of?: 'changes'
      /** Events or changes a UTC month. */
      readonly limit: number
      readonly resets_at_ms: number
    }
  /** A refusal by load. With `keys_full`, the ledger has its maximum number of idempotency keys. */
  | { readonly code: 'overloaded'; readonly keys_full?: true }
  /** A refusal by an outage. With `stripe`, Stripe did not answer. */
  | { readonly code: 'unavailable'; readonly stripe?: true }
  /** The deployment has no usable key of Stripe for the mode of the ledger. */
  | { readonly code: 'payments_not_configured' }

/** A field of the request body and its fault; `path` is a JSON Pointer (RFC 6901). */
export interface FieldError {
  readonly path: string
  readonly message: string
}

/** Returns one or two sentences for a person: the fault and, where it helps, the remedy. */
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
        return `There are ${refusal.limit} alerts of this kind or on this wallet, the limit. Delete one, then retry.`
      }
      if (refusal.what === 'MB of metadata') {
        return `The grants, purchases and entitlements of this ledger may have ${refusal.limit} MB of metadata at this tier. Send the request without metadata.`
      }
      return refusal.what === 'payments'
        ? `The ledger has ${refusal.limit} payments without an outcome, its limit. Unpaid checkouts end after a day.`
        : `The wallet has ${refusal.limit} open ${refusal.what}, the limit of a wallet. Close or use some, then retry.`
    case 'hold_not_open':
      return 'This hold is no longer open: it was captured, released, or has expired.'
    case 'already_voided':
      return 'This event is already voided.'
    case 'already_processed':
      return refusal.event_id === null
        ? 'A call with this idempotency key is running. Its answer is not stored.'
        : `A call with this idempotency key was made and charged as ${refusal.event_id}. Its answer is not stored: use a new key for a new call.`
    case 'revoked_api_key':
      return 'This API key was deleted or replaced. Use another key.'
    case 'customer_suspended':
      return 'This customer is suspended or closed: only reads are allowed.'
    case 'rate_limited':
      return `More than ${refusal.limit} requests arrived in this minute. Retry after ${refusal.retry_after_s} s.`
    case 'quota_exceeded':
      return `The monthly quota of ${refusal.limit} ${refusal.of ?? 'events'} is used up. The quota resets at ${new Date(refusal.resets_at_ms).toISOString()}.`
    case 'overloaded':
      return refusal.keys_full
        ? 'This ledger has reached its limit of idempotency keys. Send events in batches with one key each, or retry with the same key after older keys have expired.'
        : 'Too many requests are waiting for this ledger. Wait, then retry with the same idempotency key.'
    case 'unavailable':
      return refusal.stripe
        ? 'Stripe did not answer, so there is no checkout and nothing is charged. Wait, then retry.'
        : 'The ledger could not be reached. Retry with the same idempotency key: it burns at most once.'
    case 'payments_not_configured':
      return 'This deployment has no usable Stripe key for this mode. The operator sets it up (docs/payments.md); credits can be added with POST /v1/credits/purchase.'
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
  return `The ${LEVEL_NAMES[level]}'s limit of ${limit} ${name} for ${features} has ${used} used, and the request needs ${needed}. ${reset}`
}

/** The names of levels in sentences. */
export const LEVEL_NAMES: Readonly<Record<Level, string>> = {
  user: 'user',
  team: 'team',
  key: 'API key',
  model: 'model',
  customer: 'customer',
}

function resetText(resets_at_ms: number | null, rolls: boolean): string {
  if (resets_at_ms === null) return rolls ? 'Time does not reset it.' : 'It never resets.'
  const at = new Date(resets_at_ms).toISOString()
  return rolls ? `The oldest use leaves the window at ${at}.` : `It resets at ${at}.`
}

/** The maximum number of errors that one answer lists. */
const MAX_ERRORS = 50

/** A path may contain an unknown field's name from the client, and details of a batch are stored with its key. */
const MAX_PATH_SHOWN = 200

/** A 400 that lists each field, with the first one in its detail. `what` is invalid: the request, its query … */
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

/** Ends a text with a full stop, unless it ends with a question. */
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

/** A 400 about one field. */
export function invalidField(path: string, message: string, detail = `${path} ${message}.`): Refused {
  return refused({ code: 'invalid_request', detail, errors: [{ path, message }] })
}

export function conflict(detail: string): Refused {
  return refused({ code: 'conflict', detail })
}

/** A 404 that names what is missing, such as `Hold hold_1 not found.` */
export function notFound(what: string, remedy?: string): Refused {
  return refused({
    code: 'not_found',
    detail: `${what} not found.${remedy === undefined ? '' : ` ${remedy}`}`,
  })
}

/** The 404 of an owner without a wallet. */
export function walletNotFound(owner: WalletOwner): Refused {
  const what = owner.kind === 'customer' ? 'Wallet' : `Wallet of the ${owner.kind} ${owner.id}`
  return notFound(
    what,
    'A grant, a purchase, a transfer to it or a change of its overdraft limit creates one.',
  )
}

export const OVERLOADED: Refused = refused({ code: 'overloaded' })
export const UNAVAILABLE: Refused = refused({ code: 'unavailable' })
