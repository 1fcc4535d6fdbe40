import { describe, expect, it } from 'vitest'
import { createApp } from '../../src/app.ts'
import { AUDIT_ACTIONS, type AuditAction } from '../../src/audit/record.ts'

/**
 * The routes that write an audit record, with the action of the record. A route that changes something must be in this
 * list or in the list of exceptions below.
 */

const AUDITED: Readonly<Record<string, AuditAction>> = {
  'post /v1/customers/register': 'customers.register',
  'post /v1/api-keys': 'api_keys.create',
  'post /v1/api-keys/{id}/rotate': 'api_keys.rotate',
  'delete /v1/api-keys/{id}': 'api_keys.delete',
  'post /v1/provider-keys': 'provider_keys.create',
  'delete /v1/provider-keys/{id}': 'provider_keys.delete',
  'post /v1/gateway-routes': 'gateway_routes.create',
  'patch /v1/gateway-routes/{id}': 'gateway_routes.change',
  'delete /v1/gateway-routes/{id}': 'gateway_routes.delete',
  'post /v1/credit-packs': 'credit_packs.create',
  'patch /v1/credit-packs/{id}': 'credit_packs.change',
  'delete /v1/credit-packs/{id}': 'credit_packs.delete',
  'put /v1/credits/auto-top-up': 'credits.set_auto_top_up',
  'delete /v1/credits/auto-top-up': 'credits.delete_auto_top_up',
  'post /v1/webhook-endpoints': 'webhook_endpoints.create',
  'patch /v1/webhook-endpoints/{id}': 'webhook_endpoints.change',
  'delete /v1/webhook-endpoints/{id}': 'webhook_endpoints.delete',
  'post /v1/webhook-endpoints/{id}/rotate-secret': 'webhook_endpoints.rotate_secret',
  'post /v1/admin/webhook-endpoints': 'webhook_endpoints.create',
  'patch /v1/admin/webhook-endpoints/{id}': 'webhook_endpoints.change',
  'delete /v1/admin/webhook-endpoints/{id}': 'webhook_endpoints.delete',
  'post /v1/admin/webhook-endpoints/{id}/rotate-secret': 'webhook_endpoints.rotate_secret',
  'post /v1/credits/grant': 'credits.grant',
  'post /v1/credits/purchase': 'credits.purchase',
  'post /v1/credits/refund': 'credits.refund',
  'post /v1/credits/transfer': 'credits.transfer',
  'post /v1/credits/adjust': 'credits.adjust',
  'post /v1/credits/lots/{id}/revoke': 'credits.revoke',
  'patch /v1/credits/wallets': 'credits.set_overdraft',
  'delete /v1/credits/recurring-grants/{id}': 'credits.stop_recurring',
  'post /v1/events/{id}/void': 'credits.void',
  'post /v1/entitlements': 'entitlements.create',
  'put /v1/entitlements/{id}': 'entitlements.replace',
  'delete /v1/entitlements/{id}': 'entitlements.delete',
  'post /v1/burn-tables': 'burn_tables.create',
  'patch /v1/burn-tables/{id}': 'burn_tables.edit',
  'delete /v1/burn-tables/{id}': 'burn_tables.delete',
  'post /v1/rating/price-overrides': 'price_overrides.create',
  'put /v1/drop-in/openmeter': 'drop_in.set_mappings',
  'post /openmonetize/v1/customers/register': 'customers.register',
  'post /openmonetize/v1/credits/grant': 'credits.grant',
  'post /openmonetize/v1/credits/purchase': 'credits.purchase',
  'post /openmonetize/v1/entitlements': 'entitlements.create',
  'put /openmonetize/v1/entitlements/{id}': 'entitlements.replace',
  'delete /openmonetize/v1/entitlements/{id}': 'entitlements.delete',
  'delete /v1/users/{user_id}': 'users.erase',
  'delete /v1/teams/{team_id}': 'teams.erase',
  'post /v1/admin/provider-costs': 'provider_costs.create',
  'post /v1/admin/price-feed/apply': 'admin.apply_price_feed',
  'post /v1/admin/price-feed/reject': 'admin.reject_price_feed',
  'post /v1/admin/rerate': 'admin.rerate',
  'patch /v1/admin/customers/{id}': 'customers.change',
  'post /v1/admin/customers/{id}/api-keys': 'api_keys.create',
  'post /v1/admin/customers/{id}/rebuild': 'admin.rebuild',
  'post /v1/admin/reconcile': 'admin.reconcile',
  'post /v1/admin/dead-letters/replay': 'admin.replay_dead_letters',
}

const NOT_AUDITED: Readonly<Record<string, string>> = {
  'post /v1/events/ingest': 'usage',
  'post /v1/holds': 'usage',
  'post /v1/holds/{id}/capture': 'usage',
  'post /v1/holds/{id}/release': 'usage',
  'post /v1/holds/{id}/extend': 'usage',
  'post /v1/entitlements/check': 'usage, if it holds; else it changes nothing',
  'post /v1/payments/checkout': 'moves no credits: the purchase that follows is an entry',
  'post /v1/payments/stripe/webhook': 'the same',
  'post /v1/rating/calculate': 'changes nothing',
  'post /v1/rating/calculate/bulk': 'changes nothing',
  'post /v1/rating/simulate': 'changes nothing',
  'post /v1/alerts': 'a watch: nothing of keys, credits, pricing or entitlements',
  'patch /v1/alerts/{id}': 'the same',
  'delete /v1/alerts/{id}': 'the same',
  'post /v1/portal-tokens': 'stores nothing, and ends within an hour',
  'post /v1/users': "a person's email and metadata: nothing of keys, credits, pricing or entitlements",
  'patch /v1/users/{user_id}': 'the same',
  'post /v1/teams': 'the same',
  'post /otlp/v1/traces': 'usage',
  'post /otlp/v1/metrics': 'usage',
  'post /openmeter/api/v1/events': 'usage',
  'post /litellm/events': 'usage',
  'post /stripe/v1/billing/meter_events': 'usage',
  'post /openmonetize/v1/events/ingest': 'usage',
  'post /openmonetize/v1/entitlements/check': 'changes nothing',
  'post /openmonetize/v1/rating/calculate': 'changes nothing',
  'post /openmonetize/v1/rating/calculate/bulk': 'changes nothing',
  'post /openmonetize/v1/users': 'as POST /v1/users',
  'post /v1/webhook-endpoints/{id}/test': 'sends a message, and changes nothing',
  'post /v1/webhook-endpoints/{id}/replay': 'sends messages again',
  'post /v1/webhook-deliveries/{id}/retry': 'sends a message again',
  'post /v1/admin/webhook-endpoints/{id}/test': 'sends a message, and changes nothing',
  'post /v1/admin/webhook-endpoints/{id}/replay': 'sends messages again',
  'post /v1/admin/webhook-deliveries/{id}/retry': 'sends a message again',
  'patch /v1/teams/{team_id}': 'the same',
}

describe('every route that changes something', () => {
  const document = createApp().getOpenAPI31Document({ openapi: '3.1.0', info: { title: 'x', version: '1' } })
  const changing = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
    Object.keys(methods ?? {})
      .filter((method) => ['post', 'put', 'patch', 'delete'].includes(method))
      .map((method) => `${method} ${path}`),
  )

  it('leaves an audit record, or is listed as needing none', () => {
    const decided = new Set([...Object.keys(AUDITED), ...Object.keys(NOT_AUDITED)])
    expect(changing.filter((route) => !decided.has(route))).toEqual([])
  })

  it('has an action of its own, and each action is of some route', () => {
    expect(new Set(Object.values(AUDITED))).toEqual(new Set(AUDIT_ACTIONS))
  })
})
