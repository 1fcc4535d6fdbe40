import type { Draft } from '../commit/draft.ts'
import { FORMAT } from '../journal/packing.ts'
import type { Entitlement, EntitlementPlace, EntitlementRules } from '../model/entitlements.ts'
import type {
  ChangeEntitlementMessage,
  EntitlementChange,
  EntitlementResult,
  EntitlementsAnswer,
  EntitlementsQuestion,
} from '../model/messages/entitlements.ts'
import type { Refusal, Refused } from '../model/refusal.ts'
import type { WalletOwner } from '../model/vocabulary.ts'
import { walletKey } from '../model/wallet.ts'
import type { EntitlementRows } from './rows.ts'

/**
 * Makes, replaces or deletes an entitlement, alone in its commit: the events after it are under it. Refused, it
 * changes nothing. What was created is kept whole for the replay of its key.
 */
export function applyEntitlement(
  draft: Draft,
  rows: EntitlementRows,
  { change, idempotency }: Omit<ChangeEntitlementMessage, 'caller'>,
): EntitlementResult {
  const check = draft.checkKey(idempotency)
  if (check.kind === 'refused') return check
  if (check.kind === 'replay') {
    // Equal fingerprints mean the same operation, so the record is the answer to an entitlement that was made.
    if (check.record.kind !== 'answer' || check.record.answer.of !== 'entitlement') {
      throw new Error('an entitlement was replayed from a record of another kind')
    }
    return { kind: 'replayed', format: check.format, answer: check.record.answer.entitlement }
  }
  const changed = changedRow(draft, rows, change)
  if ('code' in changed) return refused(changed)
  draft.entitlements.push(changed)
  if (idempotency) {
    const answer = { of: 'entitlement' as const, entitlement: changed }
    draft.record({ kind: 'answer', at_ms: draft.at_ms, answer, idempotency })
  }
  return { kind: 'done', format: FORMAT, answer: changed }
}

function changedRow(draft: Draft, rows: EntitlementRows, change: EntitlementChange): Entitlement | Refusal {
  const { last } = rows
  const now = { revision: last.revision + 1, updated_at_ms: draft.at_ms }
  if (change.kind === 'create') {
    const { id, place, rules } = change
    if (rows.at(place.feature_id, place.owner)) return taken(place)
    const numbers = { number: last.number + 1, counter: last.counter + 1 }
    return { id, ...place, ...rules, ...numbers, ...now, deleted: false, created_at_ms: draft.at_ms }
  }
  const known = rows.byId(change.id)
  if (!known || known.deleted) return noEntitlement(change.id)
  if (change.kind === 'delete') return { ...known, ...now, deleted: true }
  const moved = isMoved(known, change.place)
  if (moved) return moved
  const { id, feature_id, owner, number, created_at_ms } = known
  const counter = isSameMeter(known, change.rules) ? known.counter : last.counter + 1
  return { id, feature_id, owner, ...change.rules, number, counter, ...now, deleted: false, created_at_ms }
}

/** A refusal to make an entitlement one of something else. */
function isMoved(
  { feature_id, owner }: Entitlement,
  place: { readonly feature_id?: string; readonly owner?: WalletOwner },
): Refusal | undefined {
  if (place.feature_id !== undefined && place.feature_id !== feature_id) return fixed('/feature_id')
  if (place.owner && walletKey(place.owner) !== walletKey(owner)) return fixed(`/${place.owner.kind}_id`)
  return undefined
}

function fixed(path: string): Refusal {
  const message = 'cannot change: delete this entitlement and make another'
  return { code: 'invalid_request', detail: `${path} ${message}.`, errors: [{ path, message }] }
}

/** Whether what was counted under the one still counts under the other. */
function isSameMeter(a: EntitlementRules, b: EntitlementRules): boolean {
  return a.unit === b.unit && a.period === b.period && a.anchor_ms === b.anchor_ms
}

/** What is asked of a customer's entitlements; one that is not there is a refusal. */
export function readEntitlements(
  rows: EntitlementRows,
  question: EntitlementsQuestion,
): EntitlementsAnswer | Refusal {
  if (question.kind === 'list') return rows.list(question)
  const found = rows.byId(question.id)
  if (!found || found.deleted) return noEntitlement(question.id)
  return { entitlements: [found], next_before_number: null }
}

function noEntitlement(id: string): Refusal {
  return { code: 'not_found', detail: `There is no entitlement ${id}.` }
}

function taken({ feature_id, owner }: EntitlementPlace): Refusal {
  const whose = owner.kind === 'customer' ? 'the customer' : `the ${owner.kind} "${owner.id}"`
  return {
    code: 'conflict',
    detail: `There is an entitlement for "${feature_id}" and ${whose} already. Change that one.`,
  }
}

function refused(refusal: Refusal): Refused {
  return { kind: 'refused', refusal }
}
