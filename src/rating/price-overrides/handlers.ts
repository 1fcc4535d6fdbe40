import type { Context } from 'hono'
import type { AuditState } from '../../audit/record.ts'
import { auditorOf } from '../../http/caller.ts'
import type { AppEnv } from '../../http/env.ts'
import { nextCursor } from '../../http/input/pagination.ts'
import { timeJson, timeOrNull } from '../../http/input/times.ts'
import { type ExactNumber, exactNumber, jsonResponse } from '../../http/output/json.ts'
import { refusalResponse, serviceUnavailable } from '../../http/output/problem.ts'
import { answerOnce, type KeepAnswer } from '../../http/output/stored-answers.ts'
import { newId } from '../../ids.ts'
import { auditStatement } from '../../ledger/flush/audit-log.ts'
import type { Refused } from '../../ledger/model/refusal.ts'
import { findProvider, nearestProviders } from '../../pricing/catalogue/catalogue.ts'
import { type OverlayPrice, type OverlayPrices, tierOf } from '../../pricing/catalogue/overlay.ts'
import { providerName } from '../../pricing/catalogue/provider-name.ts'
import { requireEpoch } from '../current-prices.ts'
import { OPERATOR, publishEpoch } from '../price-epochs.ts'
import { isBackdated, type OverlayDraft, planOverlay } from './plan.ts'
import type { OverlayInput, OverlaysQuery } from './schema.ts'
import { addOverlay, listOverlays, loadOverlays, type StoredOverlay } from './store.ts'

/**
 * The scope of a request that sets or lists prices: the operator's scope, whose prices apply to all customers, or the
 * scope of one customer.
 */
export interface OverlayScope {
  readonly scope: string
  /** The owner of the request's idempotency key: the `ledgerKey` of the caller's ledger, or `operator`. */
  readonly owner: string
  /** The author of a new price: the id of the API key, or `operator`. */
  readonly created_by: string
}

export const OPERATOR_SCOPE: OverlayScope = { scope: OPERATOR, owner: OPERATOR, created_by: OPERATOR }

/** Sets a price. Returns a response with status 201 and the overlay, or a problem document. */
export async function postOverlay(
  c: Context<AppEnv>,
  by: OverlayScope,
  operation: string,
  input: OverlayInput,
): Promise<Response> {
  const now_ms = Date.now()
  const defer = (work: Promise<unknown>) => c.executionCtx.waitUntil(work)
  try {
    const response = await answerOnce(c, { owner: by.owner, operation }, async (keep) => {
      const draft = readDraft(input)
      if (draft.kind === 'refused') return refusalResponse(c, draft.refusal)
      const added = await add(c, by, draft, keep, now_ms, defer)
      if (added.kind === 'refused') return refusalResponse(c, added.refusal)
      requireEpoch(by.scope, added.overlay.epoch)
      return { status: 201, body: overlayJson(added.overlay) }
    })
    // A repeated request publishes the epoch again, because the first request could have failed before it published the
    // epoch.
    if (response.status === 201) await publishEpoch(c.env, by.scope, defer)
    return response
  } catch (error) {
    return serviceUnavailable(c, 'price_not_set', error)
  }
}

/** Returns a page of the overlays of a scope, newest first. */
export async function getOverlays(
  c: Context<AppEnv>,
  scope: string,
  { provider, model, cursor, limit }: OverlaysQuery,
): Promise<Response> {
  try {
    const page = await listOverlays(c.env, scope, {
      provider: provider === undefined ? undefined : (findProvider(provider)?.id ?? provider),
      model: model?.trim().toLowerCase(),
      before_epoch: cursor,
      limit,
    })
    const data = page.overlays.map(overlayJson)
    return jsonResponse(c, { data, next_cursor: nextCursor(page.next_before_epoch) })
  } catch (error) {
    return serviceUnavailable(c, 'prices_not_listed', error)
  }
}

function readDraft(input: OverlayInput): ({ readonly kind: 'draft' } & OverlayDraft) | Refused {
  const provider = findProvider(input.provider)
  if (provider === undefined) {
    const nearest = nearestProviders(input.provider)
    return { kind: 'refused', refusal: { code: 'unknown_provider', provider: input.provider, nearest } }
  }
  return {
    kind: 'draft',
    provider,
    model: input.model,
    service_tier: tierOf(provider, input.service_tier),
    prices: input.prices,
    effective_from_ms: input.effective_from,
    effective_to_ms: input.effective_to ?? null,
  }
}

/**
 * The maximum number of attempts to add a price. An attempt fails only if another price is added at the same time, so a
 * request fails only if 20 other prices are added in the meantime.
 */
const ATTEMPTS = 20

async function add(
  c: Context<AppEnv>,
  { scope, created_by }: OverlayScope,
  draft: OverlayDraft,
  keep: KeepAnswer,
  now_ms: number,
  defer: (work: Promise<unknown>) => void,
): Promise<{ readonly kind: 'added'; readonly overlay: StoredOverlay } | Refused> {
  const looksBelow = scope !== OPERATOR && isBackdated(draft, now_ms)
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const [own, below] = await Promise.all([
      loadOverlays(c.env, scope),
      looksBelow ? loadOverlays(c.env, OPERATOR) : [],
    ])
    const plan = planOverlay(draft, own, below, now_ms)
    if (plan.kind === 'refused') return plan
    const overlay: StoredOverlay = {
      epoch: (own.at(-1)?.epoch ?? 0) + 1,
      overlay_id: newId('po'),
      provider: draft.provider.id,
      model: draft.model,
      service_tier: draft.service_tier,
      prices: JSON.stringify(draft.prices),
      effective_from_ms: plan.effective_from_ms,
      effective_to_ms: draft.effective_to_ms,
      created_at_ms: now_ms,
      created_by,
    }
    const audited = auditOf(c, scope, overlay, plan.closes)
    const kept = keep({ status: 201, body: overlayJson(overlay) })
    try {
      const outcome = await addOverlay(c.env, scope, overlay, plan.closes, [audited, ...kept])
      if (outcome === 'added') return { kind: 'added', overlay }
    } catch (error) {
      // Publishes the epoch even after an error, because D1 can have written the change although its response was lost.
      defer(publishEpoch(c.env, scope, defer))
      throw error
    }
  }
  return { kind: 'refused', refusal: { code: 'unavailable' } }
}

/**
 * Returns the statement that writes the change to the audit log: the new price and the price that it replaces. The
 * record contains no amounts, because the rows of the overlays contain them.
 */
function auditOf(
  c: Context<AppEnv>,
  scope: string,
  overlay: StoredOverlay,
  closes: StoredOverlay | undefined,
): D1PreparedStatement {
  const is_operator = scope === OPERATOR
  const place = { customer_id: is_operator ? null : scope, mode: null }
  const record = {
    ...auditorOf(c, overlay.created_by),
    action: is_operator ? 'provider_costs.create' : 'price_overrides.create',
    target: overlay.overlay_id,
    before: closes ? overlayState(closes) : null,
    after: overlayState(overlay),
  } as const
  return auditStatement(c.env.DB, place, record, overlay.created_at_ms)
}

function overlayState(overlay: StoredOverlay): AuditState {
  const { overlay_id: id, provider, model, service_tier, effective_from_ms, effective_to_ms } = overlay
  return {
    ...{ id, provider, model, service_tier },
    effective_from: timeJson(effective_from_ms),
    effective_to: timeOrNull(effective_to_ms),
  }
}

function overlayJson(overlay: StoredOverlay): object {
  const { provider, effective_to_ms } = overlay
  const prices: OverlayPrices = JSON.parse(overlay.prices)
  return {
    id: overlay.overlay_id,
    provider: providerName(findProvider(provider) ?? { id: provider, name: provider }),
    model: overlay.model,
    service_tier: overlay.service_tier,
    prices: pricesJson(prices),
    effective_from: timeJson(overlay.effective_from_ms),
    effective_to: timeOrNull(effective_to_ms),
    created_at: timeJson(overlay.created_at_ms),
    created_by: overlay.created_by,
  }
}

function pricesJson(prices: OverlayPrices): object {
  if ('list' in prices) throw new Error('a price of the feed cannot be shown as a price of the operator')
  if ('multiplier' in prices) return { multiplier: exactNumber(prices.multiplier) }
  return Object.fromEntries(Object.entries(prices.units).map(([unit, price]) => [unit, unitPriceJson(price)]))
}

function unitPriceJson({ amount, per, tiers }: OverlayPrice): {
  amount: ExactNumber
  per: number
  tiers?: object[]
} {
  return {
    amount: exactNumber(amount),
    per,
    ...(tiers && { tiers: tiers.map((tier) => ({ ...tier, amount: exactNumber(tier.amount) })) }),
  }
}
