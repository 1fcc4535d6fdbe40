import { jsonResponse } from '../../http/output/json.ts'
import { isRecord } from '../../ledger/model/json.ts'
import { listAll } from './pages.ts'
import { type Fields, pick, snakeCase, type Translation } from './translation.ts'

/**
 * The translations of the routes that check entitlements, and of the routes that create, change, delete and list them.
 */

const ACTION = {
  type: 'type',
  provider: 'provider',
  model: 'model',
  estimated_input_tokens: 'estimated_input_tokens',
  estimated_output_tokens: 'estimated_output_tokens',
  estimated_count: 'estimated_count',
}

const RULES = {
  user_id: 'user_id',
  feature_id: 'feature_id',
  limit_type: 'limit_type',
  limit_value: 'limit_value',
  period: 'period',
  metadata: 'metadata',
}

/**
 * Returns the fields of an entitlement in the format of this API. The original service accepts a limit without a value
 * or without a period. A limit without a value means that there is no limit. A limit without a period has the period
 * `TOTAL`.
 */
function rulesOf(fields: Fields): object {
  const rules = pick(fields, RULES)
  if (rules.limit_value === undefined) return { ...rules, limit_type: 'NONE', period: undefined }
  return { ...rules, period: rules.period ?? 'TOTAL' }
}

function entitlementOf(record: Fields): object {
  return {
    id: record.id,
    featureId: record.feature_id,
    userId: record.user_id,
    isEnabled: record.enabled,
    limitType: record.limit_type,
    limitValue: record.limit_value,
    period: record.period,
    metadata: record.metadata,
  }
}

const pathOf = (id: string | undefined) => `/v1/entitlements/${encodeURIComponent(id ?? '')}`

export const entitlementTranslations: readonly Translation[] = [
  {
    method: 'post',
    path: '/v1/entitlements/check',
    summary: 'Check whether a user may use a feature',
    scope: 'entitlements:read',
    status: 200,
    problems: ['unknown_provider', 'unpriced_model'],
    async run({ c, body, send }) {
      const action = isRecord(body.action) ? pick(snakeCase(body.action), ACTION) : undefined
      const checked = await send({
        method: 'POST',
        path: '/v1/entitlements/check',
        body: {
          ...pick(body, { user_id: 'user_id', team_id: 'team_id', feature_id: 'feature_id' }),
          ...(action && { action }),
        },
      })
      return jsonResponse(c, {
        allowed: checked.allowed,
        reason: checked.reason === null ? null : checked.message,
        estimatedCostCredits: checked.estimated_cost_credits,
        estimatedCostUsd: checked.estimated_cost_usd,
        currentBalance: checked.current_balance,
        actions: checked.actions,
      })
    },
  },
  {
    method: 'post',
    path: '/v1/entitlements',
    summary: 'Create an entitlement',
    scope: 'entitlements:write',
    status: 201,
    problems: ['conflict', 'idempotency_mismatch', 'too_many_open'],
    async run({ c, body, send }) {
      const created = await send({ method: 'POST', path: '/v1/entitlements', body: rulesOf(body) })
      return jsonResponse(c, { data: entitlementOf(created) }, 201)
    },
  },
  {
    method: 'put',
    path: '/v1/entitlements/{id}',
    summary: 'Change an entitlement',
    scope: 'entitlements:write',
    status: 200,
    problems: ['conflict'],
    async run({ c, params, body, send }) {
      const path = pathOf(params.id)
      // `PUT /v1/entitlements/{id}` replaces all fields, so fields that are absent in the request are copied from the
      // entitlement.
      const known = await send({ method: 'GET', path, granted: 'entitlements:read' })
      const kept = pick(known, {
        limit_type: 'limit_type',
        limit_value: 'limit_value',
        period: 'period',
        metadata: 'metadata',
      })
      const replaced = await send({ method: 'PUT', path, body: rulesOf(snakeCase({ ...kept, ...body })) })
      return jsonResponse(c, { data: entitlementOf(replaced) })
    },
  },
  {
    method: 'delete',
    path: '/v1/entitlements/{id}',
    summary: 'Delete an entitlement',
    scope: 'entitlements:write',
    status: 204,
    async run({ c, params, send }) {
      await send({ method: 'DELETE', path: pathOf(params.id) })
      return c.body(null, 204)
    },
  },
  {
    method: 'get',
    path: '/v1/customers/{customerId}/entitlements',
    summary: 'List the entitlements of the customer',
    scope: 'entitlements:read',
    status: 200,
    query: ['limit', 'offset'],
    async run(asked) {
      const list = await listAll(asked, '/v1/entitlements', {})
      return list instanceof Response
        ? list
        : jsonResponse(asked.c, { ...list, data: list.data.map(entitlementOf) })
    },
  },
]
