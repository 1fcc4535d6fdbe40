import { createHash } from 'node:crypto'
import type { AuditState } from '../../audit/record.ts'
import { UTC } from '../../time/zones.ts'
import { countStored, overStored, type StoredQuotas, uncountStored } from '../admission/quotas.ts'
import { type Audited, exactNumber } from '../commit/audit.ts'
import type { Draft } from '../commit/draft.ts'
import { done, keepAnswer, replayedAnswer } from '../commit/replay.ts'
import type { JsonText } from '../model/json.ts'
import {
  ALL_FEATURES,
  type Entitlement,
  type EntitlementPlace,
  type EntitlementRules,
  freeJsonOf,
  type LimitOwner,
} from '../model/limits.ts'
import type {
  ChangeEntitlementMessage,
  EntitlementChange,
  EntitlementResult,
  EntitlementsQuestion,
  EntitlementsResult,
} from '../model/messages/entitlements.ts'
import {
  conflict,
  invalidField,
  LEVEL_NAMES,
  notFound,
  type Refusal,
  type Refused,
  refused,
} from '../model/refusal.ts'
import { walletKey } from '../model/wallet.ts'
import { levelOf, quantityText } from './limits.ts'
import type { EntitlementRows } from './rows.ts'
import { hasSameWindows } from './windows.ts'

/**
 * Creates, replaces or deletes an entitlement. The commit contains no other request, and the change applies to later
 * events. A refusal changes nothing. Stores the result, so that replays of the idempotency key return it.
 */
export function applyEntitlement(
  draft: Draft,
  rows: EntitlementRows,
  { change, idempotency }: ChangeEntitlementMessage,
  quotas: StoredQuotas,
): Audited<EntitlementResult> {
  const replayed = replayedAnswer(draft, idempotency, 'entitlement')
  if (replayed?.kind === 'refused') return { outcome: replayed }
  if (replayed) return { outcome: { ...replayed, answer: replayed.answer.entitlement } }
  const before = change.kind === 'create' ? undefined : rows.byId(change.id)
  const changed = changedRow(draft, rows, change, before)
  if ('kind' in changed) return { outcome: changed }
  const over = storeTexts(draft, before, changed, quotas)
  if (over) return { outcome: refused(over) }
  draft.entitlements.push(changed)
  keepAnswer(draft, idempotency, { of: 'entitlement', entitlement: changed })
  return {
    outcome: done(changed),
    change: {
      action: `entitlements.${change.kind}`,
      target: changed.id,
      before: before ? auditState(before) : null,
      after: change.kind === 'delete' ? null : auditState(changed),
    },
  }
}

/**
 * Returns the fields of an entitlement that the audit log records. Omits user ids, team ids and metadata, because an
 * erasure does not change the audit log. A static `value` can contain any data, so the log contains only the beginning
 * of its SHA-256 digest.
 */
function auditState(entitlement: Entitlement): AuditState {
  const {
    feature_id,
    limit_type,
    limit,
    unit,
    period,
    anchor_ms,
    time_zone = UTC,
    rolling,
    enabled,
  } = entitlement
  const { value } = freeJsonOf(entitlement)
  return {
    feature_id: feature_id === ALL_FEATURES ? null : feature_id,
    ...levelOf(entitlement),
    limit_type,
    limit_value: limit === null ? null : exactNumber(quantityText(unit, BigInt(limit))),
    unit,
    period,
    anchor: anchor_ms === null ? null : new Date(anchor_ms).toISOString(),
    ...(time_zone !== UTC && { time_zone }),
    ...(rolling && { rolling }),
    enabled,
    ...(value !== undefined && { value_sha256: digest(value) }),
  }
}

function digest(value: JsonText): string {
  return createHash('sha256').update(value).digest('hex').slice(0, 16)
}

/**
 * Counts a change of an entitlement towards the quotas. Adds the size of its new metadata and value, and subtracts the
 * size of the old ones. A deletion only subtracts. Counts nothing and returns a refusal if the quotas do not allow the
 * change.
 */
function storeTexts(
  draft: Draft,
  before: Entitlement | undefined,
  changed: Entitlement,
  quotas: StoredQuotas,
): Refusal | undefined {
  const removed = before ? textsOf(before) : []
  if (changed.deleted) {
    uncountStored(draft, removed)
    return undefined
  }
  const over = overStored(draft, quotas, textsOf(changed), removed)
  if (!over) countStored(draft, textsOf(changed), removed)
  return over
}

/**
 * Subtracts the metadata and values of an erased user's or team's entitlements from the quota of metadata. Call this
 * before the erasure removes them.
 */
export function uncountErased(draft: Draft, owned: readonly Entitlement[]): void {
  for (const entitlement of owned) uncountStored(draft, textsOf(entitlement))
}

function textsOf(entitlement: Entitlement): (JsonText | undefined)[] {
  const { metadata, value } = freeJsonOf(entitlement)
  return [metadata, value]
}

function changedRow(
  draft: Draft,
  rows: EntitlementRows,
  change: EntitlementChange,
  known: Entitlement | undefined,
): Entitlement | Refused {
  const { last } = rows
  const now = { revision: last.revision + 1, updated_at_ms: draft.at_ms }
  if (change.kind === 'create') {
    const { id, place, rules } = change
    if (rows.at(place.feature_id, place.owner)) return taken(place)
    const numbers = { number: last.number + 1, counter: last.counter + 1 }
    return { id, ...place, ...rules, ...numbers, ...now, deleted: false, created_at_ms: draft.at_ms }
  }
  if (!known || known.deleted) return noEntitlement(change.id)
  if (change.kind === 'delete') return { ...known, ...now, deleted: true }
  const moved = isMoved(known, change.place)
  if (moved) return moved
  const { id, feature_id, owner, number, created_at_ms } = known
  const counter = isSameMeter(known, change.rules) ? known.counter : last.counter + 1
  return { id, feature_id, owner, ...change.rules, number, counter, ...now, deleted: false, created_at_ms }
}

/** Returns a refusal if a request changes the feature or the owner of an entitlement; otherwise undefined. */
function isMoved(
  { feature_id, owner }: Entitlement,
  place: { readonly feature_id?: string; readonly owner?: LimitOwner },
): Refused | undefined {
  if (place.feature_id !== undefined && place.feature_id !== feature_id) return fixed('/feature_id')
  if (place.owner && walletKey(place.owner) !== walletKey(owner)) return fixed(FIELDS[place.owner.kind])
  return undefined
}

/** The field of a request that names the owner, by the kind of the owner. */
const FIELDS: Readonly<Record<LimitOwner['kind'], string>> = {
  user: '/user_id',
  team: '/team_id',
  key: '/key_id',
  model: '/model',
  customer: '/customer_id',
}

function fixed(path: string): Refused {
  return invalidField(path, 'cannot be changed: delete this entitlement and create a new one')
}

/** Reports whether two sets of rules use the same counter. */
function isSameMeter(a: EntitlementRules, b: EntitlementRules): boolean {
  return a.unit === b.unit && hasSameWindows(a, b)
}

/** Reads entitlements. Refuses an unknown or deleted entitlement. */
export function readEntitlements(rows: EntitlementRows, question: EntitlementsQuestion): EntitlementsResult {
  if (question.kind === 'list') return { kind: 'done', answer: rows.list(question) }
  const found = rows.byId(question.id)
  if (!found || found.deleted) return noEntitlement(question.id)
  return { kind: 'done', answer: { entitlements: [found], next_before_number: null } }
}

function noEntitlement(id: string): Refused {
  return notFound(`Entitlement ${id}`)
}

function taken({ feature_id, owner }: EntitlementPlace): Refused {
  const whose = owner.kind === 'customer' ? 'the customer' : `the ${LEVEL_NAMES[owner.kind]} "${owner.id}"`
  const feature = feature_id === ALL_FEATURES ? 'all features' : `"${feature_id}"`
  return conflict(`An entitlement for ${feature} and ${whose} already exists. Change that entitlement.`)
}
