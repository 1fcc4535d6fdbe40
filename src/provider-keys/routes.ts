import type { Context } from 'hono'
import { scoped, scopedToRead } from '../api-keys/authentication/authenticate.ts'
import type { AuditState } from '../audit/record.ts'
import { ledgerKey } from '../db/ledger-db.ts'
import { auditorOf, ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { BEHIND_ALL_IDS, idPage } from '../http/input/pagination.ts'
import { timeJson } from '../http/input/times.ts'
import { faultOfAddress } from '../http/outbound/check-address.ts'
import { jsonResponse } from '../http/output/json.ts'
import {
  invalidRequest,
  noSuch,
  problem,
  refusalResponse,
  serviceUnavailable,
} from '../http/output/problem.ts'
import { type Answer, answerOnce, type KeepAnswer } from '../http/output/stored-answers.ts'
import { createRouter, json, jsonRequest, route } from '../http/route.ts'
import { newId } from '../ids.ts'
import { auditStatement } from '../ledger/flush/audit-log.ts'
import { findProvider, nearestProviders } from '../pricing/catalogue/catalogue.ts'
import { providerName } from '../pricing/catalogue/provider-name.ts'
import { mastersOf, requireDataKey } from '../secrets/data-keys.ts'
import { hasUsualAddress, requireProvider } from './providers.ts'
import {
  providerKeyDraftSchema,
  providerKeyPath,
  providerKeySchema,
  providerKeysQuery,
  providerKeysSchema,
} from './schema.ts'
import {
  deleteProviderKey,
  findProviderKey,
  hasProviderKey,
  insertProviderKey,
  listProviderKeys,
  MAX_PROVIDER_KEYS,
  type ProviderKey,
  sealKey,
} from './store.ts'
import { forgetProviderKeys, NOT_CONFIGURED } from './upstream.ts'

const createKeyRoute = route({
  method: 'post',
  path: '/',
  summary: 'Store a key of an AI provider for calls through the gateway',
  description:
    'The key is encrypted and never returned. Responses contain at most its last four characters. If a call neither sends nor names a provider key, the gateway uses the newest stored key of the provider. Live and test ledgers have separate provider keys.',
  ...scoped('provider-keys:write'),
  request: { body: jsonRequest(providerKeyDraftSchema) },
  answers: { 201: json('The stored key, without its secret.', providerKeySchema) },
  problems: [
    'invalid_request',
    'conflict',
    'unknown_provider',
    'idempotency_mismatch',
    'provider_keys_not_configured',
  ],
})

const listRoute = route({
  method: 'get',
  path: '/',
  summary: 'List the stored keys of AI providers without their secrets, newest first',
  ...scopedToRead('provider-keys:write'),
  request: { query: providerKeysQuery },
  answers: { 200: json('A page of provider keys.', providerKeysSchema) },
})

const deleteRoute = route({
  method: 'delete',
  path: '/{id}',
  summary: 'Delete the stored key of an AI provider',
  description:
    'The gateway stops using the key within 30 seconds. Calls that have already begun end normally.',
  ...scoped('provider-keys:write'),
  request: { params: providerKeyPath },
  answers: { 200: json('The deleted key.', providerKeySchema) },
  problems: ['not_found'],
})

export const providerKeysRoutes = createRouter()

providerKeysRoutes.openapi(createKeyRoute, async (c) => {
  const draft = c.req.valid('json')
  const once = { owner: ledgerKey(ledgerOf(c)), operation: 'POST /v1/provider-keys' }
  try {
    return await answerOnce(c, once, (keep) => create(c, draft, keep))
  } catch (error) {
    return serviceUnavailable(c, 'provider_key_not_stored', error)
  }
})

providerKeysRoutes.openapi(listRoute, async (c) => {
  const { cursor, limit } = c.req.valid('query')
  const ledger = ledgerOf(c)
  try {
    const found = await listProviderKeys(c.env, ledgerKey(ledger), {
      before_id: cursor ?? BEHIND_ALL_IDS,
      limit: limit + 1,
    })
    const { rows, next_cursor } = idPage(found, limit, (key) => key.provider_key_id)
    return jsonResponse(c, { data: rows.map((key) => providerKeyJson(key, ledger.mode)), next_cursor })
  } catch (error) {
    return serviceUnavailable(c, 'provider_keys_not_listed', error)
  }
})

providerKeysRoutes.openapi(deleteRoute, async (c) => {
  const { id } = c.req.valid('param')
  const ledger = ledgerOf(c)
  const ledger_id = ledgerKey(ledger)
  try {
    const key = await findProviderKey(c.env, ledger_id, id)
    if (!key) return noSuch(c, 'provider key', id)
    const audit = auditOf(c, 'provider_keys.delete', key)
    const [deleted] = await c.env.DB.batch([deleteProviderKey(c.env, ledger_id, id), audit])
    forgetProviderKeys(ledger_id)
    if (deleted?.meta.changes !== 1) return noSuch(c, 'provider key', id)
    return jsonResponse(c, providerKeyJson(key, ledger.mode))
  } catch (error) {
    return serviceUnavailable(c, 'provider_key_not_deleted', error)
  }
})

interface Draft {
  readonly provider: string
  readonly name: string
  readonly key: string
  readonly base_url?: string | undefined
}

async function create(c: Context<AppEnv>, draft: Draft, keep: KeepAnswer): Promise<Answer | Response> {
  const provider = findProvider(draft.provider)
  if (!provider) {
    const nearest = nearestProviders(draft.provider)
    return refusalResponse(c, { code: 'unknown_provider', provider: draft.provider, nearest })
  }
  if (draft.base_url === undefined && !hasUsualAddress(provider)) {
    return wrongBaseUrl(c, `is required for ${providerName(provider)}`)
  }
  const wrong = draft.base_url === undefined ? undefined : await faultOf(c, draft.base_url)
  if (wrong !== undefined) return wrongBaseUrl(c, wrong)

  const { customer_id, mode } = ledgerOf(c)
  const now_ms = Date.now()
  if (mastersOf(c.env).length === 0) return notConfigured(c)
  const data_key = await requireDataKey(c.env, customer_id, now_ms)
  if (data_key.kind !== 'key') return notConfigured(c)
  const ledger_id = ledgerKey({ customer_id, mode })
  const key: ProviderKey = {
    provider_key_id: newId('pk', now_ms),
    provider: provider.id,
    name: draft.name,
    base_url: draft.base_url ?? null,
    last_four: lastFour(draft.key),
    created_at_ms: now_ms,
  }
  const answer = { status: 201 as const, body: providerKeyJson(key, mode) }
  const [inserted] = await c.env.DB.batch([
    insertProviderKey(c.env, ledger_id, { ...key, sealed: sealKey(draft.key, data_key.key, ledger_id, key) }),
    auditOf(c, 'provider_keys.create', key),
    ...keep(answer, { if_changed: true }),
  ])
  forgetProviderKeys(ledger_id)
  if (inserted?.meta.changes === 1) return answer
  const detail = (await hasProviderKey(c.env, ledger_id, key))
    ? `A key with this name exists for ${providerName(provider)}. Delete it first, or use another name.`
    : `There are ${MAX_PROVIDER_KEYS} provider keys, which is the limit. Delete a key first.`
  return problem(c, { code: 'conflict', detail })
}

async function faultOf(c: Context<AppEnv>, base_url: string): Promise<string | undefined> {
  if (base_url.includes('?')) return 'must not have a query'
  return faultOfAddress(c.env, { url: base_url, own_url: c.req.url })
}

function wrongBaseUrl(c: Context<AppEnv>, message: string): Response {
  return invalidRequest(c, `base_url ${message}.`, [{ path: '/base_url', message }])
}

function notConfigured(c: Context<AppEnv>): Response {
  return problem(c, { code: 'provider_keys_not_configured', detail: NOT_CONFIGURED })
}

/**
 * Returns the last four characters of a key. For a key with fewer than eight characters, returns at most its last half.
 */
function lastFour(key: string): string {
  return key.slice(key.length - Math.min(4, Math.floor(key.length / 2)))
}

function providerKeyJson(key: ProviderKey, mode: 'live' | 'test'): object {
  return {
    id: key.provider_key_id,
    provider: providerName(requireProvider(key.provider)),
    name: key.name,
    last_four: key.last_four,
    base_url: key.base_url,
    mode,
    created_at: timeJson(key.created_at_ms),
  }
}

/**
 * Returns the statement that writes the audit record of a change. It writes the record only if the previous statement
 * in the batch changed a row. The record contains only the host of the base URL, because the path can contain a secret.
 */
function auditOf(
  c: Context<AppEnv>,
  action: 'provider_keys.create' | 'provider_keys.delete',
  { provider_key_id: target, provider, name, base_url }: ProviderKey,
): D1PreparedStatement {
  const state: AuditState = { provider, name, host: base_url === null ? null : new URL(base_url).host }
  const created = action === 'provider_keys.create'
  const record = {
    ...auditorOf(c, c.get('key').key_id),
    action,
    target,
    before: created ? null : state,
    after: created ? state : null,
  }
  return auditStatement(c.env.DB, ledgerOf(c), record, Date.now(), { if_changed: true })
}
