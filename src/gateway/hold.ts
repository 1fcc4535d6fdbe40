import type { Context } from 'hono'
import { configOf } from '../config.ts'
import { callerOf, ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { openCall } from '../ledger/client/client.ts'
import type { OpenCallResult, SettledCall } from '../ledger/model/messages/calls.ts'
import { type Refused, refused } from '../ledger/model/refusal.ts'
import type { Idempotency, WalletItemRef } from '../ledger/model/vocabulary.ts'
import type { CallPrices, Pricing } from './request/prices.ts'
import { type Charge, type HoldPlace, settled } from './settlement.ts'

/** A call that needs a hold. */
export interface CallToHold {
  readonly pricing: Pricing
  /** Returns the prices of the call, or a refusal, for a provider and a model. */
  readonly prices: (pricing: Pricing) => CallPrices
  readonly idempotency: Idempotency | undefined
}

/** Places the hold of a call. It must be called before anything is sent to the provider. */
export async function holdCall(c: Context<AppEnv>, call: CallToHold): Promise<CallHold | Refused> {
  const wanted = call.prices(call.pricing)
  if (wanted.kind === 'refused') return wanted
  // The runtime cancels a request when its client disconnects, unless `waitUntil` has a pending promise. Therefore,
  // `waitUntil` gets a promise before the hold is placed. The promise is pending until the call is settled or gets no
  // hold.
  const over = Promise.withResolvers<void>()
  c.executionCtx.waitUntil(over.promise)
  try {
    const opened = await open(c, call, call.pricing, wanted)
    if (opened.kind === 'opened') return new CallHold(c, call, opened, over.resolve)
    over.resolve()
    return opened
  } catch (error) {
    over.resolve()
    throw error
  }
}

/**
 * The hold of a call. If the call moves to another model or provider, another hold replaces it. A settlement waits for
 * the last move, so that it ends the last hold. The function that prices the call is not kept, because it refers to the
 * body of the call.
 */
export class CallHold {
  private readonly c: Context<AppEnv>
  readonly idempotency: Idempotency | undefined
  private readonly onSettled: () => void
  private current: Opened
  private isSettled = false
  private move: Promise<Refused | undefined> = Promise.resolve(undefined)

  constructor(
    c: Context<AppEnv>,
    { idempotency }: Pick<CallToHold, 'idempotency'>,
    opened: Opened,
    onSettled: () => void,
  ) {
    this.c = c
    this.idempotency = idempotency
    this.current = opened
    this.onSettled = onSettled
  }

  get place(): HoldPlace {
    return this.current.place
  }

  /**
   * The maximum number of output tokens that the hold covers; undefined if the hold covers the whole call, or if the
   * request does not allow a lower output limit.
   */
  get clipped_to(): number | undefined {
    return this.current.clipped_to
  }

  /**
   * Moves the call to a model and a provider. If they differ from those of the hold, a new hold for the new prices
   * replaces it in one commit, so that no other call can take its credits or its idempotency key. Returns a refusal if
   * the call is refused at the new prices (the hold is then kept), or if it gets no new hold. A settled call keeps its
   * hold.
   */
  moveTo(pricing: Pricing, prices: CallToHold['prices']): Promise<Refused | undefined> {
    this.move = this.moved(pricing, prices)
    return this.move
  }

  private async moved(pricing: Pricing, prices: CallToHold['prices']): Promise<Refused | undefined> {
    if (this.isSettled || this.current.priced_as === pricedAs(pricing)) return undefined
    const wanted = prices(pricing)
    if (wanted.kind === 'refused') return wanted
    this.current = { ...this.current, priced_as: '' }
    const opened = await open(this.c, this, pricing, wanted, this.place.hold).catch(() =>
      refused({ code: 'unavailable' }),
    )
    if (opened.kind === 'refused') return opened
    this.current = opened
    return undefined
  }

  /** Charges the call, or releases its hold if `charge` is null. */
  settle(charge: Charge | null, client_waits?: boolean): Promise<SettledCall | undefined> {
    this.isSettled = true
    const moved = this.move.catch(() => undefined)
    return moved.then(() => settled(this.place, charge, client_waits)).finally(this.onSettled)
  }
}

interface Opened {
  readonly kind: 'opened'
  readonly place: HoldPlace
  readonly clipped_to: number | undefined
  /** The provider and the model that the hold was priced for, as one text; empty if the hold was possibly released. */
  readonly priced_as: string
}

async function open(
  c: Context<AppEnv>,
  { idempotency }: Pick<CallToHold, 'idempotency'>,
  pricing: Pricing,
  { most, least }: AcceptedPrices,
  replaces?: WalletItemRef,
): Promise<Opened | Refused> {
  const { feature_id, user_id, team_id, clip } = pricing.meter
  const ledger = ledgerOf(c)
  const result: OpenCallResult = await openCall(c.env, ledger, {
    caller: callerOf(c),
    id: crypto.randomUUID(),
    feature_id,
    ...(user_id !== undefined && { user_id }),
    ...(team_id !== undefined && { team_id }),
    lifetime_ms: configOf(c.env).gateway.hold_ms,
    most,
    ...(least && { least }),
    ...(replaces && { replaces }),
    ...(idempotency && { idempotency }),
  })
  if (result.kind === 'refused') return result
  const { hold, credits, output_tokens, unrated } = result.answer
  return {
    kind: 'opened',
    place: { env: c.env, ledger, hold, held: credits, unrated, key_id: c.get('key').key_id },
    clipped_to: clip && output_tokens < (most.usage?.output_tokens ?? 0) ? output_tokens : undefined,
    priced_as: pricedAs(pricing),
  }
}

type AcceptedPrices = Exclude<CallPrices, { readonly kind: 'refused' }>

/**
 * Returns a text that identifies the provider and the model of a call. Two calls with different texts need different
 * holds.
 */
function pricedAs({ provider, call }: Pricing): string {
  return JSON.stringify([provider, call.model])
}
