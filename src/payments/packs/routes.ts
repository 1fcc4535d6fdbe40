import type { Context } from 'hono'
import { scoped, scopedOrPortal } from '../../api-keys/authentication/authenticate.ts'
import type { AuditAction, AuditState } from '../../audit/record.ts'
import { ledgerKey } from '../../db/ledger-db.ts'
import { auditorOf, ledgerOf } from '../../http/caller.ts'
import type { AppEnv } from '../../http/env.ts'
import { BEHIND_ALL_IDS, idPage } from '../../http/input/pagination.ts'
import { timeJson } from '../../http/input/times.ts'
import { centsJson, creditsJson, jsonResponse } from '../../http/output/json.ts'
import { noSuch, problem, serviceUnavailable } from '../../http/output/problem.ts'
import { type Answer, answerOnce, type KeepAnswer } from '../../http/output/stored-answers.ts'
import { createRouter, json, jsonRequest, route } from '../../http/route.ts'
import { newId } from '../../ids.ts'
import { auditStatement } from '../../ledger/flush/audit-log.ts'
import { microCredits } from '../../pricing/money.ts'
import { requirePayments } from '../routes.ts'
import { packChangeSchema, packDraftSchema, packPath, packSchema, packsQuery, packsSchema } from './schema.ts'
import {
  type CreditPack,
  deletePack,
  findPack,
  findPacks,
  insertPack,
  listPacks,
  MAX_CREDIT_PACKS,
  updatePack,
} from './store.ts'

const createRoute = route({
  method: 'post',
  path: '/',
  summary: 'Create a credit pack that a checkout can sell at a fixed price',
  description: 'Live and test ledgers have separate packs.',
  ...scoped('credits:write', requirePayments),
  request: { body: jsonRequest(packDraftSchema) },
  answers: { 201: json('The pack.', packSchema) },
  problems: ['conflict', 'idempotency_mismatch', 'payments_not_configured'],
})

const listRoute = route({
  method: 'get',
  path: '/',
  summary: 'List credit packs, newest first',
  description:
    'For a portal token, the response contains the packs in the `credit_pack_ids` of the token, in the same order. Deleted packs are omitted.',
  ...scopedOrPortal('credits:read', requirePayments),
  request: { query: packsQuery },
  answers: { 200: json('A page of packs.', packsSchema) },
  problems: ['overloaded', 'payments_not_configured'],
})

const getRoute = route({
  method: 'get',
  path: '/{id}',
  summary: 'Get a credit pack',
  ...scoped('credits:read', requirePayments),
  request: { params: packPath },
  answers: { 200: json('The pack.', packSchema) },
  problems: ['not_found', 'payments_not_configured'],
})

const changeRoute = route({
  method: 'patch',
  path: '/{id}',
  summary: 'Change the given fields of a credit pack',
  description: 'Checkouts that are already open keep their amount of credits and their price.',
  ...scoped('credits:write', requirePayments),
  request: { params: packPath, body: jsonRequest(packChangeSchema) },
  answers: { 200: json('The changed pack.', packSchema) },
  problems: ['not_found', 'conflict', 'payments_not_configured'],
})

const deleteRoute = route({
  method: 'delete',
  path: '/{id}',
  summary: 'Delete a credit pack; its open checkouts stay valid',
  ...scoped('credits:write', requirePayments),
  request: { params: packPath },
  answers: { 200: json('The deleted pack.', packSchema) },
  problems: ['not_found', 'payments_not_configured'],
})

export const creditPacksRoutes = createRouter()

creditPacksRoutes.openapi(createRoute, async (c) => {
  const { name, credits, price_usd, expires_in_days = null } = c.req.valid('json')
  const now_ms = Date.now()
  const created: CreditPack = {
    credit_pack_id: newId('pack', now_ms),
    ...{ name, credits_micro: credits, price_cents: price_usd, expires_in_days },
    ...{ created_at_ms: now_ms, updated_at_ms: now_ms },
  }
  const once = { owner: ledgerKey(ledgerOf(c)), operation: 'POST /v1/credit-packs' }
  try {
    return await answerOnce(c, once, (keep) => create(c, created, keep))
  } catch (error) {
    return serviceUnavailable(c, 'credit_pack_not_changed', error)
  }
})

async function create(c: Context<AppEnv>, created: CreditPack, keep: KeepAnswer): Promise<Answer | Response> {
  const answer = { status: 201 as const, body: packJson(c, created) }
  const [inserted] = await c.env.DB.batch([
    insertPack(c.env, ledgerKey(ledgerOf(c)), created),
    auditOf(c, 'credit_packs.create', null, created),
    ...keep(answer, { if_changed: true }),
  ])
  if (inserted?.meta.changes === 1) return answer
  const detail = `A credit pack with the name ${created.name} already exists, or the ledger has the maximum of ${MAX_CREDIT_PACKS} credit packs. Use another name, or delete a pack.`
  return problem(c, { code: 'conflict', detail })
}

creditPacksRoutes.openapi(listRoute, async (c) => {
  const sold = c.get('portal')?.credit_pack_ids
  if (sold) {
    const packs = await findPacks(c.env, ledgerKey(ledgerOf(c)), sold)
    return jsonResponse(c, { data: packs.map((pack) => packJson(c, pack)), next_cursor: null })
  }
  const { cursor, limit } = c.req.valid('query')
  const page = { before_id: cursor ?? BEHIND_ALL_IDS, limit: limit + 1 }
  const found = await listPacks(c.env, ledgerKey(ledgerOf(c)), page)
  const { rows, next_cursor } = idPage(found, limit, (row) => row.credit_pack_id)
  return jsonResponse(c, { data: rows.map((row) => packJson(c, row)), next_cursor })
})

creditPacksRoutes.openapi(getRoute, async (c) => {
  const { id } = c.req.valid('param')
  const found = await findPack(c.env, ledgerKey(ledgerOf(c)), id)
  return found ? jsonResponse(c, packJson(c, found)) : noSuch(c, 'credit pack', id)
})

creditPacksRoutes.openapi(changeRoute, async (c) => {
  const { id } = c.req.valid('param')
  const { name, credits, price_usd, expires_in_days } = c.req.valid('json')
  const ledger_id = ledgerKey(ledgerOf(c))
  try {
    const before = await findPack(c.env, ledger_id, id)
    if (!before) return noSuch(c, 'credit pack', id)
    const after: CreditPack = {
      ...before,
      name: name ?? before.name,
      credits_micro: credits ?? before.credits_micro,
      price_cents: price_usd ?? before.price_cents,
      expires_in_days: expires_in_days === undefined ? before.expires_in_days : expires_in_days,
      // Each change increases this time, because `updatePack` compares it to detect concurrent changes.
      updated_at_ms: Math.max(Date.now(), before.updated_at_ms + 1),
    }
    const [updated] = await c.env.DB.batch([
      updatePack(c.env, ledger_id, after, before.updated_at_ms),
      auditOf(c, 'credit_packs.change', before, after),
    ])
    if (updated?.meta.changes === 1) return jsonResponse(c, packJson(c, after))
    const detail = `Another credit pack has the name ${after.name}, or this pack was changed or deleted at the same time. Get the pack and retry.`
    return problem(c, { code: 'conflict', detail })
  } catch (error) {
    return serviceUnavailable(c, 'credit_pack_not_changed', error)
  }
})

creditPacksRoutes.openapi(deleteRoute, async (c) => {
  const { id } = c.req.valid('param')
  const ledger_id = ledgerKey(ledgerOf(c))
  try {
    const found = await findPack(c.env, ledger_id, id)
    if (!found) return noSuch(c, 'credit pack', id)
    const audit = auditOf(c, 'credit_packs.delete', found, null)
    const [deleted] = await c.env.DB.batch([deletePack(c.env, ledger_id, id), audit])
    if (deleted?.meta.changes !== 1) return noSuch(c, 'credit pack', id)
    return jsonResponse(c, packJson(c, found))
  } catch (error) {
    return serviceUnavailable(c, 'credit_pack_not_changed', error)
  }
})

function packJson(c: Context<AppEnv>, pack: CreditPack): object {
  return {
    id: pack.credit_pack_id,
    name: pack.name,
    credits: creditsJson(microCredits(pack.credits_micro)),
    price_usd: centsJson(pack.price_cents),
    expires_in_days: pack.expires_in_days,
    mode: ledgerOf(c).mode,
    created_at: timeJson(pack.created_at_ms),
    updated_at: timeJson(pack.updated_at_ms),
  }
}

/**
 * Returns the statement that writes the audit record of a change. It writes the record only if the previous statement
 * changed a row.
 */
function auditOf(
  c: Context<AppEnv>,
  action: Extract<AuditAction, `credit_packs.${string}`>,
  before: CreditPack | null,
  after: CreditPack | null,
): D1PreparedStatement {
  const target = (after ?? before)?.credit_pack_id ?? ''
  const record = {
    ...auditorOf(c, c.get('key').key_id),
    action,
    target,
    before: before && stateOf(before),
    after: after && stateOf(after),
  }
  return auditStatement(c.env.DB, ledgerOf(c), record, Date.now(), { if_changed: true })
}

function stateOf({ name, credits_micro, price_cents, expires_in_days }: CreditPack): AuditState {
  return { name, credits_micro, price_cents, expires_in_days }
}
