import { type Call, type Http, pathOf, queryOf, type RequestOptions } from './http.ts'
import { List, type Page } from './list.ts'
import type { Answer, Body, Event, Operation, Query, Row, Schemas } from './types.ts'

/** The arguments of a call: a body and options. The body is optional if all of its fields are optional. */
type Sent<O extends Operation> =
  Record<never, never> extends Body<O>
    ? [body?: Body<O>, options?: RequestOptions]
    : [body: Body<O>, options?: RequestOptions]

/**
 * The client's methods by resource. Each of them calls one route. The path of the route is from the OpenAPI document,
 * but its parameter is always `{id}`.
 */
export type Resources = ReturnType<typeof resources>

export function resources(http: Http) {
  /** Returns the method of a `GET` route without parameters. */
  const read =
    <O extends Operation>(path: string) =>
    (options?: RequestOptions) =>
      http.call<Answer<O>>('GET', path, undefined, options)
  const query =
    <O extends Operation>(path: string, method = 'GET') =>
    (params?: Query<O>, options?: RequestOptions) =>
      http.call<Answer<O>>(method, path + queryOf(params), undefined, options)
  const list =
    <O extends Operation>(path: string) =>
    (params?: Query<O>, options?: RequestOptions) =>
      listOf<Row<O>>(http, path, params, options)
  const one =
    <O extends Operation>(path: string, method = 'GET') =>
    (id: string, options?: RequestOptions) =>
      http.call<Answer<O>>(method, pathOf(path, id), undefined, options)
  const send =
    <O extends Operation>(path: string, method = 'POST') =>
    (...[body, options]: Sent<O>) =>
      http.call<Answer<O>>(method, path, body ?? {}, options)
  const sendTo =
    <O extends Operation>(path: string, method = 'POST') =>
    (id: string, ...[body, options]: Sent<O>) =>
      http.call<Answer<O>>(method, pathOf(path, id), body ?? {}, options)
  /** Returns the methods `create` and `list` of a resource. */
  const records = <Create extends Operation, List extends Operation>(path: string) => ({
    create: send<Create>(path),
    list: list<List>(path),
  })
  /** Returns the methods of `records`, and the method `delete`. */
  const basics = <Create extends Operation, List extends Operation, Delete extends Operation>(
    path: string,
  ) => ({
    ...records<Create, List>(path),
    delete: one<Delete>(`${path}/{id}`, 'DELETE'),
  })
  /** Returns the methods of `basics`, and the methods `retrieve` and `update`. */
  const objects = <
    Create extends Operation,
    List extends Operation,
    Get extends Operation,
    Update extends Operation,
    Delete extends Operation,
  >(
    path: string,
    update = 'PATCH',
  ) => ({
    ...basics<Create, List, Delete>(path),
    retrieve: one<Get>(`${path}/{id}`),
    update: sendTo<Update>(`${path}/{id}`, update),
  })

  return {
    events: {
      ingest: ingestOf(http),
      list: list<'listEvents'>('/v1/events'),
      retrieve: one<'getEvent'>('/v1/events/{id}'),
      void: one<'voidEvent'>('/v1/events/{id}/void', 'POST'),
      explain: one<'explainEvent'>('/v1/events/{id}/explain'),
      receipt: one<'getReceipt'>('/v1/events/{id}/receipt'),
    },
    credits: {
      balance: query<'getBalance'>('/v1/credits/balance'),
      lots: list<'listLots'>('/v1/credits/lots'),
      revoke: sendTo<'revokeLot'>('/v1/credits/lots/{id}/revoke'),
      transactions: list<'listTransactions'>('/v1/credits/transactions'),
      grant: send<'grantCredits'>('/v1/credits/grant'),
      purchase: send<'purchaseCredits'>('/v1/credits/purchase'),
      refund: send<'refundTransaction'>('/v1/credits/refund'),
      transfer: send<'transferCredits'>('/v1/credits/transfer'),
      adjust: send<'adjustCredits'>('/v1/credits/adjust'),
      updateWallet: send<'updateWallet'>('/v1/credits/wallets', 'PATCH'),
      autoTopUp: {
        retrieve: query<'getAutoTopUp'>('/v1/credits/auto-top-up'),
        update: (body: Body<'setAutoTopUp'>, params?: Query<'setAutoTopUp'>, options?: RequestOptions) =>
          send<'setAutoTopUp'>(`/v1/credits/auto-top-up${queryOf(params)}`, 'PUT')(body, options),
        delete: query<'deleteAutoTopUp'>('/v1/credits/auto-top-up', 'DELETE'),
      },
      recurringGrants: {
        list: list<'listRecurringGrants'>('/v1/credits/recurring-grants'),
        delete: one<'stopRecurringGrant'>('/v1/credits/recurring-grants/{id}', 'DELETE'),
      },
    },
    payments: {
      checkout: send<'createCheckout'>('/v1/payments/checkout'),
      list: list<'listPayments'>('/v1/payments'),
      retrieve: one<'getPayment'>('/v1/payments/{id}'),
    },
    /**
     * The export has no method, because it is NDJSON. Fetch `/v1/ledger/export`, and verify the export with
     * `@openmonetize/verify`.
     */
    ledger: { checkpoint: read<'getCheckpoint'>('/v1/ledger/checkpoint') },
    holds: {
      ...records<'createHold', 'listHolds'>('/v1/holds'),
      retrieve: one<'getHold'>('/v1/holds/{id}'),
      capture: sendTo<'captureHold'>('/v1/holds/{id}/capture'),
      release: one<'releaseHold'>('/v1/holds/{id}/release', 'POST'),
      extend: sendTo<'extendHold'>('/v1/holds/{id}/extend'),
    },
    entitlements: {
      check: send<'checkEntitlement'>('/v1/entitlements/check'),
      ...objects<
        'createEntitlement',
        'listEntitlements',
        'getEntitlement',
        'replaceEntitlement',
        'deleteEntitlement'
      >('/v1/entitlements', 'PUT'),
    },
    rating: {
      calculate: send<'calculatePrice'>('/v1/rating/calculate'),
      calculateBulk: send<'calculatePrices'>('/v1/rating/calculate/bulk'),
      simulate: send<'simulateBurnTable'>('/v1/rating/simulate'),
      pricing: pricingOf(http),
      priceOverrides: records<'createPriceOverride', 'listPriceOverrides'>('/v1/rating/price-overrides'),
    },
    burnTables: {
      ...objects<
        'createBurnTable',
        'listBurnTables',
        'getBurnTable',
        'updateBurnTable',
        'deactivateBurnTable'
      >('/v1/burn-tables'),
      active: read<'getActiveBurnTable'>('/v1/burn-tables/active'),
      retrieve: (id: string, params?: Query<'getBurnTable'>, options?: RequestOptions) =>
        query<'getBurnTable'>(pathOf('/v1/burn-tables/{id}', id))(params, options),
    },
    dropIn: {
      retrieve: read<'getDropInStatus'>('/v1/drop-in'),
      openMeter: {
        retrieve: read<'getOpenMeterMappings'>('/v1/drop-in/openmeter'),
        update: send<'setOpenMeterMappings'>('/v1/drop-in/openmeter', 'PUT'),
      },
    },
    analytics: {
      usage: query<'getUsage'>('/v1/analytics/usage'),
      costs: query<'getCosts'>('/v1/analytics/costs'),
      burnRate: query<'getBurnRate'>('/v1/analytics/burn-rate'),
    },
    users: objects<'createUser', 'listUsers', 'getUser', 'updateUser', 'eraseUser'>('/v1/users'),
    teams: objects<'createTeam', 'listTeams', 'getTeam', 'updateTeam', 'eraseTeam'>('/v1/teams'),
    gatewayRoutes: objects<
      'createGatewayRoute',
      'listGatewayRoutes',
      'getGatewayRoute',
      'updateGatewayRoute',
      'deleteGatewayRoute'
    >('/v1/gateway-routes'),
    alerts: objects<'createAlert', 'listAlerts', 'getAlert', 'updateAlert', 'deleteAlert'>('/v1/alerts'),
    creditPacks: objects<
      'createCreditPack',
      'listCreditPacks',
      'getCreditPack',
      'updateCreditPack',
      'deleteCreditPack'
    >('/v1/credit-packs'),
    apiKeys: {
      ...basics<'createApiKey', 'listApiKeys', 'deleteApiKey'>('/v1/api-keys'),
      rotate: sendTo<'rotateApiKey'>('/v1/api-keys/{id}/rotate'),
    },
    webhookEndpoints: {
      ...objects<
        'createWebhookEndpoint',
        'listWebhookEndpoints',
        'getWebhookEndpoint',
        'updateWebhookEndpoint',
        'deleteWebhookEndpoint'
      >('/v1/webhook-endpoints'),
      rotateSecret: sendTo<'rotateWebhookSecret'>('/v1/webhook-endpoints/{id}/rotate-secret'),
      test: one<'testWebhookEndpoint'>('/v1/webhook-endpoints/{id}/test', 'POST'),
      replay: sendTo<'replayWebhookEndpoint'>('/v1/webhook-endpoints/{id}/replay'),
    },
    webhookDeliveries: {
      list: list<'listWebhookDeliveries'>('/v1/webhook-deliveries'),
      retrieve: one<'getWebhookDelivery'>('/v1/webhook-deliveries/{id}'),
      retry: one<'retryWebhookDelivery'>('/v1/webhook-deliveries/{id}/retry', 'POST'),
    },
    providerKeys: basics<'createProviderKey', 'listProviderKeys', 'deleteProviderKey'>('/v1/provider-keys'),
    portalTokens: { create: send<'createPortalToken'>('/v1/portal-tokens') },
    customers: {
      /**
       * Registers a customer. A deployment with open registration needs no key: create the client with `apiKey:
       * null`.
       */
      register: send<'registerCustomer'>('/v1/customers/register'),
      me: read<'getCurrentCustomer'>('/v1/customers/me'),
    },
    platform: {
      health: read<'getHealth'>('/health'),
      ready: read<'getReadiness'>('/ready'),
      openapi: read<'getOpenApiDocument'>('/openapi.json'),
    },
    /** The operator's routes. Create the client with the operator token as its `apiKey`. */
    admin: {
      stats: read<'getStats'>('/v1/admin/stats'),
      audit: list<'listAuditLog'>('/v1/admin/audit'),
      unrated: list<'listUnratedModels'>('/v1/admin/unrated'),
      rerate: send<'rerateEvents'>('/v1/admin/rerate'),
      reconcile: send<'reconcile'>('/v1/admin/reconcile'),
      customers: {
        list: list<'listCustomers'>('/v1/admin/customers'),
        retrieve: one<'getCustomer'>('/v1/admin/customers/{id}'),
        update: sendTo<'updateCustomer'>('/v1/admin/customers/{id}', 'PATCH'),
        createApiKey: sendTo<'createCustomerApiKey'>('/v1/admin/customers/{id}/api-keys'),
        rebuild: sendTo<'rebuildCustomer'>('/v1/admin/customers/{id}/rebuild'),
      },
      providerCosts: records<'createProviderCost', 'listProviderCosts'>('/v1/admin/provider-costs'),
      priceFeed: {
        retrieve: read<'listPriceFeeds'>('/v1/admin/price-feed'),
        apply: send<'applyPriceFeed'>('/v1/admin/price-feed/apply'),
        reject: send<'rejectPriceFeed'>('/v1/admin/price-feed/reject'),
      },
      deadLetters: {
        list: list<'listDeadLetters'>('/v1/admin/dead-letters'),
        replay: send<'replayDeadLetters'>('/v1/admin/dead-letters/replay'),
      },
    },
  }
}

function listOf<T>(http: Http, path: string, params: unknown, options?: RequestOptions): List<T> {
  return new List<T>((cursor) => {
    const paged = cursor === undefined ? params : { ...Object(params), cursor }
    return http.call<Page<T>>('GET', path + queryOf(paged), undefined, options)
  })
}

interface Batch {
  readonly events: readonly Event[]
}

function ingestOf(http: Http) {
  function ingest(event: Event, options?: RequestOptions): Call<Schemas['Ingested']>
  function ingest(batch: Batch, options?: RequestOptions): Call<Schemas['BatchResult']>
  function ingest(
    body: Event | Batch,
    options?: RequestOptions,
  ): Call<Schemas['Ingested']> | Call<Schemas['BatchResult']> {
    const path = '/v1/events/ingest'
    if ('events' in body) return http.call<Schemas['BatchResult']>('POST', path, body, options)
    // If the body has an idempotency key, the header must have the same key.
    return http.call<Schemas['Ingested']>('POST', path, body, {
      idempotencyKey: body.idempotency_key,
      ...options,
    })
  }
  return ingest
}

type Prices = Query<'listProviderPrices'>

function pricingOf(http: Http) {
  const path = '/v1/rating/pricing'
  /** Requests the price of one model. */
  function pricing(
    params: Prices & { readonly provider: string; readonly model: string },
    options?: RequestOptions,
  ): Call<Schemas['ModelPrice']>
  /** Lists the models of one provider. */
  function pricing(
    params: Prices & { readonly provider: string },
    options?: RequestOptions,
  ): List<Schemas['ModelPrice']>
  /** Lists all providers. */
  function pricing(params?: Prices, options?: RequestOptions): List<Schemas['Provider']>
  function pricing(
    params?: Prices,
    options?: RequestOptions,
  ): Call<Schemas['ModelPrice']> | List<Schemas['ModelPrice'] | Schemas['Provider']> {
    return params?.model === undefined
      ? listOf<Schemas['ModelPrice'] | Schemas['Provider']>(http, path, params, options)
      : http.call('GET', path + queryOf(params), undefined, options)
  }
  return pricing
}
