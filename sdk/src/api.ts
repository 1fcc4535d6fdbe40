// Made from the OpenAPI document by "npm run generate -w sdk". Do not edit.

export interface paths {
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Check that the Worker is running
         * @description Check that the Worker is running.
         */
        get: operations["getHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Check that D1, KV and ledger objects respond
         * @description The result is cached for 5 seconds. If a dependency does not respond, the response is a problem document that also contains `checks`.
         */
        get: operations["getReadiness"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the start page
         * @description The page contains links to the dashboard, the documentation and the health checks. The request header `Accept` selects HTML or JSON.
         */
        get: operations["getRoot"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the OpenAPI 3.1 document
         * @description The document is generated from the schemas that validate requests.
         */
        get: operations["getOpenApiDocument"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the API reference as a web page
         * @description The deployment serves all files of the page, so the page loads nothing from other hosts.
         */
        get: operations["getDocumentation"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs/errors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the page of error codes
         * @description The page explains each error `code` and how to solve the problem. The `type` of a problem document links to the code on this page.
         */
        get: operations["getErrorReference"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs/{file}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a file of the API reference
         * @description The file is a script or a style sheet of the page at `/docs`.
         */
        get: operations["getDocumentationAsset"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/.well-known/openmonetize-keys.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the public keys that verify checkpoints and receipts
         * @description Returns a JSON Web Key Set. The set also contains replaced keys, so that old signatures can be verified.
         */
        get: operations["getSigningKeys"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/customers/register": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Register a customer
         * @description Only this response contains the first API key. If the request contains the operator token, a repeat with the same `Idempotency-Key` gets the same response. A response to a request without a token is not stored, because no credential can encrypt it. A repeat of this request therefore gets a 409 response.
         */
        post: operations["registerCustomer"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/customers/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the customer of the API key
         * @description Get the customer of the API key.
         *
         *     Requires an API key with any scope.
         */
        get: operations["getCurrentCustomer"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the audit log, newest first
         * @description Lists the audit records. The values of `action` are the recorded changes. Each accepted change has exactly one record. Records cannot be changed or deleted. A change in a ledger appears after the next flush of the ledger, within seconds. A page can contain fewer records than `limit` although `next_cursor` is set.
         *
         *     Requires the operator token.
         */
        get: operations["listAuditLog"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/customers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List customers, newest first
         * @description The registration of a PENDING customer is incomplete. To complete it, repeat the registration with the same email.
         *
         *     Requires the operator token.
         */
        get: operations["listCustomers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/customers/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a customer
         * @description Get a customer.
         *
         *     Requires the operator token.
         */
        get: operations["getCustomer"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change a customer's tier, or suspend, close or reactivate it
         * @description The ledgers of the customer apply the change before the response is sent. The rest of the API applies it within 90 s. Keys of a SUSPENDED or CLOSED customer can only read. Both statuses have the same effect. No data is deleted. After a 503, repeat the request to complete the change.
         *
         *     Requires the operator token.
         */
        patch: operations["updateCustomer"];
        trace?: never;
    };
    "/v1/admin/customers/{id}/api-keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Issue an API key to a customer, for example to replace a lost key
         * @description Only this response contains the text of the key. If the response is lost, repeat the request with the same `Idempotency-Key` and the same operator token. The stored response is encrypted with this token. The customer's other keys are unaffected.
         *
         *     Requires the operator token.
         */
        post: operations["createCustomerApiKey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/customers/{id}/rebuild": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rebuild a customer's analytics from the ledger pages in D1
         * @description Analytics use the old rollups until the new rollups are complete. One call processes up to 25,000 entries.
         *
         *     Requires the operator token.
         */
        post: operations["rebuildCustomer"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/dead-letters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List dead letters: usage messages that could not be consumed, newest first
         * @description List dead letters: usage messages that could not be consumed, newest first.
         *
         *     Requires the operator token.
         */
        get: operations["listDeadLetters"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/dead-letters/replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Replay the given dead letters; without ids, the 100 with the oldest last failure
         * @description Replay the given dead letters; without ids, the 100 with the oldest last failure.
         *
         *     Requires the operator token.
         */
        post: operations["replayDeadLetters"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the figures as Prometheus metrics
         * @description Returns the figures of `GET /v1/admin/stats` in the Prometheus text format 0.0.4. Counters (`…_total`) start again at 0 at midnight UTC. They are delayed by about a minute.
         *
         *     Requires the operator token.
         */
        get: operations["getMetrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/price-feed": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the price feeds that were read, newest first, at most 100
         * @description List the price feeds that were read, newest first, at most 100.
         *
         *     Requires the operator token.
         */
        get: operations["listPriceFeeds"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/price-feed/apply": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Apply a waiting price feed in spite of large price changes, missing prices or zero prices
         * @description The prices take effect at the time of the request. Every rating uses the new prices within 90 s.
         *
         *     Requires the operator token.
         */
        post: operations["applyPriceFeed"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/price-feed/reject": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reject a waiting price feed
         * @description Reject a waiting price feed.
         *
         *     Requires the operator token.
         */
        post: operations["rejectPriceFeed"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/provider-costs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the operator's prices, newest first, including ended and future ones
         * @description List the operator's prices, newest first, including ended and future ones.
         *
         *     Requires the operator token.
         */
        get: operations["listProviderCosts"];
        put?: never;
        /**
         * Set a provider's price for all customers, to add a model or to correct the catalogue
         * @description The price takes effect at `effective_from`. All ratings use it within 90 s. The replaced price ends at that time and is kept. Prices are never edited. The first price of a model may start up to 35 days in the past, so that earlier events can be rated.
         *
         *     Requires the operator token.
         */
        post: operations["createProviderCost"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/reconcile": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Compare ledgers with their D1 pages and analytics, and repair differences
         * @description Checks the ledgers of one customer. Without `customer_id`, checks up to 40 ledgers, in the order of their ids, starting after the last ledger of the previous call. Omits ledgers whose check was completed in the last ten minutes. Pages are repaired from the journal of the ledger object, and analytics from the pages. A scheduled job checks the ledgers whose last check was more than a day ago.
         *
         *     Requires the operator token.
         */
        post: operations["reconcile"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/rerate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rate events that were recorded before their price was set
         * @description Rates the events of one customer. Without `customer_id`, rates the events of all customers to which a new or changed price, or new credits, can apply. Each event is rated at most once, at the price that was in effect at the time of the event. A scheduled job also rates unrated events.
         *
         *     Requires the operator token.
         */
        post: operations["rerateEvents"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the figures for monitoring and alerts
         * @description Get the figures for monitoring and alerts.
         *
         *     Requires the operator token.
         */
        get: operations["getStats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/unrated": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the models whose events are not rated yet, by customer
         * @description Each row is a model of one ledger. Set its price with `POST /v1/admin/provider-costs`. Then rate the events with `POST /v1/admin/rerate`. Events appear within seconds, after the next flush of their ledger.
         *
         *     Requires the operator token.
         */
        get: operations["listUnratedModels"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/webhook-endpoints": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List webhook endpoints of the operator without their secrets, newest first
         * @description List webhook endpoints of the operator without their secrets, newest first.
         *
         *     Requires the operator token.
         */
        get: operations["listOperatorWebhookEndpoints"];
        put?: never;
        /**
         * Create a webhook endpoint of the operator, which is an address that gets notifications
         * @description Messages are signed according to Standard Webhooks 1.0. Only this response contains the secret. With an `Idempotency-Key`, the request can be repeated if the response is lost. The stored response is encrypted with the credential of the request. Only a request with the same credential gets it again.
         *
         *     Requires the operator token.
         */
        post: operations["createOperatorWebhookEndpoint"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/webhook-endpoints/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a webhook endpoint of the operator
         * @description Get a webhook endpoint of the operator.
         *
         *     Requires the operator token.
         */
        get: operations["getOperatorWebhookEndpoint"];
        put?: never;
        post?: never;
        /**
         * Delete a webhook endpoint of the operator
         * @description Pending deliveries to the endpoint are dropped. All of its deliveries stay in the log.
         *
         *     Requires the operator token.
         */
        delete: operations["deleteOperatorWebhookEndpoint"];
        options?: never;
        head?: never;
        /**
         * Change a webhook endpoint of the operator
         * @description Omitted fields do not change. `enabled: false` drops the pending deliveries. `enabled: true` also enables an endpoint that was disabled because of failures. The notifications that it missed can be replayed. If `url` changes, pending deliveries are sent to the new address.
         *
         *     Requires the operator token.
         */
        patch: operations["updateOperatorWebhookEndpoint"];
        trace?: never;
    };
    "/v1/admin/webhook-endpoints/{id}/rotate-secret": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Replace the signing keys of a webhook endpoint of the operator
         * @description Messages are signed with both secrets during the overlap. Only this response contains the secret. With an `Idempotency-Key`, the request can be repeated if the response is lost. The stored response is encrypted with the credential of the request. Only a request with the same credential gets it again.
         *
         *     Requires the operator token.
         */
        post: operations["rotateOperatorWebhookSecret"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/webhook-endpoints/{id}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a test message to a webhook endpoint of the operator
         * @description Sends a message of the type `webhook_endpoint.test` once, even if the endpoint is disabled. The response is sent when the attempt has ended. The attempt waits at most 15 seconds for a response from the receiver.
         *
         *     Requires the operator token.
         */
        post: operations["testOperatorWebhookEndpoint"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/webhook-endpoints/{id}/replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send notifications of a time range to a webhook endpoint of the operator again
         * @description Each message has the same id as in its first delivery, so a receiver can recognise a repeated message. One request replays the first 1,000 notifications, and all further notifications with the same time as the last of them. Continue with `next_from`.
         *
         *     Requires the operator token.
         */
        post: operations["replayOperatorWebhookEndpoint"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/webhook-deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List webhook deliveries to the operator's endpoints with their attempts, newest notification first
         * @description The list contains deliveries that were attempted, postponed or dropped. They are kept for 30 days. A page can have fewer than `limit` rows even if `next_cursor` is set.
         *
         *     Requires the operator token.
         */
        get: operations["listOperatorWebhookDeliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/webhook-deliveries/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a webhook delivery to the operator's endpoints with its attempts
         * @description Get a webhook delivery to the operator's endpoints with its attempts.
         *
         *     Requires the operator token.
         */
        get: operations["getOperatorWebhookDelivery"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/webhook-deliveries/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make a webhook delivery to the operator's endpoints due now, regardless of its status
         * @description The retry schedule of the delivery starts again. If an attempt is running, the delivery does not change. All attempts have the same message id, so a receiver can recognise a repeated message.
         *
         *     Requires the operator token.
         */
        post: operations["retryOperatorWebhookDelivery"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/otlp/v1/traces": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Bill the model calls among the spans of an OpenTelemetry trace export
         * @description Bills the innermost spans of model calls, once per trace id and span id. `partialSuccess` has the number of rejected spans and up to five reasons. Content and cost attributes are ignored. The body is OTLP/HTTP as JSON or protobuf. Every field of the protocol is accepted.
         *
         *     Requires an API key with the scope `events:write`.
         */
        post: operations["postOtlpTraces"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/otlp/v1/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Bill the token counters of coding agents in an OpenTelemetry metrics export
         * @description Bills `claude_code.token.usage`, once per series and interval. Other metrics are ignored. The body is OTLP/HTTP as JSON or protobuf. Every field of the protocol is accepted.
         *
         *     Requires an API key with the scope `events:write`.
         */
        post: operations["postOtlpMetrics"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmeter/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Bill CloudEvents in OpenMeter's format
         * @description Accepts one event, a batch, or an event in binary mode. The `subject` of an event is the user. The mapping of the event type determines what is billed (`PUT /v1/drop-in/openmeter`). Events with the same id and source are billed once. Every field of the protocol is accepted.
         *
         *     Requires an API key with the scope `events:write`.
         */
        post: operations["postOpenmeterApiEvents"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmeter/api/v1/meters/{meter}/query": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Query a meter in OpenMeter's format
         * @description The meter is the `type`, `feature_id` or `unit` of a mapping. Only sums are supported.
         *
         *     Requires an API key with the scope `analytics:read`.
         */
        get: operations["getOpenmeterApiMetersMeterQuery"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmeter/api/v1/customers/{customer}/entitlements/{feature}/value": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the value of an entitlement in OpenMeter's format
         * @description The `customer` in the path is the id of a user of this API.
         *
         *     Requires an API key with the scope `analytics:read`.
         */
        get: operations["getOpenmeterApiCustomersCustomerEntitlementsFeatureValue"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/litellm/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Bill the calls that LiteLLM's generic logger reports
         * @description Accepts one StandardLoggingPayload, a list of payloads, or one payload per line. Failed calls and cache hits cost nothing. The status is 200 even if some calls are rejected, because LiteLLM never repeats a request. Unknown fields of a payload are accepted. Prompts, answers and costs are ignored.
         *
         *     Requires an API key with the scope `events:write`.
         */
        post: operations["postLitellmEvents"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/stripe/v1/billing/meter_events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Bill a meter event in Stripe's format
         * @description The customer in the payload is the user. The mapping of the event name determines what is billed (`PUT /v1/drop-in/openmeter`). Its JSON Pointers select values in the payload, such as `/value`. Events with the same identifier are billed once.
         *
         *     Requires an API key with the scope `events:write`.
         */
        post: operations["postStripeBillingMeterEvents"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/customers/register": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Register a customer
         * @description Register a customer.
         */
        post: operations["postOpenmonetizeCustomersRegister"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/events/ingest": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Ingest up to 1,000 events
         * @description Ingest up to 1,000 events.
         *
         *     Requires an API key with the scope `events:write`.
         */
        post: operations["postOpenmonetizeEventsIngest"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List events
         * @description List events.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getOpenmonetizeEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/credits/balance": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the credits of the customer's wallet
         * @description Get the credits of the customer's wallet.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getOpenmonetizeCreditsBalance"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/users/{userId}/credits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the credits of a user
         * @description Get the credits of a user.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getOpenmonetizeUsersUserIdCredits"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/customers/{customerId}/users/{userId}/credits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the credits of a user
         * @description Get the credits of a user.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getOpenmonetizeCustomersCustomerIdUsersUserIdCredits"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/users/{userId}/transactions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the transactions of a user
         * @description List the transactions of a user.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getOpenmonetizeUsersUserIdTransactions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/customers/{customerId}/users/{userId}/transactions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the transactions of a user
         * @description List the transactions of a user.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getOpenmonetizeCustomersCustomerIdUsersUserIdTransactions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/credits/purchase": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Purchase credits for the customer, a user or a team
         * @description Purchase credits for the customer, a user or a team.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["postOpenmonetizeCreditsPurchase"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/credits/grant": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Grant credits to the customer, a user or a team
         * @description Grant credits to the customer, a user or a team.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["postOpenmonetizeCreditsGrant"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/entitlements/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Check whether a user may use a feature
         * @description Check whether a user may use a feature.
         *
         *     Requires an API key with the scope `entitlements:read`.
         */
        post: operations["postOpenmonetizeEntitlementsCheck"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/entitlements": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Create an entitlement
         * @description Create an entitlement.
         *
         *     Requires an API key with the scope `entitlements:write`.
         */
        post: operations["postOpenmonetizeEntitlements"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/entitlements/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Change an entitlement
         * @description Change an entitlement.
         *
         *     Requires an API key with the scope `entitlements:write`.
         */
        put: operations["putOpenmonetizeEntitlementsId"];
        post?: never;
        /**
         * Delete an entitlement
         * @description Delete an entitlement.
         *
         *     Requires an API key with the scope `entitlements:write`.
         */
        delete: operations["deleteOpenmonetizeEntitlementsId"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/customers/{customerId}/entitlements": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the entitlements of the customer
         * @description List the entitlements of the customer.
         *
         *     Requires an API key with the scope `entitlements:read`.
         */
        get: operations["getOpenmonetizeCustomersCustomerIdEntitlements"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/rating/calculate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Calculate the cost of a call
         * @description Calculate the cost of a call.
         *
         *     Requires an API key with the scope `pricing:read`.
         */
        post: operations["postOpenmonetizeRatingCalculate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/rating/calculate/bulk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Calculate the costs of up to 100 calls
         * @description Calculate the costs of up to 100 calls.
         *
         *     Requires an API key with the scope `pricing:read`.
         */
        post: operations["postOpenmonetizeRatingCalculateBulk"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/analytics/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get usage by feature, provider, model, event type and day
         * @description Get usage by feature, provider, model, event type and day.
         *
         *     Requires an API key with the scope `analytics:read`.
         */
        get: operations["getOpenmonetizeAnalyticsUsage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/analytics/cost-breakdown": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get costs by provider and model
         * @description Get costs by provider and model.
         *
         *     Requires an API key with the scope `analytics:read`.
         */
        get: operations["getOpenmonetizeAnalyticsCostBreakdown"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/analytics/costs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get costs and margins
         * @description Get costs and margins.
         *
         *     Requires an API key with the scope `analytics:read`.
         */
        get: operations["getOpenmonetizeAnalyticsCosts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/analytics/burn-rate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the burn rate
         * @description Get the burn rate.
         *
         *     Requires an API key with the scope `analytics:read`.
         */
        get: operations["getOpenmonetizeAnalyticsBurnRate"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/customers/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the customer of the API key
         * @description Get the customer of the API key.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getOpenmonetizeCustomersMe"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openmonetize/v1/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List users
         * @description List users.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getOpenmonetizeUsers"];
        put?: never;
        /**
         * Create a user
         * @description Create a user.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["postOpenmonetizeUsers"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/payments/stripe/webhook": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Receive Stripe's webhooks
         * @description Stripe signs each event with the secret of the webhook endpoint. The API takes only the payment from the event, and reads the state of the payment from Stripe. Events can therefore arrive late, in any order, and more than once.
         */
        post: operations["receiveStripeEvent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/api-keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List API keys, newest first, including deleted keys
         * @description The list never contains the text of a key. A request with a test key lists only test keys.
         *
         *     Requires an API key with the scope `keys:write`.
         */
        get: operations["listApiKeys"];
        put?: never;
        /**
         * Create an API key
         * @description The new key can have only scopes that the calling key has. It cannot expire later than the calling key. A live key can create live and test keys. A test key can create only test keys. The creation of the first test key also creates the test ledger. Only this response contains the text of the new key. If the response is lost, repeat the request with the same `Idempotency-Key` and the same calling key. The stored response is encrypted with the calling key.
         *
         *     Requires an API key with the scope `keys:write`.
         */
        post: operations["createApiKey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/api-keys/{id}/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rotate an API key and keep its name, mode, scopes and expiry
         * @description Both keys work during the overlap. After the overlap, only the new key works. Without an overlap (the default), the ledgers refuse the old key immediately, and the rest of the API refuses it within 90 s. If a key rotates itself without an overlap, the request cannot be repeated. Only this response contains the text of the new key. If the response is lost, repeat the request with the same `Idempotency-Key` and the same calling key. The stored response is encrypted with the calling key.
         *
         *     Requires an API key with the scope `keys:write`.
         */
        post: operations["rotateApiKey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/api-keys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete an API key permanently
         * @description When you receive the response, the ledgers of the customer already refuse the key. The rest of the API refuses it within 90 s. If the key is already deleted, the request has no effect and gets the same response. After a 503, repeat the request.
         *
         *     Requires an API key with the scope `keys:write`.
         */
        delete: operations["deleteApiKey"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events/ingest": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Ingest one event or a batch of up to 1,000 events and burn their credits
         * @description Ingest one event or a batch of up to 1,000 events and burn their credits.
         *
         *     Requires an API key with the scope `events:write`.
         */
        post: operations["ingestEvents"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List recorded events, newest arrival first
         * @description `from` (inclusive) and `to` (exclusive) filter by event time. With `Accept: text/csv` or `application/x-ndjson`, the response streams all rows instead of a page. One response covers up to about 20,000 ledger entries, including entries that the filters leave out. If there are more entries, `X-Next-Cursor` contains the `cursor` of the remaining rows. With `limit`, the response is one page in that format. With `unrated=true`, the response is always one page.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["listEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a recorded event
         * @description Get a recorded event.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getEvent"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events/{id}/explain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Explain how an event was priced and charged
         * @description The explanation contains the values that were recorded with the event, so that its amount can be recalculated by hand. The provider response is not stored. To see which fields of a provider response are read, use `POST /v1/rating/calculate` with `explain`. If the event was priced with an earlier catalogue, the explanation names that catalogue and has no unit prices.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["explainEvent"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events/{id}/void": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Void an event and return its credits to the lots from which they were burned
         * @description Void an event and return its credits to the lots from which they were burned.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["voidEvent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events/{id}/receipt": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a signed receipt of an event
         * @description Returns a compact JWS (EdDSA). The receipt contains the usage of the event, the computation of its price, the burned lots, the balances before and after, the entry in the hash chain, and a checkpoint that covers the entry. Amounts are strings.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getReceipt"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/ledger/checkpoint": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a signed checkpoint of the ledger's last entry
         * @description Signs the hash of the last entry. The hash depends on all earlier entries. Store the checkpoints, and verify that each later export contains them. If the hash chain of the ledger does not contain its newest checkpoint, no new checkpoint is signed, and the request fails with `conflict`.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getCheckpoint"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/ledger/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Export the ledger with its hash chain, to verify it offline
         * @description Streams the entries in order, with their hashes and checkpoints. The last checkpoint of the export covers the last entry. A long ledger is exported in parts. The last line of a part contains the number of the first entry of the next part.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["exportLedger"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/rating/calculate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Calculate the cost of usage in USD and in credits, without burning credits
         * @description Calculate the cost of usage in USD and in credits, without burning credits.
         *
         *     Requires an API key with the scope `pricing:read`.
         */
        post: operations["calculatePrice"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/rating/calculate/bulk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Calculate up to 100 costs in one request; each calculation is validated separately
         * @description Calculate up to 100 costs in one request; each calculation is validated separately.
         *
         *     Requires an API key with the scope `pricing:read`.
         */
        post: operations["calculatePrices"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/rating/simulate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Simulate the cost of recorded events with another burn table
         * @description Simulates the events of up to 31 days. The request is refused if more than 100,000 events or 200,000 ledger entries were recorded since `from`. Provider costs keep their recorded values. Tiers and free units are counted from zero in each wallet, beginning with its first simulated event.
         *
         *     Requires an API key with the scope `pricing:read`.
         */
        post: operations["simulateBurnTable"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/rating/pricing": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the provider prices of a model at a time
         * @description With `provider` and `model`, the response is the price that applies at `at`, in the standard service tier and without a region. Without `model`, the response is a page of the provider's models; without `provider`, a page of the providers. A unit without its own price is billed at the price of the unit that contains it. For example, cached tokens without a price cost as much as input tokens.
         *
         *     Requires an API key with the scope `pricing:read`.
         */
        get: operations["listProviderPrices"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/rating/price-overrides": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List your own prices, newest first, including past and future prices
         * @description List your own prices, newest first, including past and future prices.
         *
         *     Requires an API key with the scope `pricing:read`.
         */
        get: operations["listPriceOverrides"];
        put?: never;
        /**
         * Set your own price, such as a negotiated rate
         * @description From `effective_from` on, the price replaces or multiplies the prices that would otherwise apply. All ratings use it within 90 s. The price that it replaces ends at `effective_from` and remains in the list. Prices are never edited. Live and test mode share prices.
         *
         *     Requires an API key with the scope `pricing:write`.
         */
        post: operations["createPriceOverride"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/burn-tables": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the last version of each burn table, newest first, including deactivated tables
         * @description List the last version of each burn table, newest first, including deactivated tables.
         *
         *     Requires an API key with the scope `pricing:read`.
         */
        get: operations["listBurnTables"];
        put?: never;
        /**
         * Create a burn table, which converts usage to credits
         * @description The table rates events from `effective_from` on (default: now), in live and test mode. If several tables apply to an event, the table that started last rates it.
         *
         *     Requires an API key with the scope `pricing:write`.
         */
        post: operations["createBurnTable"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/burn-tables/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a version of a burn table, by default the last version
         * @description Get a version of a burn table, by default the last version.
         *
         *     Requires an API key with the scope `pricing:read`.
         */
        get: operations["getBurnTable"];
        put?: never;
        post?: never;
        /**
         * Deactivate a burn table
         * @description From now on, the table rates no new events. Late events with an earlier time still use the table. Ledger entries still refer to its versions.
         *
         *     Requires an API key with the scope `pricing:write`.
         */
        delete: operations["deactivateBurnTable"];
        options?: never;
        head?: never;
        /**
         * Save a new version of a burn table
         * @description Each field of the request replaces the same field of the last version. The new version applies from `effective_from` on, but not before now. If `effective_from` is absent, the version applies from now on, or from the start of the last version if that start is in the future. Events with an earlier time keep the previous version.
         *
         *     Requires an API key with the scope `pricing:write`.
         */
        patch: operations["updateBurnTable"];
        trace?: never;
    };
    "/v1/burn-tables/active": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the burn table that rates events now
         * @description Get the burn table that rates events now.
         *
         *     Requires an API key with the scope `pricing:read`.
         */
        get: operations["getActiveBurnTable"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/grant": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Grant credits as a new lot in a wallet
         * @description Grant credits as a new lot in a wallet.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["grantCredits"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/purchase": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Record purchased credits as a new lot in a wallet
         * @description A `payment_reference` is credited only once. A second purchase with the same reference, wallet, amount and price returns the first purchase with status 200. A second purchase with the same reference but another wallet, amount or price is refused with 409.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["purchaseCredits"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/balance": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the balance of a wallet
         * @description Get the balance of a wallet.
         *
         *     Requires an API key with the scope `credits:read` or a portal token. With a portal token, the wallet may be omitted.
         */
        get: operations["getBalance"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/lots": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the open lots of a wallet in burn order
         * @description A wallet has at most 1,000 open lots. Lots that have not begun yet are at the end of the list. A page continues after the last lot of the previous page, even if this lot has been burned in the meantime.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["listLots"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/transactions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List ledger entries, newest first
         * @description Lists the entries of the wallet of `user_id` or `team_id`. Without `user_id` and `team_id`, lists the entries of all wallets. `from` (inclusive) and `to` (exclusive) filter by `created_at`. With `Accept: text/csv` or `application/x-ndjson`, the response streams all rows instead of a page. One response covers up to about 20,000 ledger entries, including entries that the filters leave out. If there are more entries, `X-Next-Cursor` contains the `cursor` of the remaining rows. With `limit`, the response is one page in that format.
         *
         *     Requires an API key with the scope `credits:read` or a portal token. With a portal token, the wallet may be omitted.
         */
        get: operations["listTransactions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/refund": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Refund a purchase, or return burned credits to the lots from which they were burned
         * @description Refund a purchase, or return burned credits to the lots from which they were burned.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["refundTransaction"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/transfer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Transfer credits between wallets; the credits keep their expiry
         * @description Transfer credits between wallets; the credits keep their expiry.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["transferCredits"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/adjust": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Add credits to a wallet or remove credits from it manually
         * @description Add credits to a wallet or remove credits from it manually.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["adjustCredits"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/lots/{id}/revoke": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Revoke a lot: remove all or some of its credits that no hold reserves
         * @description Revoke a lot: remove all or some of its credits that no hold reserves.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["revokeLot"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/recurring-grants": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List recurring grants, newest first
         * @description Lists the recurring grants of the wallet of `user_id` or `team_id`. Without `user_id` and `team_id`, lists the recurring grants of all wallets. This list covers at most 1,000 wallets that have recurring grants, holds, or lots that begin or expire later. If a ledger has more of these wallets, list the grants of each wallet.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["listRecurringGrants"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/recurring-grants/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Cancel a recurring grant; lots already granted are kept
         * @description Cancel a recurring grant; lots already granted are kept.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        delete: operations["stopRecurringGrant"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credits/wallets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Set the overdraft limit of a wallet
         * @description Set the overdraft limit of a wallet.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        patch: operations["updateWallet"];
        trace?: never;
    };
    "/v1/credits/auto-top-up": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the automatic top-up of a wallet
         * @description Get the automatic top-up of a wallet.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getAutoTopUp"];
        /**
         * Set the automatic top-up of a wallet
         * @description When the available credits fall below `below`, the saved card of the wallet is charged. A checkout of the wallet with `save_payment_method` saves the card. This request also ends a pause if a card is saved. A wallet has at most one open charge at a time.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        put: operations["setAutoTopUp"];
        post?: never;
        /**
         * Delete the automatic top-up of a wallet; an open charge continues
         * @description Delete the automatic top-up of a wallet; an open charge continues.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        delete: operations["deleteAutoTopUp"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credit-packs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List credit packs, newest first
         * @description For a portal token, the response contains the packs in the `credit_pack_ids` of the token, in the same order. Deleted packs are omitted.
         *
         *     Requires an API key with the scope `credits:read` or a portal token. With a portal token, the wallet may be omitted.
         */
        get: operations["listCreditPacks"];
        put?: never;
        /**
         * Create a credit pack that a checkout can sell at a fixed price
         * @description Live and test ledgers have separate packs.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["createCreditPack"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/credit-packs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a credit pack
         * @description Get a credit pack.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getCreditPack"];
        put?: never;
        post?: never;
        /**
         * Delete a credit pack; its open checkouts stay valid
         * @description Delete a credit pack; its open checkouts stay valid.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        delete: operations["deleteCreditPack"];
        options?: never;
        head?: never;
        /**
         * Change the given fields of a credit pack
         * @description Checkouts that are already open keep their amount of credits and their price.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        patch: operations["updateCreditPack"];
        trace?: never;
    };
    "/v1/payments/checkout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Open a checkout: a Stripe page on which a buyer pays for credits
         * @description Opens a checkout of a credit pack, or of `credits` at `price_usd`. The credits are added exactly once, after Stripe has confirmed the payment. A wallet can have at most 10 unpaid checkouts. With a portal token, a checkout is possible only for the wallet of the token and for one of its credit packs, and the return URLs must be on the origins of the token.
         *
         *     Requires an API key with the scope `credits:write` or a portal token. With a portal token, the wallet may be omitted.
         */
        post: operations["createCheckout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/payments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List payments, newest first
         * @description A failed payment is deleted 90 days after its creation, if Stripe then confirms that it was not paid. If Stripe does not confirm it, the payment is checked again for about a week and then deleted. All other payments are kept.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["listPayments"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/payments/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a payment
         * @description Get a payment.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getPayment"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/holds": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List open holds, newest first
         * @description List open holds, newest first.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["listHolds"];
        put?: never;
        /**
         * Hold an amount of credits, or the maximum cost of a planned model call
         * @description Hold an amount of credits, or the maximum cost of a planned model call.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["createHold"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/holds/{id}/capture": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Capture all or some of the held credits
         * @description Capture all or some of the held credits.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["captureHold"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/holds/{id}/release": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Release a hold; its remaining credits become available again
         * @description Release a hold; its remaining credits become available again.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["releaseHold"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/holds/{id}/extend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Extend a hold: set the time in seconds, from now, after which it expires
         * @description Extend a hold: set the time in seconds, from now, after which it expires.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["extendHold"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/holds/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get an open or closed hold
         * @description Get an open or closed hold.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getHold"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/entitlements": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List entitlements, newest first
         * @description List entitlements, newest first.
         *
         *     Requires an API key with the scope `entitlements:read`.
         */
        get: operations["listEntitlements"];
        put?: never;
        /**
         * Create an entitlement for a user, a team, an API key, a model or the whole customer
         * @description The entitlement applies to all later events in live and test mode. Each mode has separate counters.
         *
         *     Requires an API key with the scope `entitlements:write`.
         */
        post: operations["createEntitlement"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/entitlements/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get an entitlement
         * @description Get an entitlement.
         *
         *     Requires an API key with the scope `entitlements:read`.
         */
        get: operations["getEntitlement"];
        /**
         * Replace the rules of an entitlement
         * @description The counters keep their values if `unit`, `period`, `rolling`, `anchor` and `time_zone` are unchanged. Otherwise, they start again at 0.
         *
         *     Requires an API key with the scope `entitlements:write`.
         */
        put: operations["replaceEntitlement"];
        post?: never;
        /**
         * Delete an entitlement and its counters
         * @description Delete an entitlement and its counters.
         *
         *     Requires an API key with the scope `entitlements:write`.
         */
        delete: operations["deleteEntitlement"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/entitlements/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Check whether the use of a feature is allowed, estimate its cost, and optionally hold the credits
         * @description Check whether the use of a feature is allowed, estimate its cost, and optionally hold the credits.
         *
         *     Requires an API key with the scope `entitlements:read`.
         */
        post: operations["checkEntitlement"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/analytics/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get usage: events, units, credits and provider cost
         * @description Accepts up to three groups. At most one of them can be a time window. Days, weeks and months start in `time_zone`. Weeks begin on Monday. Each group that is not a time window is also a filter, which can be repeated. `from` and `to` are widened to whole hours. The limits are 10,000 groups and a range of 366 days, of 31 days if grouped by hour, and of 92 days if grouped or filtered by user. An event counts at its own time, not at its arrival time. Voided events do not count. The USD amounts of the rows add up to their total.
         *
         *     Requires an API key with the scope `analytics:read` or a portal token. With a portal token, the wallet may be omitted.
         */
        get: operations["getUsage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/analytics/costs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get costs: provider cost, revenue and margin
         * @description Accepts up to three groups. At most one of them can be a time window. Days, weeks and months start in `time_zone`. Weeks begin on Monday. Each group that is not a time window is also a filter, which can be repeated. `from` and `to` are widened to whole hours. The limits are 10,000 groups and a range of 366 days, of 31 days if grouped by hour, and of 92 days if grouped or filtered by user. An event counts at its own time, not at its arrival time. Voided events do not count. The USD amounts of the rows add up to their total.
         *
         *     Requires an API key with the scope `analytics:read`.
         */
        get: operations["getCosts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/analytics/burn-rate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the burn rate and the run-out date of the credits
         * @description By default, the forecast is based on all usage of the customer and on the sum of the balances of all wallets. With `user` or `team`, it is based on the usage and the wallet of this user or team.
         *
         *     Requires an API key with the scope `analytics:read`.
         */
        get: operations["getBurnRate"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/provider-keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the stored keys of AI providers without their secrets, newest first
         * @description List the stored keys of AI providers without their secrets, newest first.
         *
         *     Requires an API key with the scope `provider-keys:write`.
         */
        get: operations["listProviderKeys"];
        put?: never;
        /**
         * Store a key of an AI provider for calls through the gateway
         * @description The key is encrypted and never returned. Responses contain at most its last four characters. If a call neither sends nor names a provider key, the gateway uses the newest stored key of the provider. Live and test ledgers have separate provider keys.
         *
         *     Requires an API key with the scope `provider-keys:write`.
         */
        post: operations["createProviderKey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/provider-keys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete the stored key of an AI provider
         * @description The gateway stops using the key within 30 seconds. Calls that have already begun end normally.
         *
         *     Requires an API key with the scope `provider-keys:write`.
         */
        delete: operations["deleteProviderKey"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/gateway-routes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List gateway routes, newest first
         * @description List gateway routes, newest first.
         *
         *     Requires an API key with the scope `provider-keys:write`.
         */
        get: operations["listGatewayRoutes"];
        put?: never;
        /**
         * Create a gateway route, which lists further attempts for calls that fail at a provider
         * @description The route applies to calls of its API and model. No further attempt is made after the first byte of a response was delivered. A call with neither a route nor the header `X-Meter-Fallback` is attempted once, and so is a call with `X-Meter-Fallback: off`. An upload of audio is also attempted once. Live and test ledgers have separate routes.
         *
         *     Requires an API key with the scope `provider-keys:write`.
         */
        post: operations["createGatewayRoute"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/gateway-routes/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a gateway route
         * @description Get a gateway route.
         *
         *     Requires an API key with the scope `provider-keys:write`.
         */
        get: operations["getGatewayRoute"];
        put?: never;
        post?: never;
        /**
         * Delete a gateway route
         * @description Delete a gateway route.
         *
         *     Requires an API key with the scope `provider-keys:write`.
         */
        delete: operations["deleteGatewayRoute"];
        options?: never;
        head?: never;
        /**
         * Change the given fields of a gateway route
         * @description The change applies to every call within 30 seconds. `targets` and `timeouts` are replaced as a whole.
         *
         *     Requires an API key with the scope `provider-keys:write`.
         */
        patch: operations["updateGatewayRoute"];
        trace?: never;
    };
    "/v1/alerts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List alerts, newest first
         * @description List alerts, newest first.
         *
         *     Requires an API key with the scope `webhooks:read`.
         */
        get: operations["listAlerts"];
        put?: never;
        /**
         * Create an alert on a wallet or a limit
         * @description An alert fires once when its value passes the threshold. `limit_used` also fires when its value reaches the threshold. An alert can fire again after the value has passed `rearm_at` in the opposite direction. `spend_above`, and `limit_used` with a fixed window, can also fire again in each new period or window. A `lot_expiring` alert reports each lot once; a used-up lot can be reported again if returned credits reopen it. Balances, limits and spending are checked in the transaction of each change. `runway_below` is checked every hour. `lot_expiring` is checked when a lot reaches the threshold. If the value of a balance, a limit or spending is already past the threshold when the alert is created, the alert begins in the state `fired`, without a notification. Without `user_id` and `team_id`, the alert applies to the wallet or the limit of the customer.
         *
         *     Requires an API key with the scope `webhooks:write`.
         */
        post: operations["createAlert"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/alerts/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get an alert and its state
         * @description Get an alert and its state.
         *
         *     Requires an API key with the scope `webhooks:read`.
         */
        get: operations["getAlert"];
        put?: never;
        post?: never;
        /**
         * Delete an alert
         * @description Delete an alert.
         *
         *     Requires an API key with the scope `webhooks:write`.
         */
        delete: operations["deleteAlert"];
        options?: never;
        head?: never;
        /**
         * Change the given fields of an alert
         * @description A new threshold without `rearm_at` resets `rearm_at` to its default. If the value of a balance, a limit or spending is past the threshold after the change, the alert is in the state `fired`, without a notification.
         *
         *     Requires an API key with the scope `webhooks:write`.
         */
        patch: operations["updateAlert"];
        trace?: never;
    };
    "/v1/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Stream notifications as server-sent events
         * @description Each event contains one notification: `event` is its type, `id` is its sequence number, and `data` is the notification as JSON. Send the header `Last-Event-ID` or the parameter `after` to resume without missing notifications. If both are absent, the stream begins with the next new notification. After 15 seconds without an event, the server sends a comment. The stream ends after some minutes. It also ends within 90 seconds after the API key stops working. Reconnect when the stream ends.
         *
         *     Requires an API key with the scope `webhooks:read`.
         */
        get: operations["streamNotifications"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/portal-tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Create a portal token, with which an end user's page can read one wallet and sell credit packs
         * @description With the token, a page can read the balance (`GET /v1/credits/balance`), the usage (`GET /v1/analytics/usage`) and the transactions (`GET /v1/credits/transactions`) of the given user or team. With `credit_pack_ids`, the page can also read these packs (`GET /v1/credit-packs`) and open checkouts of these packs for the wallet (`POST /v1/payments/checkout`). The return URLs of a checkout must be on the origins of the token. All other requests are refused. The token stops working when the API key that created it stops working. A repeated request with the same `Idempotency-Key` returns the same token, even after its expiry.
         *
         *     Requires an API key with the scope `portal:write`.
         */
        post: operations["createPortalToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhook-endpoints": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List webhook endpoints without their secrets, newest first
         * @description List webhook endpoints without their secrets, newest first.
         *
         *     Requires an API key with the scope `webhooks:read`.
         */
        get: operations["listWebhookEndpoints"];
        put?: never;
        /**
         * Create a webhook endpoint, which is an address that gets notifications
         * @description Messages are signed according to Standard Webhooks 1.0. Only this response contains the secret. With an `Idempotency-Key`, the request can be repeated if the response is lost. The stored response is encrypted with the credential of the request. Only a request with the same credential gets it again.
         *
         *     Requires an API key with the scope `webhooks:write`.
         */
        post: operations["createWebhookEndpoint"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhook-endpoints/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a webhook endpoint
         * @description Get a webhook endpoint.
         *
         *     Requires an API key with the scope `webhooks:read`.
         */
        get: operations["getWebhookEndpoint"];
        put?: never;
        post?: never;
        /**
         * Delete a webhook endpoint
         * @description Pending deliveries to the endpoint are dropped. All of its deliveries stay in the log.
         *
         *     Requires an API key with the scope `webhooks:write`.
         */
        delete: operations["deleteWebhookEndpoint"];
        options?: never;
        head?: never;
        /**
         * Change a webhook endpoint
         * @description Omitted fields do not change. `enabled: false` drops the pending deliveries. `enabled: true` also enables an endpoint that was disabled because of failures. The notifications that it missed can be replayed. If `url` changes, pending deliveries are sent to the new address.
         *
         *     Requires an API key with the scope `webhooks:write`.
         */
        patch: operations["updateWebhookEndpoint"];
        trace?: never;
    };
    "/v1/webhook-endpoints/{id}/rotate-secret": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Replace the signing keys of a webhook endpoint
         * @description Messages are signed with both secrets during the overlap. Only this response contains the secret. With an `Idempotency-Key`, the request can be repeated if the response is lost. The stored response is encrypted with the credential of the request. Only a request with the same credential gets it again.
         *
         *     Requires an API key with the scope `webhooks:write`.
         */
        post: operations["rotateWebhookSecret"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhook-endpoints/{id}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a test message to a webhook endpoint
         * @description Sends a message of the type `webhook_endpoint.test` once, even if the endpoint is disabled. The response is sent when the attempt has ended. The attempt waits at most 15 seconds for a response from the receiver.
         *
         *     Requires an API key with the scope `webhooks:write`.
         */
        post: operations["testWebhookEndpoint"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhook-endpoints/{id}/replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send notifications of a time range to a webhook endpoint again
         * @description Each message has the same id as in its first delivery, so a receiver can recognise a repeated message. One request replays the first 1,000 notifications, and all further notifications with the same time as the last of them. Continue with `next_from`.
         *
         *     Requires an API key with the scope `webhooks:write`.
         */
        post: operations["replayWebhookEndpoint"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhook-deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List webhook deliveries with their attempts, newest notification first
         * @description The list contains deliveries that were attempted, postponed or dropped. They are kept for 30 days. A page can have fewer than `limit` rows even if `next_cursor` is set.
         *
         *     Requires an API key with the scope `webhooks:read`.
         */
        get: operations["listWebhookDeliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhook-deliveries/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a webhook delivery with its attempts
         * @description Get a webhook delivery with its attempts.
         *
         *     Requires an API key with the scope `webhooks:read`.
         */
        get: operations["getWebhookDelivery"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhook-deliveries/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make a webhook delivery due now, regardless of its status
         * @description The retry schedule of the delivery starts again. If an attempt is running, the delivery does not change. All attempts have the same message id, so a receiver can recognise a repeated message.
         *
         *     Requires an API key with the scope `webhooks:write`.
         */
        post: operations["retryWebhookDelivery"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List users, newest first
         * @description The list contains every user that was created with POST, or that occurs in the ledger, for example in an event or as the owner of a wallet.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["listUsers"];
        put?: never;
        /**
         * Create a user
         * @description This request is optional: the first change of the ledger that names a new user, such as an event or a grant, also creates the user. If the user already exists, the response is 409. The request does not create a wallet.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["createUser"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a user
         * @description Get a user.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getUser"];
        put?: never;
        post?: never;
        /**
         * Erase the personal data of a user; the ledger entries are kept
         * @description Replaces the id of the user with `erased_id`. Also erases its profile, its entitlements, its alerts, the metadata of its events, and the metadata of the entries of its wallet. The recurring grants and the automatic top-up of its wallet end. Free texts, such as a `reason` or a `payment_reference`, and idempotency keys are kept, even if they contain the id. Amounts, transactions and events are kept under the id `erased_id`. The remaining credits can be transferred from the wallet of `erased_id`. The old id can be used again for a new user, which starts without a wallet. A repeated request gets the same response for a day, unless the id is used again: then it erases the new user. Later, the response is 404. If the erasure takes longer than a request, for example in a large ledger, the response is 503. Repeat the request until the erasure is complete. If the `detail` of the response says that the erasure is not complete, it is completed automatically, even without a repeat. It begins when D1 has all earlier entries, and also erases what was recorded for the id before it begins.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        delete: operations["eraseUser"];
        options?: never;
        head?: never;
        /**
         * Update a user
         * @description Update a user.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        patch: operations["updateUser"];
        trace?: never;
    };
    "/v1/teams": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List teams, newest first
         * @description The list contains every team that was created with POST, or that occurs in the ledger, for example in an event or as the owner of a wallet.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["listTeams"];
        put?: never;
        /**
         * Create a team
         * @description This request is optional: the first change of the ledger that names a new team, such as an event or a grant, also creates the team. If the team already exists, the response is 409. The request does not create a wallet.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        post: operations["createTeam"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/teams/{team_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a team
         * @description Get a team.
         *
         *     Requires an API key with the scope `credits:read`.
         */
        get: operations["getTeam"];
        put?: never;
        post?: never;
        /**
         * Erase the personal data of a team; the ledger entries are kept
         * @description Replaces the id of the team with `erased_id`. Also erases its profile, its entitlements, its alerts, the metadata of its events, and the metadata of the entries of its wallet. The recurring grants and the automatic top-up of its wallet end. Free texts, such as a `reason` or a `payment_reference`, and idempotency keys are kept, even if they contain the id. Amounts, transactions and events are kept under the id `erased_id`. The remaining credits can be transferred from the wallet of `erased_id`. The old id can be used again for a new team, which starts without a wallet. A repeated request gets the same response for a day, unless the id is used again: then it erases the new team. Later, the response is 404. If the erasure takes longer than a request, for example in a large ledger, the response is 503. Repeat the request until the erasure is complete. If the `detail` of the response says that the erasure is not complete, it is completed automatically, even without a repeat. It begins when D1 has all earlier entries, and also erases what was recorded for the id before it begins.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        delete: operations["eraseTeam"];
        options?: never;
        head?: never;
        /**
         * Update a team
         * @description Update a team.
         *
         *     Requires an API key with the scope `credits:write`.
         */
        patch: operations["updateTeam"];
        trace?: never;
    };
    "/v1/drop-in": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the numbers of items that the drop-in endpoints received, by outcome
         * @description Use the counts to find out why no usage arrives. Each count is a total since the first request. The counts are not exact: recent counts can be missing, and some counts can be lost or added twice. `GET /v1/events` is exact.
         *
         *     Requires an API key with the scope `analytics:read`.
         */
        get: operations["getDropInStatus"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/drop-in/openmeter": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the mappings of OpenMeter events
         * @description Get the mappings of OpenMeter events.
         *
         *     Requires an API key with the scope `analytics:read`.
         */
        get: operations["getOpenMeterMappings"];
        /**
         * Set the mappings of OpenMeter events
         * @description Replaces all mappings. `quantity`, `model`, `input_tokens` and `output_tokens` are JSON Pointers into the `data` of an event. `provider` is a name or a JSON Pointer. A change applies to every request after at most 30 seconds.
         *
         *     Requires an API key with the scope `pricing:write`.
         */
        put: operations["setOpenMeterMappings"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Event: {
            /** @enum {string} */
            event_type: "TOKEN_USAGE" | "API_CALL" | "FEATURE_ACCESS" | "IMAGE_GENERATION" | "VIDEO_GENERATION" | "AUDIO_PROCESSING" | "CUSTOM";
            feature_id: string;
            customer_id?: string;
            user_id?: string;
            team_id?: string;
            provider?: string;
            model?: string;
            input_tokens?: number;
            output_tokens?: number;
            usage?: components["schemas"]["Usage"];
            /** @description The whole response of the provider, or only its usage part. */
            provider_response?: {
                [key: string]: unknown;
            };
            provider_api?: string;
            image_count?: number;
            image_size?: string;
            quality?: string;
            duration_seconds?: number;
            service_tier?: string;
            region?: string;
            quantity?: number;
            unit?: string;
            /** @description The id of a hold. The event burns its cost from this hold and then closes it. If the hold is not open, the event burns its cost from the wallet. */
            hold_id?: string;
            idempotency_key?: string;
            /**
             * Format: date-time
             * @description The time of the usage, at most 35 days in the past and 5 minutes in the future. Default: now.
             */
            timestamp?: string;
            metadata?: {
                [key: string]: unknown;
            };
        };
        /** @description The usage by unit. A unit such as `input_tokens` includes its parts, such as `cache_read_tokens`. */
        Usage: {
            input_tokens?: number;
            input_text_tokens?: number;
            input_audio_tokens?: number;
            input_image_tokens?: number;
            input_video_tokens?: number;
            input_tool_tokens?: number;
            input_text_tool_tokens?: number;
            input_audio_tool_tokens?: number;
            input_image_tool_tokens?: number;
            input_video_tool_tokens?: number;
            cache_read_tokens?: number;
            cache_text_read_tokens?: number;
            cache_audio_read_tokens?: number;
            cache_image_read_tokens?: number;
            cache_video_read_tokens?: number;
            cache_write_tokens?: number;
            cache_text_write_tokens?: number;
            cache_audio_write_tokens?: number;
            cache_image_write_tokens?: number;
            cache_video_write_tokens?: number;
            cache_write_5m_tokens?: number;
            cache_write_1h_tokens?: number;
            cache_text_write_5m_tokens?: number;
            cache_text_write_1h_tokens?: number;
            cache_audio_write_5m_tokens?: number;
            cache_audio_write_1h_tokens?: number;
            cache_image_write_5m_tokens?: number;
            cache_image_write_1h_tokens?: number;
            cache_video_write_5m_tokens?: number;
            cache_video_write_1h_tokens?: number;
            output_tokens?: number;
            output_text_tokens?: number;
            output_audio_tokens?: number;
            output_image_tokens?: number;
            output_video_tokens?: number;
            output_reasoning_tokens?: number;
            output_text_reasoning_tokens?: number;
            output_audio_reasoning_tokens?: number;
            output_image_reasoning_tokens?: number;
            output_video_reasoning_tokens?: number;
            output_citation_tokens?: number;
            output_text_citation_tokens?: number;
            output_audio_citation_tokens?: number;
            output_image_citation_tokens?: number;
            output_video_citation_tokens?: number;
            input_images?: number;
            output_images?: number;
            video_seconds?: number;
            audio_seconds?: number;
            input_audio_seconds?: number;
            output_audio_seconds?: number;
            input_characters?: number;
            input_document_pages?: number;
            input_annotated_document_pages?: number;
            input_pixels?: number;
            input_text_messages?: number;
            requests?: number;
            web_searches?: number;
            map_searches?: number;
            storage_searches?: number;
            social_searches?: number;
            rerank_searches?: number;
            code_executions?: number;
            custom?: {
                [key: string]: number;
            };
        };
        EventBatch: {
            events: unknown[];
        };
        OverlayUnitPrice: {
            /** @description The price of `per` units in USD, with at most 18 decimals. */
            amount: number | string;
            /** @description The number of units to which `amount` refers. For a price per million tokens, use 1000000. */
            per: number;
            /** @description The tiers whose amounts replace `amount` for the whole request if its total input exceeds the threshold, or reaches it if `inclusive` is true. */
            tiers?: {
                threshold: number;
                /** @description Default: false. */
                inclusive?: boolean;
                amount: number | string;
            }[];
        };
        KeySet: {
            keys: {
                /** @enum {string} */
                kty: "OKP";
                /** @enum {string} */
                crv: "Ed25519";
                x: string;
                kid: string;
                /** @enum {string} */
                use: "sig";
                /** @enum {string} */
                alg: "EdDSA";
            }[];
        };
        RegisteredCustomer: {
            customer_id: string;
            /** @description The first API key. Only this response contains it. */
            api_key: string;
            name: string;
            email: string;
            /** @enum {string} */
            tier: "STARTER" | "GROWTH" | "ENTERPRISE";
            /** Format: date-time */
            created_at: string;
        };
        Registration: {
            name: string;
            /** Format: email */
            email: string;
            /**
             * @description The tier of the customer. A tier other than STARTER requires the operator token. Default: STARTER.
             * @enum {string}
             */
            tier?: "STARTER" | "GROWTH" | "ENTERPRISE";
            /** @enum {string} */
            region?: "wnam" | "enam" | "sam" | "weur" | "eeur" | "apac" | "oc" | "afr" | "me";
            jurisdiction?: string;
        };
        Customer: {
            customer_id: string;
            name: string;
            email: string;
            /** @enum {string} */
            tier: "STARTER" | "GROWTH" | "ENTERPRISE";
            /** @enum {string} */
            status: "PENDING" | "ACTIVE" | "SUSPENDED" | "CLOSED";
            /** Format: date-time */
            created_at: string;
        };
        AuditPage: {
            data: components["schemas"]["AuditRecord"][];
            next_cursor: string | null;
        };
        AuditRecord: {
            id: string;
            /** Format: date-time */
            at: string;
            /** @description The id of the customer; null if the record does not concern exactly one customer. */
            customer_id: string | null;
            /** @enum {string|null} */
            mode: "live" | "test" | null;
            actor: string;
            /** @enum {string} */
            action: "credits.grant" | "credits.purchase" | "credits.refund" | "credits.void" | "credits.transfer" | "credits.adjust" | "credits.revoke" | "credits.set_overdraft" | "credits.stop_recurring" | "credits.set_auto_top_up" | "credits.delete_auto_top_up" | "entitlements.create" | "entitlements.replace" | "entitlements.delete" | "burn_tables.create" | "burn_tables.edit" | "burn_tables.delete" | "users.erase" | "teams.erase" | "drop_in.set_mappings" | "price_overrides.create" | "provider_costs.create" | "customers.register" | "customers.change" | "api_keys.create" | "api_keys.rotate" | "api_keys.delete" | "provider_keys.create" | "provider_keys.delete" | "gateway_routes.create" | "gateway_routes.change" | "gateway_routes.delete" | "credit_packs.create" | "credit_packs.change" | "credit_packs.delete" | "webhook_endpoints.create" | "webhook_endpoints.change" | "webhook_endpoints.rotate_secret" | "webhook_endpoints.delete" | "admin.rerate" | "admin.rebuild" | "admin.reconcile" | "admin.replay_dead_letters" | "admin.apply_price_feed" | "admin.reject_price_feed";
            target: string;
            ip: string | null;
            request_id: string | null;
            /** @description The changed fields before the change (`before`) or after the change (`after`). Null if the object did not exist, and for bulk actions. */
            before: {
                [key: string]: unknown;
            } | null;
            /** @description The changed fields before the change (`before`) or after the change (`after`). Null if the object did not exist, and for bulk actions. */
            after: {
                [key: string]: unknown;
            } | null;
        };
        AdminCustomersPage: {
            data: components["schemas"]["AdminCustomer"][];
            next_cursor: string | null;
        };
        AdminCustomer: {
            customer_id: string;
            name: string;
            email: string;
            /** @enum {string} */
            tier: "STARTER" | "GROWTH" | "ENTERPRISE";
            /** @enum {string} */
            status: "PENDING" | "ACTIVE" | "SUSPENDED" | "CLOSED";
            /** @description The region that was requested for the ledgers; null if no region was requested. */
            region: string | null;
            /** Format: date-time */
            created_at: string;
        };
        AccountChange: {
            /** @enum {string} */
            tier?: "STARTER" | "GROWTH" | "ENTERPRISE";
            /** @enum {string} */
            status?: "ACTIVE" | "SUSPENDED" | "CLOSED";
        };
        CreatedApiKey: {
            /** @description The id of the key. The text of the key contains the 26 characters that follow `key_` in the id. */
            key_id: string;
            name: string;
            /** @enum {string} */
            mode: "live" | "test";
            scopes: ("events:write" | "credits:read" | "credits:write" | "pricing:read" | "pricing:write" | "entitlements:read" | "entitlements:write" | "analytics:read" | "keys:write" | "webhooks:read" | "webhooks:write" | "gateway:use" | "provider-keys:write" | "portal:write")[];
            /** @enum {string} */
            status: "active" | "expired" | "revoked";
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            expires_at: string | null;
            /**
             * Format: date-time
             * @description The time when the key was deleted, or when it stops working after a rotation.
             */
            revoked_at: string | null;
            /**
             * Format: date-time
             * @description The approximate time of the last use, at most one hour too early. Null if no use was recorded.
             */
            last_used_at: string | null;
            /** @description The text of the key. Only this response contains it. */
            api_key: string;
        };
        ApiKey: {
            /** @description The id of the key. The text of the key contains the 26 characters that follow `key_` in the id. */
            key_id: string;
            name: string;
            /** @enum {string} */
            mode: "live" | "test";
            scopes: ("events:write" | "credits:read" | "credits:write" | "pricing:read" | "pricing:write" | "entitlements:read" | "entitlements:write" | "analytics:read" | "keys:write" | "webhooks:read" | "webhooks:write" | "gateway:use" | "provider-keys:write" | "portal:write")[];
            /** @enum {string} */
            status: "active" | "expired" | "revoked";
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            expires_at: string | null;
            /**
             * Format: date-time
             * @description The time when the key was deleted, or when it stops working after a rotation.
             */
            revoked_at: string | null;
            /**
             * Format: date-time
             * @description The approximate time of the last use, at most one hour too early. Null if no use was recorded.
             */
            last_used_at: string | null;
        };
        IssuedApiKeyDraft: {
            name: string;
            /**
             * Format: date-time
             * @description The time when the key expires. It must be in the future.
             */
            expires_at?: string;
            /** @description The scopes of the key. Default: all scopes. */
            scopes?: ("events:write" | "credits:read" | "credits:write" | "pricing:read" | "pricing:write" | "entitlements:read" | "entitlements:write" | "analytics:read" | "keys:write" | "webhooks:read" | "webhooks:write" | "gateway:use" | "provider-keys:write" | "portal:write")[];
            /**
             * @description Default: live.
             * @enum {string}
             */
            mode?: "live" | "test";
        };
        Rebuilt: {
            ledgers: {
                /** @enum {string} */
                mode: "live" | "test";
                /** @description The number of entries processed in this call. */
                entries: number;
                /** @description The number of rollup rows written in this call. */
                rows: number;
                /** @description Whether the rebuild of this ledger is complete and analytics use the new rollups. */
                done: boolean;
            }[];
            /** @description Whether unprocessed entries remain. If true, call again, or wait until a scheduled job continues. */
            more: boolean;
        };
        Rebuild: {
            /**
             * @description The mode of the ledger to rebuild. By default, each ledger of the customer that has entries is rebuilt.
             * @enum {string}
             */
            mode?: "live" | "test";
        };
        DeadLettersPage: {
            data: components["schemas"]["DeadLetter"][];
            next_cursor: string | null;
        };
        DeadLetter: {
            dead_letter_id: string;
            /** @enum {string} */
            state: "open" | "replayed";
            /** @description The reason of the last failed attempt to consume the message. */
            reason: string;
            /** @description The number of attempts to consume the message since it entered the dead-letter queue, including replays. */
            attempts: number;
            /** Format: date-time */
            sent_at: string;
            /** Format: date-time */
            failed_at: string;
            /** Format: date-time */
            replayed_at: string | null;
            /** @description The first 2,000 characters of the message's JSON. */
            body: string;
        };
        DeadLetterReplayed: {
            /** @description The number of messages that this call consumed. No usage is counted twice. */
            replayed: number;
            /** @description The number of messages that failed again. They stay in the list of open dead letters, with the new reason. */
            failed: number;
            /** @description The number of requested messages that do not exist or are not open. */
            not_found: number;
            /** @description Whether more messages were open than one call can replay. If true, call again. Always false if the request contains ids. */
            more: boolean;
        };
        DeadLetterReplay: {
            dead_letter_ids?: string[];
        };
        PriceFeeds: {
            enabled: boolean;
            url: string | null;
            bound_percent: number | null;
            applied_version: number;
            data: components["schemas"]["PriceFeed"][];
        };
        PriceFeed: {
            feed_id: string;
            /**
             * @description WAITING: the operator must apply or reject the feed. REFUSED: the feed cannot be applied. REPLACED: another feed with the same or a newer version was applied.
             * @enum {string}
             */
            status: "APPLIED" | "WAITING" | "REFUSED" | "REJECTED" | "REPLACED";
            /** @description The version of the feed; null if the feed could not be read. */
            version: number | null;
            reasons: string[];
            prices_set: number;
            prices_ended: number;
            /** Format: date-time */
            first_read_at: string;
            /** Format: date-time */
            last_read_at: string;
        };
        PriceFeedDecision: {
            feed_id: string;
        };
        PriceOverlay: {
            id: string;
            provider: string;
            model: string;
            service_tier: string | null;
            prices: {
                [key: string]: unknown;
            };
            /** Format: date-time */
            effective_from: string;
            /** Format: date-time */
            effective_to: string | null;
            /** Format: date-time */
            created_at: string;
            /** @description The id of the API key that set the price, or `operator`. */
            created_by: string;
        };
        PriceOverlayInput: {
            provider: string;
            /** @description A model's name, or a prefix followed by `*`. An exact name takes precedence over prefixes. */
            model: string;
            /** @description The service tier to which the price applies. If it is absent, the price applies to all tiers: unit prices are the same in each tier, and a multiplier multiplies the price of the tier. */
            service_tier?: string;
            prices: {
                [key: string]: components["schemas"]["OverlayUnitPrice"];
            } | {
                multiplier: number | string;
            };
            /**
             * Format: date-time
             * @description The time from which the price applies. Default: now. A time in the past, at most 35 days, is accepted only for unit prices of an exact model that has had no price since that time.
             */
            effective_from?: string;
            /**
             * Format: date-time
             * @description The time when the price ends. Default: the time when another price replaces this price.
             */
            effective_to?: string;
        };
        Reconciled: {
            ledgers: {
                ledger_id: string;
                /** @enum {string} */
                status: "OK" | "REPAIRED" | "DIFFERENT" | "CHECKING" | "UNAVAILABLE";
                /** @description The number of the entry up to which the pages are correct. 0 if `status` is DIFFERENT, and null if `status` is UNAVAILABLE. */
                checked_entry: number | null;
                /** @description The differences that were found, at most 100. If `status` is REPAIRED, all differences were repaired. */
                differences: components["schemas"]["Difference"][];
            }[];
            /** @description Whether a check is not complete, or other ledgers might be due for a check. If true, send the same body again, as a new request. */
            more: boolean;
        };
        Difference: {
            /** @enum {string} */
            kind: "pages_missing" | "page_sums" | "wallet_chain" | "hash_chain" | "balance" | "usage_of_pages" | "usage_of_rollups" | "usage_of_days";
            from_entry: number;
            to_entry: number;
            expected: string;
            found: string;
        };
        Reconcile: {
            customer_id?: string;
            /** @description Whether the check begins with the first page. By default, it begins after the last page that was found correct, or with the first page if the last check found differences that could not be repaired. If an earlier check that began with the first page is not complete, this check continues it. Without `customer_id`, it also begins with the first page at least every 28 days. */
            full?: boolean;
        };
        RerateSummary: {
            ledgers: number;
            examined: number;
            rated: number;
            /** @description The number of events that have a price but could not be charged, usually because the wallet has too few credits. */
            unpaid: number;
            /** @description The number of events that still have no price. */
            unpriced: number;
            /** @description Whether unexamined events remain, for example because a ledger did not respond. If true, call again. */
            more: boolean;
        };
        Rerate: {
            customer_id?: string;
        };
        Stats: {
            customers: {
                total: number;
                by_status: {
                    PENDING: number;
                    ACTIVE: number;
                    SUSPENDED: number;
                    CLOSED: number;
                };
                by_tier: {
                    STARTER: number;
                    GROWTH: number;
                    ENTERPRISE: number;
                };
                /** @description Whether the count is complete. False if the count reached its maximum, because the true number might be higher. */
                complete: boolean;
            };
            ledgers: {
                total: number;
                /** @description Whether the count is complete. False if the count reached its maximum, because the true number might be higher. */
                complete: boolean;
            };
            /** @description The ledgers that reported a failed flush to D1 and have not completed a later flush. */
            flush: {
                ledgers_behind: number;
                /**
                 * Format: date-time
                 * @description The approximate commit time of the oldest missing entry; null if no entry is missing.
                 */
                oldest_at: string | null;
                /** @description The age of the oldest missing entry in seconds; 0 if no entry is missing. */
                lag_seconds: number;
            };
            /** @description The ledgers whose usage is in D1 but not yet in analytics. */
            rollups: {
                ledgers_behind: number;
                /**
                 * Format: date-time
                 * @description The approximate commit time of the oldest missing entry; null if no entry is missing.
                 */
                oldest_at: string | null;
                /** @description The age of the oldest missing entry in seconds; 0 if no entry is missing. */
                lag_seconds: number;
            };
            reconcile: {
                /** @description The number of ledgers whose last check found differences that could not be repaired. */
                different: number;
                /** @description The number of ledgers that were never checked. */
                unchecked: number;
                /** Format: date-time */
                last_run_at: string | null;
            };
            dead_letters: {
                open: number;
                /** @description Whether the count is complete. False if the count reached its maximum, because the true number might be higher. */
                complete: boolean;
            };
            webhooks: {
                /** @description The number of pending webhook deliveries. */
                pending: number;
                /** @description The seconds since the oldest pending attempt was due; 0 if no attempt is due. */
                overdue_seconds: number;
                /** @description The number of enabled webhook endpoints whose last attempt failed. */
                failing_endpoints: number;
                /** @description The number of webhook endpoints that were disabled because of failures. */
                disabled_endpoints: number;
                /** @description Whether the count is complete. False if the count reached its maximum, because the true number might be higher. */
                complete: boolean;
            };
            /** @description The payments of live ledgers. The numbers are delayed by about a minute. A failed payment is counted until it is deleted. */
            payments: {
                by_status: {
                    pending: number;
                    succeeded: number;
                    failed: number;
                    action_required: number;
                    refunded: number;
                    disputed: number;
                };
                /**
                 * Format: date-time
                 * @description The creation time of the oldest payment without an outcome.
                 */
                oldest_open_at: string | null;
                /** @description The age of the oldest payment without an outcome in seconds; 0 if every payment has an outcome. */
                oldest_open_seconds: number;
                /** @description The number of wallets with a Stripe customer that have too few credits and whose automatic top-up is paused. */
                top_ups_paused: number;
                /** @description Whether the count is complete. False if the count reached its maximum, because the true number might be higher. */
                complete: boolean;
            };
            /** @description The outcomes of requests in the current hour and the previous 23 hours. The numbers are delayed by about a minute. */
            outcomes: {
                requests: number;
                by_status: {
                    402: number;
                    409: number;
                    429: number;
                    "2xx": number;
                    "4xx": number;
                    "5xx": number;
                };
                /** @description The number of refused and failed requests, by problem code. */
                by_code: {
                    [key: string]: number;
                };
                replayed: number;
                /** @description The number of events that were rejected although their batch got a 200 response, by problem code. */
                rejected_events: {
                    [key: string]: number;
                };
                /** Format: date-time */
                since: string;
                hours: {
                    requests: number;
                    by_status: {
                        402: number;
                        409: number;
                        429: number;
                        "2xx": number;
                        "4xx": number;
                        "5xx": number;
                    };
                    /** @description The number of refused and failed requests, by problem code. */
                    by_code: {
                        [key: string]: number;
                    };
                    replayed: number;
                    /** @description The number of events that were rejected although their batch got a 200 response, by problem code. */
                    rejected_events: {
                        [key: string]: number;
                    };
                    /** Format: date-time */
                    hour: string;
                }[];
            };
            /** @description An upper estimate of the platform's charges for the hours in `outcomes`, at list prices and without storage. It does not subtract the amounts that the platform's plan includes. Only the platform's bill is exact. */
            cost: {
                /** @description The number of successful write requests, without replays. */
                changes: number;
                /** @description The number of ingested events, without replays. */
                events: number;
                estimated_usd: number;
                /** @description The estimated cost of a million events; null if there were no events. */
                per_million_events_usd: number | null;
                /** Format: date */
                prices_as_of: string;
            };
            /** Format: date-time */
            as_of: string;
        };
        UnratedModels: {
            data: {
                customer_id: string;
                /** @enum {string} */
                mode: "live" | "test";
                /** @description The provider; null if the events contain no provider. Events without a provider or model cannot have a price and are never rated. */
                provider: string | null;
                model: string | null;
                /** @description The number of events, at most 10000. */
                events: number;
                /** @description Whether there might be more events than were counted. */
                more_events: boolean;
                /**
                 * Format: date-time
                 * @description The arrival time of the oldest event.
                 */
                oldest_at: string;
                /**
                 * @description `price`: the oldest event has no price yet. `credits`: the oldest event has a price but could not be charged, usually because its wallet has too few credits.
                 * @enum {string}
                 */
                waits_for: "price" | "credits";
            }[];
            next_cursor: string | null;
            /** @description The ledgers that did not respond. The page does not contain their models. Repeat the request later. */
            unavailable: {
                customer_id: string;
                /** @enum {string} */
                mode: "live" | "test";
            }[];
        };
        WebhookEndpointWithSecret: {
            id: string;
            url: string;
            types: string[];
            description: string | null;
            enabled: boolean;
            /**
             * @description `gone`: the receiver responded with 410. `failing`: all attempts of five days failed. Null if the endpoint is enabled or was disabled by a request.
             * @enum {string|null}
             */
            disabled_reason: "gone" | "failing" | null;
            /**
             * Format: date-time
             * @description The time of the first failed attempt since the last success, or since the endpoint was enabled again. Null if no attempt has failed since then.
             */
            failing_since: string | null;
            v1a: boolean;
            /** @description The key `whpk_…`, which verifies `v1a` signatures; null without `v1a`. */
            public_key: string | null;
            /**
             * Format: date-time
             * @description The time until which messages are also signed with the replaced secret; null if no replaced secret is in use.
             */
            previous_secret_expires_at: string | null;
            /**
             * @description The mode of the ledger; null for an endpoint of the operator.
             * @enum {string|null}
             */
            mode: "live" | "test" | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
            /** @description The secret `whsec_…`, which verifies `v1` signatures. It is shown only once. */
            secret: string;
        };
        WebhookEndpoint: {
            id: string;
            url: string;
            types: string[];
            description: string | null;
            enabled: boolean;
            /**
             * @description `gone`: the receiver responded with 410. `failing`: all attempts of five days failed. Null if the endpoint is enabled or was disabled by a request.
             * @enum {string|null}
             */
            disabled_reason: "gone" | "failing" | null;
            /**
             * Format: date-time
             * @description The time of the first failed attempt since the last success, or since the endpoint was enabled again. Null if no attempt has failed since then.
             */
            failing_since: string | null;
            v1a: boolean;
            /** @description The key `whpk_…`, which verifies `v1a` signatures; null without `v1a`. */
            public_key: string | null;
            /**
             * Format: date-time
             * @description The time until which messages are also signed with the replaced secret; null if no replaced secret is in use.
             */
            previous_secret_expires_at: string | null;
            /**
             * @description The mode of the ledger; null for an endpoint of the operator.
             * @enum {string|null}
             */
            mode: "live" | "test" | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        OperatorWebhookEndpointDraft: {
            /** @description An https URL, which is checked now and before each attempt. Its host must not be the host of this deployment, and must not resolve to a private address, unless the operator allows the host (`PRIVATE_UPSTREAMS`). In development, `http://localhost:PORT` and `http://127.0.0.1:PORT` are also allowed. */
            url: string;
            /** @description The notifications to send, as types or groups, or `*` for all. */
            types: string[];
            description?: string;
            /** @description Default: true. */
            enabled?: boolean;
            /** @description Whether messages also have Ed25519 signatures (`v1a`), which `public_key` verifies. Default: false. */
            v1a?: boolean;
        };
        WebhookEndpointsPage: {
            data: components["schemas"]["WebhookEndpoint"][];
            next_cursor: string | null;
        };
        OperatorWebhookEndpointChange: {
            /** @description An https URL, which is checked now and before each attempt. Its host must not be the host of this deployment, and must not resolve to a private address, unless the operator allows the host (`PRIVATE_UPSTREAMS`). In development, `http://localhost:PORT` and `http://127.0.0.1:PORT` are also allowed. */
            url?: string;
            /** @description The notifications to send, as types or groups, or `*` for all. */
            types?: string[];
            description?: string | null;
            enabled?: boolean;
            /** @description Whether messages also have Ed25519 signatures (`v1a`), which `public_key` verifies. */
            v1a?: boolean;
        };
        WebhookSecretRotation: {
            /** @description The time for which messages are also signed with the replaced secret. Default: 86400. */
            overlap_seconds?: number;
        };
        WebhookDelivery: {
            id: string;
            endpoint_id: string;
            notification_id: string;
            type: string;
            /** @description The sequence number of the notification; 0 for a test message. */
            sequence: number;
            /** @enum {string} */
            status: "pending" | "succeeded" | "failed" | "dropped";
            /**
             * Format: date-time
             * @description The time of the next attempt. While an attempt is running, it is the time after which the attempt is considered lost. Null if the delivery is not pending.
             */
            next_attempt_at: string | null;
            /** @description The last 20 attempts, oldest first. */
            attempts: components["schemas"]["WebhookAttempt"][];
            /** @enum {string|null} */
            mode: "live" | "test" | null;
            /**
             * Format: date-time
             * @description The time of the notification.
             */
            created_at: string;
        };
        WebhookAttempt: {
            /** Format: date-time */
            at: string;
            /** @description The HTTP status of the response; null if no response arrived. */
            status_code: number | null;
            /**
             * @description The reason why no response arrived; null if a response arrived.
             * @enum {string|null}
             */
            error: "timeout" | "connection_failed" | "address_refused" | "name_not_resolved" | null;
            duration_ms: number;
            /** @description The first 1 KB of the response body, or the part that arrived within a second. */
            answer: string;
        };
        WebhookReplayed: {
            /** @description The number of deliveries that the request started. */
            deliveries: number;
            /**
             * Format: date-time
             * @description The `from` of the next request, if the range has more notifications than one request replays. Null if the whole range was replayed.
             */
            next_from: string | null;
        };
        WebhookReplay: {
            /**
             * Format: date-time
             * @description The start of the range, inclusive. Notifications are kept for 30 days by default.
             */
            from: string;
            /**
             * Format: date-time
             * @description The end of the range, exclusive. Default: now.
             */
            to?: string;
            /** @description Whether only notifications that the endpoint has not received are replayed. Default: false. */
            only_failed?: boolean;
        };
        WebhookDeliveriesPage: {
            data: components["schemas"]["WebhookDelivery"][];
            next_cursor: string | null;
        };
        ApiKeysPage: {
            data: components["schemas"]["ApiKey"][];
            next_cursor: string | null;
        };
        ApiKeyDraft: {
            name: string;
            /**
             * Format: date-time
             * @description The time when the key expires. It must be in the future.
             */
            expires_at?: string;
            /** @description The scopes of the key. Default: all scopes of the calling key. */
            scopes?: ("events:write" | "credits:read" | "credits:write" | "pricing:read" | "pricing:write" | "entitlements:read" | "entitlements:write" | "analytics:read" | "keys:write" | "webhooks:read" | "webhooks:write" | "gateway:use" | "provider-keys:write" | "portal:write")[];
            /**
             * @description The mode of the key. Default: the mode of the calling key. A live key can create live and test keys. A test key can create only test keys. Test keys use a separate ledger.
             * @enum {string}
             */
            mode?: "live" | "test";
        };
        RotatedApiKey: {
            /** @description The id of the key. The text of the key contains the 26 characters that follow `key_` in the id. */
            key_id: string;
            name: string;
            /** @enum {string} */
            mode: "live" | "test";
            scopes: ("events:write" | "credits:read" | "credits:write" | "pricing:read" | "pricing:write" | "entitlements:read" | "entitlements:write" | "analytics:read" | "keys:write" | "webhooks:read" | "webhooks:write" | "gateway:use" | "provider-keys:write" | "portal:write")[];
            /** @enum {string} */
            status: "active" | "expired" | "revoked";
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            expires_at: string | null;
            /**
             * Format: date-time
             * @description The time when the key was deleted, or when it stops working after a rotation.
             */
            revoked_at: string | null;
            /**
             * Format: date-time
             * @description The approximate time of the last use, at most one hour too early. Null if no use was recorded.
             */
            last_used_at: string | null;
            /** @description The text of the key. Only this response contains it. */
            api_key: string;
            /** @description The old key and the time when it stops working. */
            replaces: {
                key_id: string;
                /** Format: date-time */
                revoked_at: string;
            };
        };
        ApiKeyRotation: {
            /** @description The time in seconds during which the old key still works, at most 7 days. Default: 0. */
            overlap_seconds?: number;
        };
        Ingested: {
            id: string;
            /** @description Credits, with at most 6 decimals. */
            credits_burned: number;
            /** @description Credits, with at most 6 decimals. */
            balance_after: number;
            /** @description USD, with at most 12 decimals. */
            provider_cost_usd: number;
            wallet_id: string;
            burn_table_version: number;
            price_version: string;
            /**
             * @description Present if the event has no price yet. It burned no credits, or the credits of a ceiling if `on_unpriced` of the burn table is `ceiling`.
             * @enum {boolean}
             */
            unrated?: true;
            warnings?: string[];
            /** Format: date-time */
            timestamp: string;
        };
        BatchResult: {
            batch_id: string;
            accepted: number;
            duplicates: number;
            rejected: number;
            /** @description Credits, with at most 6 decimals. */
            credits_burned: number;
            /** @description Credits, with at most 6 decimals. */
            balance_after: number | null;
            results: {
                index: number;
                id: string | null;
                /** @enum {string} */
                status: "accepted" | "duplicate" | "rejected";
                /** @description Credits, with at most 6 decimals. */
                credits_burned: number;
                /** @description Credits, with at most 6 decimals. */
                balance_after: number | null;
                error?: {
                    code: string;
                    detail: string;
                };
            }[];
        };
        EventRecord: {
            id: string;
            /** @enum {string} */
            event_type: "TOKEN_USAGE" | "API_CALL" | "FEATURE_ACCESS" | "IMAGE_GENERATION" | "VIDEO_GENERATION" | "AUDIO_PROCESSING" | "CUSTOM";
            feature_id: string;
            user_id: string | null;
            team_id: string | null;
            provider: string | null;
            model: string | null;
            usage: {
                [key: string]: unknown;
            };
            service_tier?: string;
            region?: string;
            image_size?: string;
            image_quality?: string;
            /** @description Credits, with at most 6 decimals. */
            credits_burned: number;
            /** @description Credits, with at most 6 decimals. */
            balance_after: number;
            /** @description USD, with at most 12 decimals. */
            provider_cost_usd: number;
            wallet_id: string;
            burn_table_version: number;
            price_version: string;
            /**
             * @description Present if the event has no price yet. It burned no credits, or the credits of a ceiling if `on_unpriced` of the burn table is `ceiling`.
             * @enum {boolean}
             */
            unrated?: true;
            warnings?: string[];
            /** Format: date-time */
            timestamp: string;
            customer_price_usd: number;
            transaction_id: string;
            metadata: {
                [key: string]: unknown;
            };
            /** Format: date-time */
            created_at: string;
            /** @description The id of the API key that sent the event or opened its hold. Null for events that were recorded before this field existed. */
            key_id: string | null;
            /** @description The search context size that the provider response reported. It affects the fee of a request. Absent if the response reported none. */
            search_context_size?: string;
        };
        EventExplanation: {
            event_id: string;
            /** @enum {string} */
            status: "rated" | "unrated" | "voided" | "partly_given_back";
            provider_cost_usd: number;
            credits_burned: number;
            credits_given_back: number;
            price: {
                rule: {
                    provider: string;
                    /** @description The model in the catalogue, or the model or prefix for which the price was set. */
                    model: string;
                    /**
                     * @description The way in which the price was found. `exact`: by the name or an alias. `rule`: by a rule of the catalogue. `dated`: by the name without its snapshot date. `region`: in the price list of the region. `price`: the price was set at run time.
                     * @enum {string}
                     */
                    matched_by: "exact" | "rule" | "dated" | "region" | "price";
                    /** @description The spelling of the model name that matched. */
                    name?: string;
                    /** @description The condition under which the price in the catalogue applies, such as a start date. */
                    period?: string;
                    price_id?: string;
                } | null;
                /** @enum {string|null} */
                source: "override" | "operator" | "feed" | "catalogue" | null;
                /** @description The source from which the catalogue took the price. */
                published_by?: string;
                /**
                 * Format: date-time
                 * @description The time from which the price applies; null if the catalogue does not state it.
                 */
                effective_from: string | null;
                /** @description The factor that multiplies the prices of the layer below. */
                multiplier?: number;
                /** @description The context tier whose prices apply, because the total input exceeds `input_tokens`, or reaches it if `inclusive` is true. */
                tier: {
                    input_tokens: number;
                    inclusive: boolean;
                } | null;
                modifiers: {
                    /** @enum {string} */
                    by: "service_tier" | "region" | "image_size" | "image_quality" | "search_context_size";
                    name: string;
                    /** @description The factor that multiplies the prices of `families`, as a decimal or a fraction. */
                    factor?: string;
                    families?: string[];
                }[];
                below?: {
                    rule: {
                        provider: string;
                        /** @description The model in the catalogue, or the model or prefix for which the price was set. */
                        model: string;
                        /**
                         * @description The way in which the price was found. `exact`: by the name or an alias. `rule`: by a rule of the catalogue. `dated`: by the name without its snapshot date. `region`: in the price list of the region. `price`: the price was set at run time.
                         * @enum {string}
                         */
                        matched_by: "exact" | "rule" | "dated" | "region" | "price";
                        /** @description The spelling of the model name that matched. */
                        name?: string;
                        /** @description The condition under which the price in the catalogue applies, such as a start date. */
                        period?: string;
                        price_id?: string;
                    } | null;
                    /** @enum {string|null} */
                    source: "override" | "operator" | "feed" | "catalogue" | null;
                    /** @description The source from which the catalogue took the price. */
                    published_by?: string;
                    /**
                     * Format: date-time
                     * @description The time from which the price applies; null if the catalogue does not state it.
                     */
                    effective_from: string | null;
                    /** @description The factor that multiplies the prices of the layer below. */
                    multiplier?: number;
                }[];
                other_models?: {
                    requested: string;
                    rule: {
                        provider: string;
                        /** @description The model in the catalogue, or the model or prefix for which the price was set. */
                        model: string;
                        /**
                         * @description The way in which the price was found. `exact`: by the name or an alias. `rule`: by a rule of the catalogue. `dated`: by the name without its snapshot date. `region`: in the price list of the region. `price`: the price was set at run time.
                         * @enum {string}
                         */
                        matched_by: "exact" | "rule" | "dated" | "region" | "price";
                        /** @description The spelling of the model name that matched. */
                        name?: string;
                        /** @description The condition under which the price in the catalogue applies, such as a start date. */
                        period?: string;
                        price_id?: string;
                    } | null;
                    /** @enum {string|null} */
                    source: "override" | "operator" | "feed" | "catalogue" | null;
                    /** @description The source from which the catalogue took the price. */
                    published_by?: string;
                    /**
                     * Format: date-time
                     * @description The time from which the price applies; null if the catalogue does not state it.
                     */
                    effective_from: string | null;
                    /** @description The factor that multiplies the prices of the layer below. */
                    multiplier?: number;
                }[];
                price_version: string;
                note?: string;
            };
            units: {
                unit: string;
                model?: string;
                /** @description The quantity that is billed at this price. It excludes parts of the unit that have their own prices. */
                quantity: number;
                /** @description The reported quantity of the unit, including its parts. */
                reported: number | null;
                read_from: string;
                price_usd: number | null;
                /** @description The exact price as a fraction, if a decimal needs more than 18 places. */
                price_fraction?: string;
                cost_usd: number | null;
            }[];
            burn_table: {
                version: number;
                id: string | null;
                rule: {
                    [key: string]: unknown;
                };
                method: string;
                credits_per_usd: number;
                min_charge: number;
                /** @description The credits before rounding, as a decimal or a fraction; null if they depend on amounts that the event does not record. */
                exact_credits: string | null;
                note?: string;
            } | null;
            rounding: {
                provider_cost_usd: {
                    /** @enum {string} */
                    mode: "half_even";
                    step: number;
                };
                credits: {
                    /** @enum {string} */
                    mode: "half_even" | "ceil" | "floor";
                    step: number;
                } | null;
                customer_price_usd: {
                    /** @enum {string} */
                    mode: "half_even";
                    step: number;
                };
            };
            /** @description The lots from which credits were taken; empty for a calculation, because it moves no credits. */
            lots: {
                lot_id: string | null;
                amount: number;
            }[];
        };
        Movement: {
            transaction_id: string;
            wallet_id: string;
            /** @description Credits, with at most 6 decimals. */
            amount: number;
            /** @description Credits, with at most 6 decimals. */
            balance_after: number;
            /** @description The part of the returned credits that would have expired if they had not been burned. This part expires immediately. */
            returned_expired?: number;
            to?: {
                transaction_id: string;
                wallet_id: string;
                /** @description Credits, with at most 6 decimals. */
                balance_after: number;
            };
        };
        Receipt: {
            receipt: string;
        };
        Checkpoint: {
            /** @description The number of the last ledger entry that the checkpoint covers. */
            entry_number: number;
            /** @description The hash of the last covered entry: SHA-256 in base64url. */
            hash: string;
            /** Format: date-time */
            created_at: string;
            /** @description The id of the signing key: the `kid` of its public key in the key set. */
            key_id: string;
            /** @description The signed text in the C2SP signed-note format. */
            note: string;
        };
        Calculated: {
            /** @description USD, with at most 12 decimals. */
            provider_cost_usd: number;
            credits: number;
            /** @description USD, with at most 12 decimals. */
            customer_price_usd: number;
            /** @description The margin as a percentage of `customer_price_usd`; null if `customer_price_usd` is 0. */
            margin_percent: number | null;
            /** @description A cheaper alternative to the request, according to list prices. It does not consider the quality of the result. */
            optimization: {
                /** @enum {string} */
                kind: "batch" | "flex" | "cache" | "model";
                suggested_model: string;
                suggested_service_tier?: string;
                savings_percent: number;
                /** @description USD, with at most 12 decimals. */
                provider_cost_usd: number;
                assumptions: string[];
            } | null;
            /** @description The reason why `optimization` is null. */
            optimization_note?: string;
            usage: {
                [key: string]: number;
            };
            breakdown: {
                unit: string;
                /** @description The model that processed this usage; absent if it is the model of the request. */
                model?: string;
                quantity: number;
                /** @description USD, with at most 12 decimals. */
                price_usd: number;
                /** @description USD, with at most 12 decimals. */
                cost_usd: number;
                /** @description The reported parts of the unit that have no price of their own. They are billed at this price. */
                without_own_price?: {
                    unit: string;
                    quantity: number;
                }[];
            }[];
            pricing_source: string;
            burn_table_version: number;
            price_version: string;
            explanation?: components["schemas"]["Explanation"];
            warnings?: string[];
        };
        Explanation: {
            price: {
                rule: {
                    provider: string;
                    /** @description The model in the catalogue, or the model or prefix for which the price was set. */
                    model: string;
                    /**
                     * @description The way in which the price was found. `exact`: by the name or an alias. `rule`: by a rule of the catalogue. `dated`: by the name without its snapshot date. `region`: in the price list of the region. `price`: the price was set at run time.
                     * @enum {string}
                     */
                    matched_by: "exact" | "rule" | "dated" | "region" | "price";
                    /** @description The spelling of the model name that matched. */
                    name?: string;
                    /** @description The condition under which the price in the catalogue applies, such as a start date. */
                    period?: string;
                    price_id?: string;
                } | null;
                /** @enum {string|null} */
                source: "override" | "operator" | "feed" | "catalogue" | null;
                /** @description The source from which the catalogue took the price. */
                published_by?: string;
                /**
                 * Format: date-time
                 * @description The time from which the price applies; null if the catalogue does not state it.
                 */
                effective_from: string | null;
                /** @description The factor that multiplies the prices of the layer below. */
                multiplier?: number;
                /** @description The context tier whose prices apply, because the total input exceeds `input_tokens`, or reaches it if `inclusive` is true. */
                tier: {
                    input_tokens: number;
                    inclusive: boolean;
                } | null;
                modifiers: {
                    /** @enum {string} */
                    by: "service_tier" | "region" | "image_size" | "image_quality" | "search_context_size";
                    name: string;
                    /** @description The factor that multiplies the prices of `families`, as a decimal or a fraction. */
                    factor?: string;
                    families?: string[];
                }[];
                below?: {
                    rule: {
                        provider: string;
                        /** @description The model in the catalogue, or the model or prefix for which the price was set. */
                        model: string;
                        /**
                         * @description The way in which the price was found. `exact`: by the name or an alias. `rule`: by a rule of the catalogue. `dated`: by the name without its snapshot date. `region`: in the price list of the region. `price`: the price was set at run time.
                         * @enum {string}
                         */
                        matched_by: "exact" | "rule" | "dated" | "region" | "price";
                        /** @description The spelling of the model name that matched. */
                        name?: string;
                        /** @description The condition under which the price in the catalogue applies, such as a start date. */
                        period?: string;
                        price_id?: string;
                    } | null;
                    /** @enum {string|null} */
                    source: "override" | "operator" | "feed" | "catalogue" | null;
                    /** @description The source from which the catalogue took the price. */
                    published_by?: string;
                    /**
                     * Format: date-time
                     * @description The time from which the price applies; null if the catalogue does not state it.
                     */
                    effective_from: string | null;
                    /** @description The factor that multiplies the prices of the layer below. */
                    multiplier?: number;
                }[];
                other_models?: {
                    requested: string;
                    rule: {
                        provider: string;
                        /** @description The model in the catalogue, or the model or prefix for which the price was set. */
                        model: string;
                        /**
                         * @description The way in which the price was found. `exact`: by the name or an alias. `rule`: by a rule of the catalogue. `dated`: by the name without its snapshot date. `region`: in the price list of the region. `price`: the price was set at run time.
                         * @enum {string}
                         */
                        matched_by: "exact" | "rule" | "dated" | "region" | "price";
                        /** @description The spelling of the model name that matched. */
                        name?: string;
                        /** @description The condition under which the price in the catalogue applies, such as a start date. */
                        period?: string;
                        price_id?: string;
                    } | null;
                    /** @enum {string|null} */
                    source: "override" | "operator" | "feed" | "catalogue" | null;
                    /** @description The source from which the catalogue took the price. */
                    published_by?: string;
                    /**
                     * Format: date-time
                     * @description The time from which the price applies; null if the catalogue does not state it.
                     */
                    effective_from: string | null;
                    /** @description The factor that multiplies the prices of the layer below. */
                    multiplier?: number;
                }[];
                price_version: string;
                note?: string;
            };
            units: {
                unit: string;
                model?: string;
                /** @description The quantity that is billed at this price. It excludes parts of the unit that have their own prices. */
                quantity: number;
                /** @description The reported quantity of the unit, including its parts. */
                reported: number | null;
                read_from: string;
                price_usd: number | null;
                /** @description The exact price as a fraction, if a decimal needs more than 18 places. */
                price_fraction?: string;
                cost_usd: number | null;
            }[];
            burn_table: {
                version: number;
                id: string | null;
                rule: {
                    [key: string]: unknown;
                };
                method: string;
                credits_per_usd: number;
                min_charge: number;
                /** @description The credits before rounding, as a decimal or a fraction; null if they depend on amounts that the event does not record. */
                exact_credits: string | null;
                note?: string;
            } | null;
            rounding: {
                provider_cost_usd: {
                    /** @enum {string} */
                    mode: "half_even";
                    step: number;
                };
                credits: {
                    /** @enum {string} */
                    mode: "half_even" | "ceil" | "floor";
                    step: number;
                } | null;
                customer_price_usd: {
                    /** @enum {string} */
                    mode: "half_even";
                    step: number;
                };
            };
            /** @description The lots from which credits were taken; empty for a calculation, because it moves no credits. */
            lots: {
                lot_id: string | null;
                amount: number;
            }[];
        };
        Calculation: {
            provider?: string;
            model?: string;
            input_tokens?: number;
            output_tokens?: number;
            usage?: components["schemas"]["Usage"];
            /** @description The whole response of the provider, or only its usage part. */
            provider_response?: {
                [key: string]: unknown;
            };
            provider_api?: string;
            image_count?: number;
            image_size?: string;
            quality?: string;
            duration_seconds?: number;
            service_tier?: string;
            region?: string;
            feature_id?: string;
            /** Format: date-time */
            at?: string;
            /** @description If true, the response contains `explanation`: the source of every price, and the field from which every quantity was read. */
            explain?: boolean;
        };
        BulkCalculated: {
            results: ({
                index: number;
                /** @description USD, with at most 12 decimals. */
                provider_cost_usd: number;
                credits: number;
                /** @description USD, with at most 12 decimals. */
                customer_price_usd: number;
                /** @description The margin as a percentage of `customer_price_usd`; null if `customer_price_usd` is 0. */
                margin_percent: number | null;
                /** @description A cheaper alternative to the request, according to list prices. It does not consider the quality of the result. */
                optimization: {
                    /** @enum {string} */
                    kind: "batch" | "flex" | "cache" | "model";
                    suggested_model: string;
                    suggested_service_tier?: string;
                    savings_percent: number;
                    /** @description USD, with at most 12 decimals. */
                    provider_cost_usd: number;
                    assumptions: string[];
                } | null;
                /** @description The reason why `optimization` is null. */
                optimization_note?: string;
                usage: {
                    [key: string]: number;
                };
                breakdown: {
                    unit: string;
                    /** @description The model that processed this usage; absent if it is the model of the request. */
                    model?: string;
                    quantity: number;
                    /** @description USD, with at most 12 decimals. */
                    price_usd: number;
                    /** @description USD, with at most 12 decimals. */
                    cost_usd: number;
                    /** @description The reported parts of the unit that have no price of their own. They are billed at this price. */
                    without_own_price?: {
                        unit: string;
                        quantity: number;
                    }[];
                }[];
                pricing_source: string;
                burn_table_version: number;
                price_version: string;
                explanation?: components["schemas"]["Explanation"];
                warnings?: string[];
            } | {
                index: number;
                error: {
                    code: string;
                    detail: string;
                };
            })[];
            totals: {
                /** @description USD, with at most 12 decimals. */
                provider_cost_usd: number;
                credits: number;
                /** @description USD, with at most 12 decimals. */
                customer_price_usd: number;
            };
        };
        BulkCalculation: {
            calculations: components["schemas"]["Calculation"][];
        };
        Simulated: {
            events: number;
            /** @description The credits that the events burned. */
            credits_recorded: number;
            /** @description The credits that the events would burn with the given burn table. */
            credits_simulated: number;
            /** @description The simulated credits minus the recorded credits. */
            difference: number;
            /** @description USD, with at most 12 decimals. */
            provider_cost_usd: number;
            /** @description The recorded customer price of the events. */
            customer_price_recorded_usd: number;
            /** @description The simulated customer price: the simulated credits, converted with `credits_per_usd` of the given burn table. */
            customer_price_usd: number;
            /** @description `customer_price_usd` minus `customer_price_recorded_usd`. */
            customer_price_difference_usd: number;
            margin_percent: number | null;
            /** @description The number of events that still have no price. No sum includes them. */
            unrated_events: number;
            /** @description The 100 features that burn the most simulated credits. */
            by_feature: {
                feature_id: string;
                events: number;
                /** @description The credits that the events burned. */
                credits_recorded: number;
                /** @description The credits that the events would burn with the given burn table. */
                credits_simulated: number;
                /** @description The simulated credits minus the recorded credits. */
                difference: number;
                /** @description USD, with at most 12 decimals. */
                provider_cost_usd: number;
                /** @description The recorded customer price of the events. */
                customer_price_recorded_usd: number;
                /** @description The simulated customer price: the simulated credits, converted with `credits_per_usd` of the given burn table. */
                customer_price_usd: number;
                /** @description `customer_price_usd` minus `customer_price_recorded_usd`. */
                customer_price_difference_usd: number;
                margin_percent: number | null;
            }[];
            /** @description The sum of all other features; null if there are none. */
            other_features: {
                events: number;
                /** @description The credits that the events burned. */
                credits_recorded: number;
                /** @description The credits that the events would burn with the given burn table. */
                credits_simulated: number;
                /** @description The simulated credits minus the recorded credits. */
                difference: number;
                /** @description USD, with at most 12 decimals. */
                provider_cost_usd: number;
                /** @description The recorded customer price of the events. */
                customer_price_recorded_usd: number;
                /** @description The simulated customer price: the simulated credits, converted with `credits_per_usd` of the given burn table. */
                customer_price_usd: number;
                /** @description `customer_price_usd` minus `customer_price_recorded_usd`. */
                customer_price_difference_usd: number;
                margin_percent: number | null;
            } | null;
            /** @description The 100 models that burn the most simulated credits. `model` is null for events without a model. */
            by_model: {
                provider: string | null;
                model: string | null;
                events: number;
                /** @description The credits that the events burned. */
                credits_recorded: number;
                /** @description The credits that the events would burn with the given burn table. */
                credits_simulated: number;
                /** @description The simulated credits minus the recorded credits. */
                difference: number;
                /** @description USD, with at most 12 decimals. */
                provider_cost_usd: number;
                /** @description The recorded customer price of the events. */
                customer_price_recorded_usd: number;
                /** @description The simulated customer price: the simulated credits, converted with `credits_per_usd` of the given burn table. */
                customer_price_usd: number;
                /** @description `customer_price_usd` minus `customer_price_recorded_usd`. */
                customer_price_difference_usd: number;
                margin_percent: number | null;
            }[];
            /** @description The sum of all other models; null if there are none. */
            other_models: {
                events: number;
                /** @description The credits that the events burned. */
                credits_recorded: number;
                /** @description The credits that the events would burn with the given burn table. */
                credits_simulated: number;
                /** @description The simulated credits minus the recorded credits. */
                difference: number;
                /** @description USD, with at most 12 decimals. */
                provider_cost_usd: number;
                /** @description The recorded customer price of the events. */
                customer_price_recorded_usd: number;
                /** @description The simulated customer price: the simulated credits, converted with `credits_per_usd` of the given burn table. */
                customer_price_usd: number;
                /** @description `customer_price_usd` minus `customer_price_recorded_usd`. */
                customer_price_difference_usd: number;
                margin_percent: number | null;
            } | null;
        };
        Simulation: {
            burn_table: components["schemas"]["BurnTableDraft"];
            /**
             * Format: date-time
             * @description The start of the range of event times, inclusive.
             */
            from: string;
            /**
             * Format: date-time
             * @description The end of the range of event times, exclusive; at most 31 days after `from`.
             */
            to: string;
        };
        BurnTableDraft: {
            /** @description Default: Draft. */
            name?: string;
            /** @description The number of credits for one USD. Default for a new table: the value in the configuration of the deployment. */
            credits_per_usd?: number | string;
            /** @description Default: {"mode":"half_even","step":"0.000001"}. */
            rounding?: {
                /**
                 * @description Default: half_even.
                 * @enum {string}
                 */
                mode?: "half_even" | "ceil" | "floor";
                step?: number | string;
            };
            min_charge?: number | string;
            /**
             * @description Default: flag.
             * @enum {string}
             */
            on_unpriced?: "flag" | "reject" | "ceiling";
            /** @description Default: []. */
            rules?: ({
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "cost_plus";
                markup_percent: number | string;
                fixed?: number | string;
            } | {
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "per_unit";
                rates: {
                    [key: string]: {
                        amount: number | string;
                        per: number | string;
                    };
                };
            } | {
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "flat";
                amount: number | string;
                unit?: string;
            } | {
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "tiered";
                /** @enum {string} */
                mode: "graduated" | "volume";
                unit: string;
                free?: number | string;
                /**
                 * @description Default: MONTHLY.
                 * @enum {string}
                 */
                period?: "DAILY" | "WEEKLY" | "MONTHLY";
                tiers: {
                    up_to: number | string | null;
                    unit_amount: number | string;
                    flat_amount?: number | string;
                }[];
            } | {
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "package";
                unit: string;
                size: number | string;
                amount: number | string;
            })[];
            /**
             * Format: date-time
             * @description The time when the table starts to apply. Default for a new table: now.
             */
            effective_from?: string;
            /**
             * Format: date-time
             * @description The time when the table stops applying (exclusive). Default for a new table: never.
             */
            effective_to?: string;
        };
        ModelPrice: {
            provider: string;
            model: string;
            /** @description The id of the model in the catalogue; null if the catalogue does not have the model. */
            catalogue_model: string | null;
            /**
             * @description The source of the price. `catalogue`: the list price. `feed`: the price feed. `operator`: a price that the operator set for all customers. `override`: your own price.
             * @enum {string}
             */
            source: "catalogue" | "feed" | "operator" | "override";
            price_version: string;
            /** Format: date-time */
            effective_from: string | null;
            /**
             * Format: date-time
             * @description The time when the price ends; null if no end is set.
             */
            effective_to: string | null;
            context_window: number | null;
            deprecated: boolean;
            prices: {
                unit: string;
                /** @description USD for one unit, with at most 18 decimals. */
                price_usd: number;
                /** @description The prices that replace `price_usd` for the whole request if its total input exceeds `threshold`, or reaches it if `inclusive` is true. */
                tiers?: {
                    threshold: number;
                    inclusive: boolean;
                    /** @description USD for one unit, with at most 18 decimals. */
                    price_usd: number;
                }[];
                /** @description The prices that replace `price_usd` for a size, a quality or a search context size. */
                sizes?: {
                    size: string;
                    /** @description USD for one unit, with at most 18 decimals. */
                    price_usd: number;
                }[];
            }[];
        };
        Provider: {
            provider: string;
            name: string;
        };
        BurnTableVersion: {
            /** @description The id of the table; null for the deployment's default table. */
            id: string | null;
            /** @description The version number that ledger entries refer to. It is counted over all tables of the customer. */
            version: number;
            name: string;
            credits_per_usd: number;
            rounding: {
                /** @enum {string} */
                mode: "half_even" | "ceil" | "floor";
                step: number;
            };
            min_charge: number;
            /** @enum {string} */
            on_unpriced: "flag" | "reject" | "ceiling";
            rules: ({
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "cost_plus";
                markup_percent: number;
                fixed?: number;
            } | {
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "per_unit";
                rates: {
                    [key: string]: {
                        amount: number;
                        per: number;
                    };
                };
            } | {
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "flat";
                amount: number;
                unit?: string;
            } | {
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "tiered";
                /** @enum {string} */
                mode: "graduated" | "volume";
                unit: string;
                free?: number;
                /**
                 * @description Default: MONTHLY.
                 * @enum {string}
                 */
                period?: "DAILY" | "WEEKLY" | "MONTHLY";
                tiers: {
                    up_to: number | null;
                    unit_amount: number;
                    flat_amount?: number;
                }[];
            } | {
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "package";
                unit: string;
                size: number;
                amount: number;
            })[];
            /** Format: date-time */
            effective_from: string | null;
            /** Format: date-time */
            effective_to: string | null;
            /** @description False for all versions of a deactivated table. */
            active: boolean;
            /** Format: date-time */
            created_at: string | null;
            /**
             * Format: date-time
             * @description The time when this version was saved.
             */
            updated_at: string | null;
            /** Format: date-time */
            deactivated_at: string | null;
        };
        BurnTable: {
            name: string;
            /** @description The number of credits for one USD. Default for a new table: the value in the configuration of the deployment. */
            credits_per_usd?: number | string;
            /** @description Default: {"mode":"half_even","step":"0.000001"}. */
            rounding?: {
                /**
                 * @description Default: half_even.
                 * @enum {string}
                 */
                mode?: "half_even" | "ceil" | "floor";
                step?: number | string;
            };
            min_charge?: number | string;
            /**
             * @description Default: flag.
             * @enum {string}
             */
            on_unpriced?: "flag" | "reject" | "ceiling";
            /** @description Default: []. */
            rules?: ({
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "cost_plus";
                markup_percent: number | string;
                fixed?: number | string;
            } | {
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "per_unit";
                rates: {
                    [key: string]: {
                        amount: number | string;
                        per: number | string;
                    };
                };
            } | {
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "flat";
                amount: number | string;
                unit?: string;
            } | {
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "tiered";
                /** @enum {string} */
                mode: "graduated" | "volume";
                unit: string;
                free?: number | string;
                /**
                 * @description Default: MONTHLY.
                 * @enum {string}
                 */
                period?: "DAILY" | "WEEKLY" | "MONTHLY";
                tiers: {
                    up_to: number | string | null;
                    unit_amount: number | string;
                    flat_amount?: number | string;
                }[];
            } | {
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "package";
                unit: string;
                size: number | string;
                amount: number | string;
            })[];
            /**
             * Format: date-time
             * @description The time when the table starts to apply. Default for a new table: now.
             */
            effective_from?: string;
            /**
             * Format: date-time
             * @description The time when the table stops applying (exclusive). Default for a new table: never.
             */
            effective_to?: string;
        };
        BurnTablePatch: {
            name?: string;
            /** @description The number of credits for one USD. Default for a new table: the value in the configuration of the deployment. */
            credits_per_usd?: number | string;
            rounding?: {
                /**
                 * @description Default: half_even.
                 * @enum {string}
                 */
                mode?: "half_even" | "ceil" | "floor";
                step?: number | string;
            };
            min_charge?: number | string;
            /** @enum {string} */
            on_unpriced?: "flag" | "reject" | "ceiling";
            rules?: ({
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "cost_plus";
                markup_percent: number | string;
                fixed?: number | string;
            } | {
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "per_unit";
                rates: {
                    [key: string]: {
                        amount: number | string;
                        per: number | string;
                    };
                };
            } | {
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "flat";
                amount: number | string;
                unit?: string;
            } | {
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "tiered";
                /** @enum {string} */
                mode: "graduated" | "volume";
                unit: string;
                free?: number | string;
                /**
                 * @description Default: MONTHLY.
                 * @enum {string}
                 */
                period?: "DAILY" | "WEEKLY" | "MONTHLY";
                tiers: {
                    up_to: number | string | null;
                    unit_amount: number | string;
                    flat_amount?: number | string;
                }[];
            } | {
                /** @description The events that the rule matches. Each field is a name, a prefix followed by `*`, or `*`. A missing field matches anything. Default: {}. */
                match?: {
                    feature?: string;
                    provider?: string;
                    model?: string;
                };
                /** @enum {string} */
                method: "package";
                unit: string;
                size: number | string;
                amount: number | string;
            })[];
            /**
             * Format: date-time
             * @description The time when the table starts to apply. Default for a new table: now.
             */
            effective_from?: string;
            /**
             * Format: date-time
             * @description The time when the table stops applying (exclusive). Default for a new table: never.
             */
            effective_to?: string;
        };
        Credited: {
            transaction_id: string;
            wallet_id: string;
            lot_id: string;
            recurring_grant_id?: string;
            /**
             * Format: date-time
             * @description The time when the lot begins. Absent if the lot began when it was added.
             */
            starts_at?: string;
            /** @description Credits, with at most 6 decimals. */
            amount: number;
            /** @description Credits, with at most 6 decimals. */
            balance_after: number;
            /**
             * @description Present if the payment reference was already used. The response then describes the first purchase, and no credits were added.
             * @enum {boolean}
             */
            already_recorded?: true;
        };
        Grant: {
            user_id?: string;
            team_id?: string;
            amount: number | string;
            /**
             * Format: date-time
             * @description The time when the lot begins. It must be in the future. Before this time, the balance includes the credits of the lot, but they cannot be used. Default: now.
             */
            starts_at?: string;
            /**
             * Format: date-time
             * @description The time when the lot expires. It must be in the future. Default: never.
             */
            expires_at?: string;
            /** @description The burn order of the lot. Lots with a lower priority are burned first. Default: 50. */
            priority?: number;
            metadata?: {
                [key: string]: unknown;
            };
            reason?: string;
            /**
             * @description Default: promo.
             * @enum {string}
             */
            kind?: "promo" | "paid";
            /** @description Repeats the grant once in every period, starting now. In a month that lacks the day of the first grant, the grant is made on the last day of the month. */
            recurring?: {
                /** @enum {string} */
                every: "day" | "week" | "month" | "quarter" | "year";
                /** @description The maximum amount of unreserved credits from earlier lots of this grant that remains at a recurrence. The rest expires. Default: no limit. */
                rollover_max?: number | string;
                /** @description The target for the available credits of this grant. A recurrence grants only the difference between this target and the available credits of this grant, or nothing if the target is reached. Default: each recurrence grants `amount`. Cannot be combined with `rollover_max`. */
                target_balance?: number | string;
            };
        };
        Purchase: {
            user_id?: string;
            team_id?: string;
            amount: number | string;
            /**
             * Format: date-time
             * @description The time when the lot begins. It must be in the future. Before this time, the balance includes the credits of the lot, but they cannot be used. Default: now.
             */
            starts_at?: string;
            /**
             * Format: date-time
             * @description The time when the lot expires. It must be in the future. Default: never.
             */
            expires_at?: string;
            /** @description The burn order of the lot. Lots with a lower priority are burned first. Default: 50. */
            priority?: number;
            metadata?: {
                [key: string]: unknown;
            };
            price_usd: number | string;
            payment_reference?: string;
        };
        Balance: {
            customer_id: string;
            wallet_id: string;
            /** @description Credits, with at most 6 decimals. */
            balance: number;
            /** @description Credits, with at most 6 decimals. */
            reserved_balance: number;
            /** @description Credits, with at most 6 decimals. */
            available_balance: number;
            /** @description The part of `balance` in lots that have not begun yet. Absent if all lots have begun. */
            pending_balance?: number;
            /** @enum {string} */
            currency: "credits";
            /** @description Credits, with at most 6 decimals. */
            overdraft_limit: number;
            expiring_next: {
                /** @description Credits, with at most 6 decimals. */
                amount: number;
                /** Format: date-time */
                at: string;
            } | null;
        };
        Lot: {
            lot_id: string;
            /** @enum {string} */
            kind: "promo" | "paid";
            /** @description Credits, with at most 6 decimals. */
            amount: number;
            /** @description Credits, with at most 6 decimals. */
            remaining: number;
            /** @description Credits, with at most 6 decimals. */
            reserved: number;
            priority: number;
            /**
             * Format: date-time
             * @description The time when the lot begins. Absent if the lot began when it was added.
             */
            starts_at?: string;
            /** Format: date-time */
            expires_at: string | null;
            /** Format: date-time */
            created_at: string;
        };
        Transaction: {
            id: string;
            /** @enum {string} */
            type: "PURCHASE" | "GRANT" | "BURN" | "REFUND" | "VOID" | "EXPIRATION" | "TRANSFER" | "ADJUSTMENT";
            wallet_id: string;
            /** @description Credits, with at most 6 decimals. */
            amount: number;
            /** @description Credits, with at most 6 decimals. */
            balance_before: number;
            /** @description Credits, with at most 6 decimals. */
            balance_after: number;
            description: string | null;
            event_id?: string;
            payment_reference?: string;
            price_usd?: number;
            lots: {
                /** @description The id of the lot; null for the overdraft. */
                lot_id: string | null;
                /** @description Credits, with at most 6 decimals. */
                amount: number;
            }[];
            /** @description Absent in responses to requests with a portal token. */
            metadata: {
                [key: string]: unknown;
            };
            /** Format: date-time */
            created_at: string;
        };
        Refund: {
            transaction_id: string;
            /** @description The credits to refund. Default: all credits of the transaction that can be refunded. */
            amount?: number | string;
            reason?: string;
        };
        /** @description An empty object is the customer's own wallet. */
        Transfer: {
            from: {
                user_id?: string;
                team_id?: string;
            };
            to: {
                user_id?: string;
                team_id?: string;
            };
            amount: number | string;
        };
        Adjustment: {
            user_id?: string;
            team_id?: string;
            amount: number | string;
            reason: string;
        };
        Revocation: {
            /** @description The credits to remove. Default: all credits of the lot that no hold reserves. */
            amount?: number | string;
            reason: string;
        };
        RecurringGrant: {
            recurring_grant_id: string;
            wallet_id: string;
            user_id: string | null;
            team_id: string | null;
            /** @description Credits, with at most 6 decimals. */
            amount: number;
            /** @enum {string} */
            kind: "promo" | "paid";
            priority: number;
            /** @enum {string} */
            every: "day" | "week" | "month" | "quarter" | "year";
            /** @description Credits, with at most 6 decimals. */
            rollover_max: number | null;
            /** @description Credits, with at most 6 decimals. */
            target_balance: number | null;
            reason: string | null;
            /** Format: date-time */
            next_at: string;
            /** Format: date-time */
            created_at: string;
        };
        Wallet: {
            wallet_id: string;
            /** @description Credits, with at most 6 decimals. */
            balance: number;
            /** @description Credits, with at most 6 decimals. */
            overdraft_limit: number;
        };
        WalletChange: {
            user_id?: string;
            team_id?: string;
            overdraft_limit: number | string;
        };
        AutoTopUp: {
            wallet_id: string;
            below: number;
            credits: number;
            price_usd: number;
            max_usd_per_month: number;
            max_per_day: number | null;
            enabled: boolean;
            /**
             * @description The reason why the automatic top-up is paused: no saved card, three declined charges in a row, or a reached limit. Null if it is not paused. A pause because of a missing card ends when a card is saved. A pause because of declined charges ends when another card is saved, or when the rule is set again.
             * @enum {string|null}
             */
            paused_reason: "no_payment_method" | "declined" | "monthly_limit" | "daily_limit" | null;
            last_attempt: {
                payment_id: string;
                /** @enum {string} */
                status: "pending" | "succeeded" | "failed" | "action_required" | "refunded" | "disputed";
                /** Format: date-time */
                at: string;
                failure?: {
                    /** @description The error code of Stripe, such as `card_declined`, or an error code of this API. */
                    code: string;
                    message: string;
                };
                /** @description The URL of the page on which the card owner can confirm the charge. Absent if no confirmation is required. */
                url?: string;
            } | null;
            /** @description The amount in USD of the top-ups in the current calendar month (UTC). Failed top-ups do not count. */
            spent_usd_this_month: number;
        };
        AutoTopUpDraft: {
            /** @description The threshold in credits. The card is charged when the available credits fall below it. Credits that a hold reserves are not available. */
            below: number | string;
            /** @description The credits that one top-up adds. */
            credits: number | string;
            /** @description The price of one top-up in USD, without fractions of a cent. */
            price_usd: number | string;
            /** @description The maximum amount in USD of all top-ups in a calendar month (UTC). Refunded top-ups also count. */
            max_usd_per_month: number | string;
            /** @description The maximum number of top-ups on a UTC day. Default: no limit. */
            max_per_day?: number;
            /** @description Default: true. */
            enabled?: boolean;
        };
        CreditPack: {
            id: string;
            name: string;
            credits: number;
            price_usd: number;
            expires_in_days: number | null;
            /** @enum {string} */
            mode: "live" | "test";
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        CreditPackDraft: {
            /** @description The name of the credit pack. It is unique in the ledger. Stripe shows it to the buyer. */
            name: string;
            credits: number | string;
            /** @description The price in USD, without fractions of a cent, at least 0.50. */
            price_usd: number | string;
            /** @description The lifetime of bought credits, in days. Default: the credits do not expire. */
            expires_in_days?: number;
        };
        CreditPacksPage: {
            data: components["schemas"]["CreditPack"][];
            next_cursor: string | null;
        };
        CreditPackChange: {
            /** @description The name of the credit pack. It is unique in the ledger. Stripe shows it to the buyer. */
            name?: string;
            credits?: number | string;
            /** @description The price in USD, without fractions of a cent, at least 0.50. */
            price_usd?: number | string;
            /** @description The lifetime of bought credits, in days. Default: the credits do not expire. */
            expires_in_days?: number | null;
        };
        OpenedCheckout: {
            payment_id: string;
            /** @description The URL of the Stripe page on which the buyer can pay. It is valid for 24 hours. */
            url: string;
        };
        Checkout: {
            user_id?: string;
            team_id?: string;
            /** @description The id of the credit pack to buy. Omit it if the request contains `credits` and `price_usd`. */
            credit_pack_id?: string;
            credits?: number | string;
            /** @description The price in USD, without fractions of a cent, at least 0.50. */
            price_usd?: number | string;
            /** Format: uri */
            success_url: string;
            /** Format: uri */
            cancel_url: string;
            /** @description Whether to save the card for automatic top-ups of the wallet. Default: false. */
            save_payment_method?: boolean;
        };
        PaymentsPage: {
            data: components["schemas"]["Payment"][];
            next_cursor: string | null;
        };
        Payment: {
            payment_id: string;
            /** @enum {string} */
            type: "checkout" | "top_up";
            /** @enum {string} */
            status: "pending" | "succeeded" | "failed" | "action_required" | "refunded" | "disputed";
            user_id: string | null;
            team_id: string | null;
            credits: number;
            price_usd: number;
            credit_pack_id?: string;
            /** @description The id of the ledger entry that added the credits; absent before the credits are added. */
            transaction_id?: string;
            /** @description The id of the payment intent in Stripe. Before the payment intent exists, it is the id of the Checkout session, or null. */
            provider_reference: string | null;
            failure?: {
                /** @description The error code of Stripe, such as `card_declined`, or an error code of this API. */
                code: string;
                message: string;
            };
            /** @description The amount in USD that was refunded through Stripe. */
            refunded_usd: number;
            /** @description The amount in USD of the disputes that are open or lost. */
            disputed_usd: number;
            /** @description The credits that refunds and disputes have removed, minus the credits that were returned. */
            credits_taken_back: number;
            /** @description The URL of the page on which the buyer can pay. Absent if the payment needs no action by the buyer. */
            url?: string;
            receipt_url?: string;
            /** Format: date-time */
            created_at: string;
        };
        Hold: {
            hold_id: string;
            /** @enum {string} */
            status: "open" | "captured" | "released" | "expired";
            feature_id: string;
            user_id: string | null;
            team_id: string | null;
            wallet_id: string;
            /** @description The credits that the hold reserved when it was opened. */
            credits: number;
            /** @description Credits, with at most 6 decimals. */
            captured: number;
            /** @description Credits, with at most 6 decimals. */
            remaining: number;
            /** @description The balance of the wallet minus the credits that holds reserve, and minus the credits of lots that begin later. */
            available_balance: number;
            /** @description The number of output tokens that the hold can still pay for, after the cost of the input that was not captured yet. */
            max_output_tokens?: number;
            /** Format: date-time */
            expires_at: string;
            /** Format: date-time */
            created_at: string;
        };
        OpenHold: {
            feature_id: string;
            user_id?: string;
            team_id?: string;
            /** @description Default: 600. */
            expires_in_seconds?: number;
            credits?: number | string;
            provider?: string;
            model?: string;
            usage?: components["schemas"]["Usage"];
            max_output_tokens?: number;
            service_tier?: string;
            region?: string;
        };
        Captured: {
            hold_id: string;
            /** @description Credits, with at most 6 decimals. */
            captured: number;
            /** @description The part of the captured cost that the wallet could not pay. */
            shortfall: number;
            /** @description Credits, with at most 6 decimals. */
            remaining: number;
            /** @description Credits, with at most 6 decimals. */
            balance_after: number;
            max_output_tokens?: number;
            transaction_id: string;
            event_id?: string;
        };
        CaptureHold: {
            credits?: number | string;
            event?: components["schemas"]["Event"];
            /** @description Default: false. */
            final?: boolean;
        };
        ExtendHold: {
            expires_in_seconds: number;
        };
        EntitlementRecord: {
            id: string;
            /** @description The id of the feature; null if the entitlement covers all features. */
            feature_id: string | null;
            user_id: string | null;
            team_id: string | null;
            key_id?: string;
            model?: string;
            /** @enum {string} */
            limit_type: "HARD" | "SOFT" | "NONE";
            limit_value: number | null;
            /** @enum {string} */
            unit: "credits" | "events" | "tokens" | "usd";
            /** @enum {string|null} */
            period: "HOURLY" | "DAILY" | "WEEKLY" | "MONTHLY" | "TOTAL" | "ROLLING" | null;
            /** @description The length of the window, if the period is ROLLING. */
            rolling?: {
                hours: number;
            } | {
                days: number;
            };
            /** Format: date-time */
            anchor: string | null;
            time_zone: string;
            value?: unknown;
            enabled: boolean;
            metadata: {
                [key: string]: unknown;
            };
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        Entitlement: {
            /** @description The id of the feature. Required if `key_id` and `model` are absent. With `key_id` or `model`, omit it to cover all features. */
            feature_id?: string;
            user_id?: string;
            team_id?: string;
            /** @description The id of an API key. The limit counts the usage of requests with this key, and the captures of holds that this key opened. After a rotation, the new key has another id. */
            key_id?: string;
            /** @description The name of a model, exactly as events contain it. The limit applies to this model name at every provider. */
            model?: string;
            /** @enum {string} */
            limit_type: "HARD" | "SOFT" | "NONE";
            /** @description The limit of the usage in one window, in `unit`. */
            limit_value?: number | string;
            /**
             * @description Default: credits.
             * @enum {string}
             */
            unit?: "credits" | "events" | "tokens" | "usd";
            /** @enum {string} */
            period?: "HOURLY" | "DAILY" | "WEEKLY" | "MONTHLY" | "TOTAL" | "ROLLING";
            /** @description The length of a ROLLING window in hours or days, at most 31 days. Usage counts for at least this time, and for at most 1/60 longer. */
            rolling?: {
                hours?: number;
                days?: number;
            };
            /**
             * Format: date-time
             * @description A time at which a window begins. All other windows follow from it. By default, windows are calendar hours, days, weeks or months.
             */
            anchor?: string;
            /** @description The IANA time zone of the windows, including daylight saving time. Without `anchor`, windows begin at midnight or at full hours in this time zone. Default: UTC. */
            time_zone?: string;
            /** @description Configuration for your application: any JSON value of up to 16 KB. */
            value?: unknown;
            /** @description Default: true. */
            enabled?: boolean;
            metadata?: {
                [key: string]: unknown;
            };
        };
        EntitlementReplacement: {
            feature_id?: string;
            user_id?: string;
            team_id?: string;
            /** @description The id of an API key. The limit counts the usage of requests with this key, and the captures of holds that this key opened. After a rotation, the new key has another id. */
            key_id?: string;
            /** @description The name of a model, exactly as events contain it. The limit applies to this model name at every provider. */
            model?: string;
            /** @enum {string} */
            limit_type: "HARD" | "SOFT" | "NONE";
            /** @description The limit of the usage in one window, in `unit`. */
            limit_value?: number | string;
            /**
             * @description Default: credits.
             * @enum {string}
             */
            unit?: "credits" | "events" | "tokens" | "usd";
            /** @enum {string} */
            period?: "HOURLY" | "DAILY" | "WEEKLY" | "MONTHLY" | "TOTAL" | "ROLLING";
            /** @description The length of a ROLLING window in hours or days, at most 31 days. Usage counts for at least this time, and for at most 1/60 longer. */
            rolling?: {
                hours?: number;
                days?: number;
            };
            /**
             * Format: date-time
             * @description A time at which a window begins. All other windows follow from it. By default, windows are calendar hours, days, weeks or months.
             */
            anchor?: string;
            /** @description The IANA time zone of the windows, including daylight saving time. Without `anchor`, windows begin at midnight or at full hours in this time zone. Default: UTC. */
            time_zone?: string;
            /** @description Configuration for your application: any JSON value of up to 16 KB. */
            value?: unknown;
            /** @description Default: true. */
            enabled?: boolean;
            metadata?: {
                [key: string]: unknown;
            };
        };
        EntitlementChecked: {
            allowed: boolean;
            /** @enum {string|null} */
            reason: "feature_not_enabled" | "feature_disabled" | "limit_reached" | "soft_limit_reached" | "insufficient_credits" | "low_credits" | null;
            message: string;
            estimated_cost_credits: number;
            /** @description The estimated price for the customer in USD (`customer_price_usd`). */
            estimated_cost_usd: number;
            current_balance: number;
            limit: {
                /** @enum {string} */
                level: "user" | "team" | "key" | "model" | "customer";
                key_id?: string;
                model?: string;
                value: number;
                used: number;
                remaining: number;
                /** @enum {string} */
                period: "HOURLY" | "DAILY" | "WEEKLY" | "MONTHLY" | "TOTAL" | "ROLLING";
                /** @description The length of the window, if the period is ROLLING. */
                rolling?: {
                    hours: number;
                } | {
                    days: number;
                };
                /**
                 * Format: date-time
                 * @description The time when a fixed window ends, or when the oldest use leaves a rolling window. Null if there is no such time.
                 */
                resets_at: string | null;
                /** @enum {string} */
                unit: "credits" | "events" | "tokens" | "usd";
            } | null;
            hold_id?: string;
            actions: {
                /** @enum {string} */
                type: "upgrade" | "purchase" | "increase_limit";
                label: string;
                url: string;
            }[];
        };
        EntitlementCheck: {
            feature_id: string;
            user_id?: string;
            team_id?: string;
            /** @description The planned use. If it is absent, the check estimates no cost, and checks only the feature, its limits and whether credits are available. */
            action?: {
                /** @description The event type of the planned use, case-insensitive. */
                type: string;
                provider?: string;
                model?: string;
                estimated_input_tokens?: number;
                estimated_output_tokens?: number;
                estimated_count?: number;
                estimated_duration_seconds?: number;
            };
            /** @description Whether to hold the estimated credits for ten minutes. No hold is opened if the use is not allowed, has no `action` or costs no credits. Requires the scope credits:write. Default: false. */
            hold?: boolean;
        };
        UsageAnalytics: {
            data: {
                /** @description The value of each group in `group_by`. The value of a time window is its start time. Null means that the usage has no value for the group. */
                group: {
                    /** Format: date-time */
                    hour?: string;
                    /** Format: date-time */
                    day?: string;
                    /** Format: date-time */
                    week?: string;
                    /** Format: date-time */
                    month?: string;
                    feature?: string | null;
                    provider?: string | null;
                    model?: string | null;
                    user?: string | null;
                    team?: string | null;
                    key?: string | null;
                    event_type?: string | null;
                };
                events: number;
                units: {
                    [key: string]: number;
                };
                /** @description Credits, with at most 6 decimals. */
                credits: number;
                /** @description Absent in responses to requests with a portal token. */
                provider_cost_usd: number;
            }[];
            totals: {
                events: number;
                units: {
                    [key: string]: number;
                };
                /** @description Credits, with at most 6 decimals. */
                credits: number;
                /** @description Absent in responses to requests with a portal token. */
                provider_cost_usd: number;
            };
            /** Format: date-time */
            from: string;
            /** Format: date-time */
            to: string;
            /** @description The time zone of the windows. */
            time_zone: string;
            /**
             * Format: date-time
             * @description The time before which every acknowledged change is counted.
             */
            as_of: string;
        };
        CostAnalytics: {
            data: {
                /** @description The value of each group in `group_by`. The value of a time window is its start time. Null means that the usage has no value for the group. */
                group: {
                    /** Format: date-time */
                    hour?: string;
                    /** Format: date-time */
                    day?: string;
                    /** Format: date-time */
                    week?: string;
                    /** Format: date-time */
                    month?: string;
                    feature?: string | null;
                    provider?: string | null;
                    model?: string | null;
                    user?: string | null;
                    team?: string | null;
                    key?: string | null;
                    event_type?: string | null;
                };
                /** @description USD, with at most 6 decimals. */
                provider_cost_usd: number;
                /** @description The sum of `customer_price_usd`. It includes the value of burned promotional credits. */
                revenue_usd: number;
                /** @description The price paid for the burned credits. */
                paid_revenue_usd: number;
                /** @description USD, with at most 6 decimals. */
                margin_usd: number;
                /** @description The margin as a percentage of the revenue; null if there is no revenue. */
                margin_percent: number | null;
            }[];
            totals: {
                /** @description USD, with at most 6 decimals. */
                provider_cost_usd: number;
                /** @description The sum of `customer_price_usd`. It includes the value of burned promotional credits. */
                revenue_usd: number;
                /** @description The price paid for the burned credits. */
                paid_revenue_usd: number;
                /** @description USD, with at most 6 decimals. */
                margin_usd: number;
                /** @description The margin as a percentage of the revenue; null if there is no revenue. */
                margin_percent: number | null;
            };
            /** Format: date-time */
            from: string;
            /** Format: date-time */
            to: string;
            /** @description The time zone of the windows. */
            time_zone: string;
            /**
             * Format: date-time
             * @description The time before which every acknowledged change is counted.
             */
            as_of: string;
        };
        BurnRate: {
            /** @description Credits, with at most 6 decimals. */
            balance: number;
            /** @description Credits, with at most 6 decimals. */
            average_per_day_7d: number;
            /** @description Credits, with at most 6 decimals. */
            average_per_day_30d: number;
            /**
             * @description The last 7 days compared with the 7 days before. `rising` and `falling` mean a change of more than 20 %.
             * @enum {string}
             */
            trend: "rising" | "steady" | "falling";
            /** @description The number of days until the credits run out; null if nothing was burned in the last 7 days, or if the credits last longer than 100 years. */
            days_remaining: number | null;
            /** Format: date-time */
            run_out_date: string | null;
            /** @description The assumption on which the run-out date is based. */
            assumption: string;
            recommendations: {
                /** @enum {string} */
                type: "urgent" | "warning" | "alert";
                message: string;
                /** @enum {string} */
                action: "purchase_credits" | "review_usage" | "review_prices";
            }[];
            /** Format: date-time */
            as_of: string;
        };
        ProviderKey: {
            id: string;
            provider: string;
            name: string;
            /** @description The last four characters of the key, but at most half of it. */
            last_four: string;
            /** @description The address of the API; null for the default address of the provider. */
            base_url: string | null;
            /** @enum {string} */
            mode: "live" | "test";
            /** Format: date-time */
            created_at: string;
        };
        ProviderKeyDraft: {
            /** @description A provider of the catalogue. Case, `_` and `-` are ignored. */
            provider: string;
            /** @description A name of your choice for the key. It must be unique among the keys of the provider. */
            name: string;
            /**
             * Format: password
             * @description The provider's key. Stored encrypted and never returned.
             */
            key: string;
            /** @description The https address of the provider's API, including its version. Required for providers without a default address, such as Azure, Vertex or your own servers. Other providers need it only for another region. It must not lead to a private address, unless the operator allows its host (`PRIVATE_UPSTREAMS`). */
            base_url?: string;
        };
        ProviderKeysPage: {
            data: components["schemas"]["ProviderKey"][];
            next_cursor: string | null;
        };
        GatewayRoute: {
            id: string;
            name: string;
            /** @enum {string} */
            api: "openai" | "anthropic" | "google";
            model: string;
            targets: {
                provider_key: string | null;
                model: string | null;
            }[];
            /** @enum {string} */
            on_ambiguous: "next" | "stop";
            /** @description The time limits. A limit is null if the gateway's default applies. */
            timeouts: {
                headers_seconds: number | null;
                first_chunk_seconds: number | null;
                idle_seconds: number | null;
            };
            enabled: boolean;
            /** @enum {string} */
            mode: "live" | "test";
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        GatewayRouteDraft: {
            name: string;
            /**
             * @description The API of the calls. All attempts use this API.
             * @enum {string}
             */
            api: "openai" | "anthropic" | "google";
            /** @description The models to match: a model name, a prefix followed by `*`, or `*` for all models. Default: *. */
            model?: string;
            /** @description The attempts after the first one, in order. */
            targets: components["schemas"]["GatewayTarget"][];
            /**
             * @description The action after an attempt with an unknown outcome, for example a timeout or a lost connection. With `next`, another attempt is made, and the provider can charge for both. With `stop`, the call ends. Default: next.
             * @enum {string}
             */
            on_ambiguous?: "next" | "stop";
            timeouts?: components["schemas"]["GatewayTimeouts"];
            /** @description Default: true. */
            enabled?: boolean;
        };
        GatewayTarget: {
            /** @description The name of a stored provider key. Without it, the attempt uses the key and the URL of the call. */
            provider_key?: string;
            /** @description Replaces the model in the request. Default: the model of the call. */
            model?: string;
        };
        GatewayTimeouts: {
            /** @description The maximum time in seconds until the provider's headers arrive, and then for the rest of a response that is not a stream. */
            headers_seconds?: number;
            /** @description The maximum time in seconds from the headers until the first chunk of a stream or of speech. */
            first_chunk_seconds?: number;
            /** @description The maximum time in seconds between two chunks of a stream or of speech. */
            idle_seconds?: number;
        };
        GatewayRoutesPage: {
            data: components["schemas"]["GatewayRoute"][];
            next_cursor: string | null;
        };
        GatewayRouteChange: {
            name?: string;
            /** @description The models to match: a model name, a prefix followed by `*`, or `*` for all models. */
            model?: string;
            /** @description The attempts after the first one, in order. */
            targets?: components["schemas"]["GatewayTarget"][];
            /**
             * @description The action after an attempt with an unknown outcome, for example a timeout or a lost connection. With `next`, another attempt is made, and the provider can charge for both. With `stop`, the call ends.
             * @enum {string}
             */
            on_ambiguous?: "next" | "stop";
            timeouts?: components["schemas"]["GatewayTimeouts"];
            enabled?: boolean;
        };
        Alert: {
            id: string;
            /** @enum {string} */
            type: "balance_below" | "spend_above" | "limit_used" | "lot_expiring" | "runway_below";
            threshold: {
                credits?: number;
                percent?: number;
                days?: number;
            };
            rearm_at: number;
            user_id: string | null;
            team_id: string | null;
            feature_id: string | null;
            /** @enum {string|null} */
            period: "HOURLY" | "DAILY" | "WEEKLY" | "MONTHLY" | null;
            cooldown_seconds: number;
            enabled: boolean;
            /** @enum {string} */
            state: "armed" | "fired";
            /** Format: date-time */
            fired_at: string | null;
            /** @enum {string} */
            mode: "live" | "test";
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        NewAlert: {
            /** @enum {string} */
            type: "balance_below" | "spend_above" | "limit_used" | "lot_expiring" | "runway_below";
            threshold: {
                credits?: number | string;
                percent?: number | string;
                days?: number | string;
            };
            user_id?: string;
            team_id?: string;
            /** @description The id of a feature. `limit_used` requires the feature of the limit. With `spend_above`, only spending on this feature counts. */
            feature_id?: string;
            /**
             * @description The period in which `spend_above` adds up the spending, in UTC. Default: MONTHLY.
             * @enum {string}
             */
            period?: "HOURLY" | "DAILY" | "WEEKLY" | "MONTHLY";
            /** @description A fired alert is armed again when its value passes this value in the opposite direction. It has the unit of the threshold. Not allowed with `lot_expiring`. Default: 10 % above the threshold for an alert on a falling value, and 10 % below the threshold for an alert on a rising value. */
            rearm_at?: number | string;
            /** @description The minimum time in seconds between two notifications of the alert. Default: 0. It has no effect with `lot_expiring`. */
            cooldown_seconds?: number;
            enabled?: boolean;
        };
        AlertChange: {
            threshold?: {
                credits?: number | string;
                percent?: number | string;
                days?: number | string;
            };
            /** @description A fired alert is armed again when its value passes this value in the opposite direction. It has the unit of the threshold. Not allowed with `lot_expiring`. Default: 10 % above the threshold for an alert on a falling value, and 10 % below the threshold for an alert on a rising value. */
            rearm_at?: number | string;
            /** @description The minimum time in seconds between two notifications of the alert. Default: 0. It has no effect with `lot_expiring`. */
            cooldown_seconds?: number;
            enabled?: boolean;
        };
        PortalToken: {
            /** @description The token. Send it as `Authorization: Bearer TOKEN`. It is signed but not encrypted, so everyone who has the token can read its claims. */
            token: string;
            /** Format: date-time */
            expires_at: string;
        };
        PortalTokenDraft: {
            user_id?: string;
            team_id?: string;
            /** @description The lifetime of the token in seconds, at most 3600. The token stops working earlier if the API key that created it does. */
            expires_in_seconds: number;
            /** @description The origins of the pages that may use the token. */
            origins: string[];
            /** @description The ids of the credit packs that the page may sell for the wallet, in the order in which the page shows them. The API key must then also have the scope `credits:write`. */
            credit_pack_ids?: string[];
        };
        WebhookEndpointDraft: {
            /** @description An https URL, which is checked now and before each attempt. Its host must not be the host of this deployment, and must not resolve to a private address, unless the operator allows the host (`PRIVATE_UPSTREAMS`). In development, `http://localhost:PORT` and `http://127.0.0.1:PORT` are also allowed. */
            url: string;
            /** @description The notifications to send, as types or groups, or `*` for all. */
            types: string[];
            description?: string;
            /** @description Default: true. */
            enabled?: boolean;
            /** @description Whether messages also have Ed25519 signatures (`v1a`), which `public_key` verifies. Default: false. */
            v1a?: boolean;
        };
        WebhookEndpointChange: {
            /** @description An https URL, which is checked now and before each attempt. Its host must not be the host of this deployment, and must not resolve to a private address, unless the operator allows the host (`PRIVATE_UPSTREAMS`). In development, `http://localhost:PORT` and `http://127.0.0.1:PORT` are also allowed. */
            url?: string;
            /** @description The notifications to send, as types or groups, or `*` for all. */
            types?: string[];
            description?: string | null;
            enabled?: boolean;
            /** @description Whether messages also have Ed25519 signatures (`v1a`), which `public_key` verifies. */
            v1a?: boolean;
        };
        User: {
            user_id: string;
            email?: string;
            metadata?: {
                [key: string]: unknown;
            };
            /** Format: date-time */
            created_at: string;
        };
        NewUser: {
            user_id: string;
            /** Format: email */
            email?: string;
            metadata?: {
                [key: string]: unknown;
            };
        };
        UserChange: {
            /** Format: email */
            email?: string | null;
            /** @description The changed keys of the metadata. A key in the request replaces the existing key with the same name. A key with the value null is removed. If `metadata` itself is null, all keys are removed. */
            metadata?: {
                [key: string]: unknown;
            };
        };
        ErasedUser: {
            user_id: string;
            /** @enum {boolean} */
            deleted: true;
            /** @description The new id under which the ledger keeps the amounts, transactions, events and remaining credits. */
            erased_id: string;
        };
        Team: {
            team_id: string;
            metadata?: {
                [key: string]: unknown;
            };
            /** Format: date-time */
            created_at: string;
        };
        NewTeam: {
            team_id: string;
            metadata?: {
                [key: string]: unknown;
            };
        };
        TeamChange: {
            /** @description The changed keys of the metadata. A key in the request replaces the existing key with the same name. A key with the value null is removed. If `metadata` itself is null, all keys are removed. */
            metadata?: {
                [key: string]: unknown;
            };
        };
        ErasedTeam: {
            team_id: string;
            /** @enum {boolean} */
            deleted: true;
            /** @description The new id under which the ledger keeps the amounts, transactions, events and remaining credits. */
            erased_id: string;
        };
        DropInStatus: {
            otlp: {
                /** @description Whether the endpoint is enabled in this deployment. */
                enabled: boolean;
                /** Format: date-time */
                last_received_at: string | null;
                accepted: number;
                duplicates: number;
                /** @description The number of items that were not billed because of an error, by reason. A request that is refused as a whole counts as one item. */
                rejected: {
                    [key: string]: number;
                };
                /** @description The number of items that cost nothing, by reason. */
                ignored: {
                    [key: string]: number;
                };
            };
            openmeter: {
                /** @description Whether the endpoint is enabled in this deployment. */
                enabled: boolean;
                /** Format: date-time */
                last_received_at: string | null;
                accepted: number;
                duplicates: number;
                /** @description The number of items that were not billed because of an error, by reason. A request that is refused as a whole counts as one item. */
                rejected: {
                    [key: string]: number;
                };
                /** @description The number of items that cost nothing, by reason. */
                ignored: {
                    [key: string]: number;
                };
            };
            litellm: {
                /** @description Whether the endpoint is enabled in this deployment. */
                enabled: boolean;
                /** Format: date-time */
                last_received_at: string | null;
                accepted: number;
                duplicates: number;
                /** @description The number of items that were not billed because of an error, by reason. A request that is refused as a whole counts as one item. */
                rejected: {
                    [key: string]: number;
                };
                /** @description The number of items that cost nothing, by reason. */
                ignored: {
                    [key: string]: number;
                };
            };
            openmonetize: {
                /** @description Whether the endpoint is enabled in this deployment. */
                enabled: boolean;
                /** Format: date-time */
                last_received_at: string | null;
                accepted: number;
                duplicates: number;
                /** @description The number of items that were not billed because of an error, by reason. A request that is refused as a whole counts as one item. */
                rejected: {
                    [key: string]: number;
                };
                /** @description The number of items that cost nothing, by reason. */
                ignored: {
                    [key: string]: number;
                };
            };
            stripe: {
                /** @description Whether the endpoint is enabled in this deployment. */
                enabled: boolean;
                /** Format: date-time */
                last_received_at: string | null;
                accepted: number;
                duplicates: number;
                /** @description The number of items that were not billed because of an error, by reason. A request that is refused as a whole counts as one item. */
                rejected: {
                    [key: string]: number;
                };
                /** @description The number of items that cost nothing, by reason. */
                ignored: {
                    [key: string]: number;
                };
            };
        };
        OpenMeterMappings: {
            mappings: components["schemas"]["OpenMeterMapping"][];
        };
        OpenMeterMapping: {
            /** @description The `type` of the CloudEvents. */
            type: string;
            feature_id: string;
            unit?: string;
            /** @description A JSON Pointer (RFC 6901) into the event's `data`. */
            quantity?: string;
            /** @description The name of a provider, or a JSON Pointer that begins with a slash. */
            provider?: string;
            /** @description A JSON Pointer (RFC 6901) into the event's `data`. */
            model?: string;
            /** @description A JSON Pointer (RFC 6901) into the event's `data`. */
            input_tokens?: string;
            /** @description A JSON Pointer (RFC 6901) into the event's `data`. */
            output_tokens?: string;
        };
    };
    responses: never;
    parameters: {
        /** @description An id of your choice for the request. An id in another format is replaced with a new id. */
        RequestId: string;
        /** @description With this header, the request takes effect only once. For at least 7 days, a repeat with the same payload returns the same response. A repeat with another payload returns 422. The header has no effect on an entitlement check without a hold, and on a registration without the operator token. */
        IdempotencyKey: string;
    };
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The Worker is running. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        status: "ok";
                    };
                };
            };
        };
    };
    getReadiness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All dependencies respond. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        status: "ready";
                        checks: {
                            d1: {
                                ok: boolean;
                                latency_ms: number;
                            };
                            kv: {
                                ok: boolean;
                                latency_ms: number;
                            };
                            object: {
                                ok: boolean;
                                latency_ms: number;
                            };
                        };
                    };
                };
            };
        };
    };
    getRoot: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The links. They are relative to the URL of this page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        name: string;
                        version: string;
                        links: {
                            [key: string]: string;
                        };
                    };
                    "text/html": string;
                };
            };
        };
    };
    getOpenApiDocument: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The document. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        openapi: string;
                    } & {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    getDocumentation: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
        };
    };
    getErrorReference: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
        };
    };
    getDocumentationAsset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                file: "swagger-ui-bundle.js" | "swagger-ui.css" | "start.js";
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/javascript": string;
                    "text/css": string;
                };
            };
        };
    };
    getSigningKeys: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The keys, newest first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeySet"];
                };
            };
        };
    };
    registerCustomer: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Registration"];
            };
        };
        responses: {
            /** @description The customer and its first key. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RegisteredCustomer"];
                };
            };
        };
    };
    getCurrentCustomer: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The customer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Customer"];
                };
            };
        };
    };
    listAuditLog: {
        parameters: {
            query?: {
                /** @description The id of the customer whose records are listed. The value `operator` lists the records that do not concern exactly one customer. */
                customer_id?: string;
                /** @description The author of the change. Either the id of an API key, or `operator`, or `operator:EMAIL` if the operator signed in with Cloudflare Access, or `public` if a customer registered without the operator token. */
                actor?: string;
                action?: "credits.grant" | "credits.purchase" | "credits.refund" | "credits.void" | "credits.transfer" | "credits.adjust" | "credits.revoke" | "credits.set_overdraft" | "credits.stop_recurring" | "credits.set_auto_top_up" | "credits.delete_auto_top_up" | "entitlements.create" | "entitlements.replace" | "entitlements.delete" | "burn_tables.create" | "burn_tables.edit" | "burn_tables.delete" | "users.erase" | "teams.erase" | "drop_in.set_mappings" | "price_overrides.create" | "provider_costs.create" | "customers.register" | "customers.change" | "api_keys.create" | "api_keys.rotate" | "api_keys.delete" | "provider_keys.create" | "provider_keys.delete" | "gateway_routes.create" | "gateway_routes.change" | "gateway_routes.delete" | "credit_packs.create" | "credit_packs.change" | "credit_packs.delete" | "webhook_endpoints.create" | "webhook_endpoints.change" | "webhook_endpoints.rotate_secret" | "webhook_endpoints.delete" | "admin.rerate" | "admin.rebuild" | "admin.reconcile" | "admin.replay_dead_letters" | "admin.apply_price_feed" | "admin.reject_price_feed";
                /** @description The id of the changed object, for example of a wallet, a burn table, a key, a customer or a price. */
                target?: string;
                /** @description The start of the time range, inclusive. */
                from?: string;
                /** @description The end of the time range, exclusive. */
                to?: string;
                limit?: number;
                /** @description The `next_cursor` of the previous page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of records. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditPage"];
                };
            };
        };
    };
    listCustomers: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
                status?: "PENDING" | "ACTIVE" | "SUSPENDED" | "CLOSED";
                tier?: "STARTER" | "GROWTH" | "ENTERPRISE";
                /** @description The complete email address of the customer. The filter ignores case. */
                email?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of customers. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AdminCustomersPage"];
                };
            };
        };
    };
    getCustomer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The customer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AdminCustomer"];
                };
            };
        };
    };
    updateCustomer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AccountChange"];
            };
        };
        responses: {
            /** @description The changed customer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AdminCustomer"];
                };
            };
        };
    };
    createCustomerApiKey: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["IssuedApiKeyDraft"];
            };
        };
        responses: {
            /** @description The key. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedApiKey"];
                };
            };
        };
    };
    rebuildCustomer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Rebuild"];
            };
        };
        responses: {
            /** @description The result. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Rebuilt"];
                };
            };
        };
    };
    listDeadLetters: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
                /** @description `open`: not consumed yet. `replayed`: consumed by a replay in the last 30 days. */
                state?: "open" | "replayed";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of messages. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeadLettersPage"];
                };
            };
        };
    };
    replayDeadLetters: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["DeadLetterReplay"];
            };
        };
        responses: {
            /** @description The result. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeadLetterReplayed"];
                };
            };
        };
    };
    getMetrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The metrics. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
        };
    };
    listPriceFeeds: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The feeds. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PriceFeeds"];
                };
            };
        };
    };
    applyPriceFeed: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PriceFeedDecision"];
            };
        };
        responses: {
            /** @description The feed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PriceFeed"];
                };
            };
        };
    };
    rejectPriceFeed: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PriceFeedDecision"];
            };
        };
        responses: {
            /** @description The feed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PriceFeed"];
                };
            };
        };
    };
    listProviderCosts: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
                provider?: string;
                /** @description The model or prefix for which the price was set, including the `*` of a prefix. */
                model?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of prices. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        data: components["schemas"]["PriceOverlay"][];
                        next_cursor: string | null;
                    };
                };
            };
        };
    };
    createProviderCost: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PriceOverlayInput"];
            };
        };
        responses: {
            /** @description The price. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PriceOverlay"];
                };
            };
        };
    };
    reconcile: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Reconcile"];
            };
        };
        responses: {
            /** @description The result. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reconciled"];
                };
            };
        };
    };
    rerateEvents: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Rerate"];
            };
        };
        responses: {
            /** @description The result. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RerateSummary"];
                };
            };
        };
    };
    getStats: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The figures. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Stats"];
                };
            };
        };
    };
    listUnratedModels: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of models. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UnratedModels"];
                };
            };
        };
    };
    listOperatorWebhookEndpoints: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of endpoints. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookEndpointsPage"];
                };
            };
        };
    };
    createOperatorWebhookEndpoint: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OperatorWebhookEndpointDraft"];
            };
        };
        responses: {
            /** @description The endpoint, with its secret. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookEndpointWithSecret"];
                };
            };
        };
    };
    getOperatorWebhookEndpoint: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The endpoint. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookEndpoint"];
                };
            };
        };
    };
    deleteOperatorWebhookEndpoint: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The deleted endpoint. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookEndpoint"];
                };
            };
        };
    };
    updateOperatorWebhookEndpoint: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OperatorWebhookEndpointChange"];
            };
        };
        responses: {
            /** @description The endpoint. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookEndpoint"];
                };
            };
        };
    };
    rotateOperatorWebhookSecret: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["WebhookSecretRotation"];
            };
        };
        responses: {
            /** @description The endpoint, with its new secret. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookEndpointWithSecret"];
                };
            };
        };
    };
    testOperatorWebhookEndpoint: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The delivery with its attempt. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookDelivery"];
                };
            };
        };
    };
    replayOperatorWebhookEndpoint: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WebhookReplay"];
            };
        };
        responses: {
            /** @description The number of deliveries that the request started. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookReplayed"];
                };
            };
        };
    };
    listOperatorWebhookDeliveries: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
                endpoint_id?: string;
                status?: "pending" | "succeeded" | "failed" | "dropped";
                type?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of deliveries. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookDeliveriesPage"];
                };
            };
        };
    };
    getOperatorWebhookDelivery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The delivery. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookDelivery"];
                };
            };
        };
    };
    retryOperatorWebhookDelivery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The delivery. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookDelivery"];
                };
            };
        };
    };
    postOtlpTraces: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    resourceSpans?: {
                        [key: string]: unknown;
                    }[];
                } & {
                    [key: string]: unknown;
                };
                "application/x-protobuf": string;
            };
        };
        responses: {
            /** @description The request was received. `partialSuccess` is absent if nothing was rejected. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        partialSuccess?: {
                            rejectedSpans: number;
                            errorMessage: string;
                        };
                    };
                    "application/x-protobuf": string;
                };
            };
        };
    };
    postOtlpMetrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    resourceMetrics?: {
                        [key: string]: unknown;
                    }[];
                } & {
                    [key: string]: unknown;
                };
                "application/x-protobuf": string;
            };
        };
        responses: {
            /** @description The request was received. `partialSuccess` is absent if nothing was rejected. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        partialSuccess?: {
                            rejectedDataPoints: number;
                            errorMessage: string;
                        };
                    };
                    "application/x-protobuf": string;
                };
            };
        };
    };
    postOpenmeterApiEvents: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/cloudevents+json": {
                    [key: string]: unknown;
                };
                "application/cloudevents-batch+json": {
                    [key: string]: unknown;
                }[];
                "application/json": {
                    [key: string]: unknown;
                } | {
                    [key: string]: unknown;
                }[];
            };
        };
        responses: {
            /** @description All events are billed, by this request or an earlier one. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    getOpenmeterApiMetersMeterQuery: {
        parameters: {
            query?: {
                /** @description The start of the range, inclusive. Default: 30 days before `to`. */
                from?: string;
                /** @description The end of the range, exclusive. Default: now. */
                to?: string;
                windowSize?: "HOUR" | "DAY" | "MONTH";
                windowTimeZone?: "UTC";
                subject?: string[];
                /** @description The groups: any of `subject`, `model` and `provider`. */
                groupBy?: string[];
            };
            header?: never;
            path: {
                meter: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The windows and groups. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        from: string;
                        to: string;
                        /** @enum {string} */
                        windowSize?: "HOUR" | "DAY" | "MONTH";
                        data: {
                            value: number;
                            windowStart: string;
                            windowEnd: string;
                            subject: string | null;
                            groupBy: {
                                [key: string]: string | null;
                            };
                        }[];
                    };
                };
            };
        };
    };
    getOpenmeterApiCustomersCustomerEntitlementsFeatureValue: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                customer: string;
                feature: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description `hasAccess` is true if the user may use the feature now. The other fields describe the limit and are absent without a limit. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        hasAccess: boolean;
                        balance?: number;
                        usage?: number;
                        overage?: number;
                        totalAvailableGrantAmount?: number;
                    };
                };
            };
        };
    };
    postLitellmEvents: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: unknown;
                } | {
                    [key: string]: unknown;
                }[];
            };
        };
        responses: {
            /** @description The outcomes of the calls. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        accepted: number;
                        duplicates: number;
                        rejected: number;
                        ignored: number;
                        errors: {
                            index: number;
                            code: string;
                            detail: string;
                        }[];
                    };
                };
            };
        };
    };
    postStripeBillingMeterEvents: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/x-www-form-urlencoded": {
                    event_name?: string;
                    identifier?: string;
                    timestamp?: string;
                } & {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description The meter event. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        object: "billing.meter_event";
                        created: number;
                        event_name: string;
                        identifier: string;
                        livemode: boolean;
                        payload: {
                            [key: string]: string;
                        };
                        timestamp: number;
                    };
                };
            };
        };
    };
    postOpenmonetizeCustomersRegister: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description The response in the format of the original service. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    postOpenmonetizeEventsIngest: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description The response in the format of the original service. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    getOpenmonetizeEvents: {
        parameters: {
            query?: {
                limit?: string;
                offset?: string;
                customerId?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    getOpenmonetizeCreditsBalance: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    getOpenmonetizeUsersUserIdCredits: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                userId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    getOpenmonetizeCustomersCustomerIdUsersUserIdCredits: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                customerId: string;
                userId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    getOpenmonetizeUsersUserIdTransactions: {
        parameters: {
            query?: {
                limit?: string;
                offset?: string;
            };
            header?: never;
            path: {
                userId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    getOpenmonetizeCustomersCustomerIdUsersUserIdTransactions: {
        parameters: {
            query?: {
                limit?: string;
                offset?: string;
            };
            header?: never;
            path: {
                customerId: string;
                userId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    postOpenmonetizeCreditsPurchase: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    postOpenmonetizeCreditsGrant: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    postOpenmonetizeEntitlementsCheck: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    postOpenmonetizeEntitlements: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description The response in the format of the original service. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    putOpenmonetizeEntitlementsId: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    deleteOpenmonetizeEntitlementsId: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The request succeeded. The response has no body. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    getOpenmonetizeCustomersCustomerIdEntitlements: {
        parameters: {
            query?: {
                limit?: string;
                offset?: string;
            };
            header?: never;
            path: {
                customerId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    postOpenmonetizeRatingCalculate: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    postOpenmonetizeRatingCalculateBulk: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    getOpenmonetizeAnalyticsUsage: {
        parameters: {
            query?: {
                start_date?: string;
                end_date?: string;
                startDate?: string;
                endDate?: string;
                customerId?: string;
                user_id?: string;
                userId?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    getOpenmonetizeAnalyticsCostBreakdown: {
        parameters: {
            query?: {
                start_date?: string;
                end_date?: string;
                startDate?: string;
                endDate?: string;
                customerId?: string;
                user_id?: string;
                userId?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    getOpenmonetizeAnalyticsCosts: {
        parameters: {
            query?: {
                start_date?: string;
                end_date?: string;
                startDate?: string;
                endDate?: string;
                customerId?: string;
                user_id?: string;
                userId?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    getOpenmonetizeAnalyticsBurnRate: {
        parameters: {
            query?: {
                start_date?: string;
                end_date?: string;
                startDate?: string;
                endDate?: string;
                customerId?: string;
                user_id?: string;
                userId?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    getOpenmonetizeCustomersMe: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    getOpenmonetizeUsers: {
        parameters: {
            query?: {
                limit?: string;
                offset?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The response in the format of the original service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    postOpenmonetizeUsers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description The response in the format of the original service. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    receiveStripeEvent: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description The event was processed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {boolean} */
                        received: true;
                    };
                };
            };
        };
    };
    listApiKeys: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of keys. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApiKeysPage"];
                };
            };
        };
    };
    createApiKey: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ApiKeyDraft"];
            };
        };
        responses: {
            /** @description The key. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedApiKey"];
                };
            };
        };
    };
    rotateApiKey: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ApiKeyRotation"];
            };
        };
        responses: {
            /** @description The new key. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RotatedApiKey"];
                };
            };
        };
    };
    deleteApiKey: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The deleted key. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApiKey"];
                };
            };
        };
    };
    ingestEvents: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Event"] | components["schemas"]["EventBatch"];
            };
        };
        responses: {
            /** @description The credits burned and the new balance. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Ingested"] | components["schemas"]["BatchResult"];
                };
            };
        };
    };
    listEvents: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
                user_id?: string;
                team_id?: string;
                key_id?: string;
                feature_id?: string;
                provider?: string;
                model?: string;
                event_type?: "TOKEN_USAGE" | "API_CALL" | "FEATURE_ACCESS" | "IMAGE_GENERATION" | "VIDEO_GENERATION" | "AUDIO_PROCESSING" | "CUSTOM";
                /** @description The start of the range of event times, inclusive. */
                from?: string;
                /** @description The end of the range of event times, exclusive. */
                to?: string;
                unrated?: "true" | "false";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of events, or an export. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        data: components["schemas"]["EventRecord"][];
                        next_cursor: string | null;
                    };
                    "text/csv": string;
                    "application/x-ndjson": string;
                };
            };
        };
    };
    getEvent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The event. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EventRecord"];
                };
            };
        };
    };
    explainEvent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The explanation. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EventExplanation"];
                };
            };
        };
    };
    voidEvent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            /** @description The returned credits and the new balance. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Movement"];
                };
            };
        };
    };
    getReceipt: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The receipt. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Receipt"];
                };
            };
        };
    };
    getCheckpoint: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The checkpoint. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Checkpoint"];
                };
            };
        };
    };
    exportLedger: {
        parameters: {
            query?: {
                /** @description The number of the first exported entry, inclusive. Default: the first entry of the chain. */
                from?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The export, with one JSON object on each line. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-ndjson": string;
                };
            };
        };
    };
    calculatePrice: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Calculation"];
            };
        };
        responses: {
            /** @description The cost and its breakdown by unit. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Calculated"];
                };
            };
        };
    };
    calculatePrices: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BulkCalculation"];
            };
        };
        responses: {
            /** @description The results in the order of the request, and the totals of the results without an error. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkCalculated"];
                };
            };
        };
    };
    simulateBurnTable: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Simulation"];
            };
        };
        responses: {
            /** @description The recorded and the simulated costs, in total, by feature and by model. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Simulated"];
                };
            };
        };
    };
    listProviderPrices: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
                provider?: string;
                model?: string;
                /** @description The time at which the price applies, in the past or in the future. Default: now. */
                at?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One price, or a page of models or providers. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelPrice"] | {
                        data: components["schemas"]["ModelPrice"][];
                        next_cursor: string | null;
                    } | {
                        data: components["schemas"]["Provider"][];
                        next_cursor: string | null;
                    };
                };
            };
        };
    };
    listPriceOverrides: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
                provider?: string;
                /** @description The model or prefix for which the price was set, including the `*` of a prefix. */
                model?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of prices. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        data: components["schemas"]["PriceOverlay"][];
                        next_cursor: string | null;
                    };
                };
            };
        };
    };
    createPriceOverride: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PriceOverlayInput"];
            };
        };
        responses: {
            /** @description The price. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PriceOverlay"];
                };
            };
        };
    };
    listBurnTables: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of tables. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        data: components["schemas"]["BurnTableVersion"][];
                        next_cursor: string | null;
                    };
                };
            };
        };
    };
    createBurnTable: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BurnTable"];
            };
        };
        responses: {
            /** @description The table. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BurnTableVersion"];
                };
            };
        };
    };
    getBurnTable: {
        parameters: {
            query?: {
                /** @description The version number. Default: the last version of the table. */
                version?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The table. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BurnTableVersion"];
                };
            };
        };
    };
    deactivateBurnTable: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The table. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BurnTableVersion"];
                };
            };
        };
    };
    updateBurnTable: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BurnTablePatch"];
            };
        };
        responses: {
            /** @description The new version. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BurnTableVersion"];
                };
            };
        };
    };
    getActiveBurnTable: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The table, or the deployment's default table if no table of the customer is in force. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BurnTableVersion"];
                };
            };
        };
    };
    grantCredits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Grant"];
            };
        };
        responses: {
            /** @description The lot and the new balance. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Credited"];
                };
            };
        };
    };
    purchaseCredits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Purchase"];
            };
        };
        responses: {
            /** @description The first purchase, because the payment was already recorded. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Credited"];
                };
            };
            /** @description The lot and the new balance. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Credited"];
                };
            };
        };
    };
    getBalance: {
        parameters: {
            query?: {
                user_id?: string;
                team_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The balance. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Balance"];
                };
            };
        };
    };
    listLots: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
                user_id?: string;
                team_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of lots. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        data: components["schemas"]["Lot"][];
                        next_cursor: string | null;
                    };
                };
            };
        };
    };
    listTransactions: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
                user_id?: string;
                team_id?: string;
                type?: "PURCHASE" | "GRANT" | "BURN" | "REFUND" | "VOID" | "EXPIRATION" | "TRANSFER" | "ADJUSTMENT";
                /** @description The start of the range of `created_at`, inclusive. */
                from?: string;
                /** @description The end of the range of `created_at`, exclusive. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of transactions, or an export. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        data: components["schemas"]["Transaction"][];
                        next_cursor: string | null;
                    };
                    "text/csv": string;
                    "application/x-ndjson": string;
                };
            };
        };
    };
    refundTransaction: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Refund"];
            };
        };
        responses: {
            /** @description The movement and the new balance. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Movement"];
                };
            };
        };
    };
    transferCredits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Transfer"];
            };
        };
        responses: {
            /** @description The movement and the new balance. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Movement"];
                };
            };
        };
    };
    adjustCredits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Adjustment"];
            };
        };
        responses: {
            /** @description The movement and the new balance. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Movement"];
                };
            };
        };
    };
    revokeLot: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Revocation"];
            };
        };
        responses: {
            /** @description The movement and the new balance. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Movement"];
                };
            };
        };
    };
    listRecurringGrants: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
                user_id?: string;
                team_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of grants. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        data: components["schemas"]["RecurringGrant"][];
                        next_cursor: string | null;
                    };
                };
            };
        };
    };
    stopRecurringGrant: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The grant is cancelled. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        recurring_grant_id: string;
                        /** @enum {boolean} */
                        stopped: true;
                    };
                };
            };
        };
    };
    updateWallet: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WalletChange"];
            };
        };
        responses: {
            /** @description The wallet. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Wallet"];
                };
            };
        };
    };
    getAutoTopUp: {
        parameters: {
            query?: {
                user_id?: string;
                team_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The rule and its state. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AutoTopUp"];
                };
            };
        };
    };
    setAutoTopUp: {
        parameters: {
            query?: {
                user_id?: string;
                team_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AutoTopUpDraft"];
            };
        };
        responses: {
            /** @description The rule and its state. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AutoTopUp"];
                };
            };
        };
    };
    deleteAutoTopUp: {
        parameters: {
            query?: {
                user_id?: string;
                team_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The deleted rule and its last state. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AutoTopUp"];
                };
            };
        };
    };
    listCreditPacks: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of packs. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreditPacksPage"];
                };
            };
        };
    };
    createCreditPack: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreditPackDraft"];
            };
        };
        responses: {
            /** @description The pack. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreditPack"];
                };
            };
        };
    };
    getCreditPack: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The pack. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreditPack"];
                };
            };
        };
    };
    deleteCreditPack: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The deleted pack. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreditPack"];
                };
            };
        };
    };
    updateCreditPack: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreditPackChange"];
            };
        };
        responses: {
            /** @description The changed pack. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreditPack"];
                };
            };
        };
    };
    createCheckout: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Checkout"];
            };
        };
        responses: {
            /** @description The id of the payment, and the URL of the Stripe page. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenedCheckout"];
                };
            };
        };
    };
    listPayments: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of payments. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PaymentsPage"];
                };
            };
        };
    };
    getPayment: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The payment. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Payment"];
                };
            };
        };
    };
    listHolds: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
                user_id?: string;
                team_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of holds. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        data: components["schemas"]["Hold"][];
                        next_cursor: string | null;
                    };
                };
            };
        };
    };
    createHold: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OpenHold"];
            };
        };
        responses: {
            /** @description The hold. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Hold"];
                };
            };
        };
    };
    captureHold: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CaptureHold"];
            };
        };
        responses: {
            /** @description The captured credits. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Captured"];
                };
            };
        };
    };
    releaseHold: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            /** @description The hold. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Hold"];
                };
            };
        };
    };
    extendHold: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ExtendHold"];
            };
        };
        responses: {
            /** @description The hold. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Hold"];
                };
            };
        };
    };
    getHold: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The hold. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Hold"];
                };
            };
        };
    };
    listEntitlements: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
                feature_id?: string;
                user_id?: string;
                team_id?: string;
                /** @description The id of an API key. The limit counts the usage of requests with this key, and the captures of holds that this key opened. After a rotation, the new key has another id. */
                key_id?: string;
                /** @description The name of a model, exactly as events contain it. The limit applies to this model name at every provider. */
                model?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of entitlements. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        data: components["schemas"]["EntitlementRecord"][];
                        next_cursor: string | null;
                    };
                };
            };
        };
    };
    createEntitlement: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Entitlement"];
            };
        };
        responses: {
            /** @description The entitlement. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EntitlementRecord"];
                };
            };
        };
    };
    getEntitlement: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The entitlement. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EntitlementRecord"];
                };
            };
        };
    };
    replaceEntitlement: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EntitlementReplacement"];
            };
        };
        responses: {
            /** @description The entitlement. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EntitlementRecord"];
                };
            };
        };
    };
    deleteEntitlement: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The deleted entitlement. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EntitlementRecord"];
                };
            };
        };
    };
    checkEntitlement: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EntitlementCheck"];
            };
        };
        responses: {
            /** @description The result of the check. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EntitlementChecked"];
                };
            };
        };
    };
    getUsage: {
        parameters: {
            query?: {
                /** @description The start of the range, inclusive, rounded down to a whole hour. Default: 30 days before `to`. */
                from?: string;
                /** @description The end of the range, exclusive, rounded up to a whole hour. Default: now. */
                to?: string;
                /** @description The groups: up to 3 of hour, day, week, month, feature, provider, model, user, team, key, event_type, separated by commas. */
                group_by?: string;
                /** @description The IANA time zone in which `day`, `week` and `month` start, including daylight saving time. Default: UTC. If `group_by` contains a time window, the offset of the zone from UTC must be a whole number of hours. */
                time_zone?: string;
                feature?: string[];
                provider?: string[];
                model?: string[];
                user?: string[];
                team?: string[];
                key?: string[];
                /** @description An alias of `key`. The values of `key` and `key_id` are combined. */
                key_id?: string[];
                event_type?: string[];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A row for each combination of group values, and the totals of all rows. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UsageAnalytics"];
                };
            };
        };
    };
    getCosts: {
        parameters: {
            query?: {
                /** @description The start of the range, inclusive, rounded down to a whole hour. Default: 30 days before `to`. */
                from?: string;
                /** @description The end of the range, exclusive, rounded up to a whole hour. Default: now. */
                to?: string;
                /** @description The groups: up to 3 of hour, day, week, month, feature, provider, model, user, team, key, event_type, separated by commas. */
                group_by?: string;
                /** @description The IANA time zone in which `day`, `week` and `month` start, including daylight saving time. Default: UTC. If `group_by` contains a time window, the offset of the zone from UTC must be a whole number of hours. */
                time_zone?: string;
                feature?: string[];
                provider?: string[];
                model?: string[];
                user?: string[];
                team?: string[];
                key?: string[];
                /** @description An alias of `key`. The values of `key` and `key_id` are combined. */
                key_id?: string[];
                event_type?: string[];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A row for each combination of group values, and the totals of all rows. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CostAnalytics"];
                };
            };
        };
    };
    getBurnRate: {
        parameters: {
            query?: {
                user?: string;
                team?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The averages, the trend and the run-out date. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BurnRate"];
                };
            };
        };
    };
    listProviderKeys: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of provider keys. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProviderKeysPage"];
                };
            };
        };
    };
    createProviderKey: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ProviderKeyDraft"];
            };
        };
        responses: {
            /** @description The stored key, without its secret. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProviderKey"];
                };
            };
        };
    };
    deleteProviderKey: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The deleted key. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProviderKey"];
                };
            };
        };
    };
    listGatewayRoutes: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of routes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GatewayRoutesPage"];
                };
            };
        };
    };
    createGatewayRoute: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["GatewayRouteDraft"];
            };
        };
        responses: {
            /** @description The route. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GatewayRoute"];
                };
            };
        };
    };
    getGatewayRoute: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The route. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GatewayRoute"];
                };
            };
        };
    };
    deleteGatewayRoute: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The deleted route. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GatewayRoute"];
                };
            };
        };
    };
    updateGatewayRoute: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["GatewayRouteChange"];
            };
        };
        responses: {
            /** @description The changed route. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GatewayRoute"];
                };
            };
        };
    };
    listAlerts: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of alerts. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        data: components["schemas"]["Alert"][];
                        next_cursor: string | null;
                    };
                };
            };
        };
    };
    createAlert: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewAlert"];
            };
        };
        responses: {
            /** @description The alert. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Alert"];
                };
            };
        };
    };
    getAlert: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The alert. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Alert"];
                };
            };
        };
    };
    deleteAlert: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The deleted alert. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Alert"];
                };
            };
        };
    };
    updateAlert: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AlertChange"];
            };
        };
        responses: {
            /** @description The alert. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Alert"];
                };
            };
        };
    };
    streamNotifications: {
        parameters: {
            query?: {
                /** @description The sequence number after which the stream begins. The header `Last-Event-ID` takes precedence. */
                after?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
        };
    };
    createPortalToken: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PortalTokenDraft"];
            };
        };
        responses: {
            /** @description The token. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PortalToken"];
                };
            };
        };
    };
    listWebhookEndpoints: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of endpoints. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookEndpointsPage"];
                };
            };
        };
    };
    createWebhookEndpoint: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WebhookEndpointDraft"];
            };
        };
        responses: {
            /** @description The endpoint, with its secret. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookEndpointWithSecret"];
                };
            };
        };
    };
    getWebhookEndpoint: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The endpoint. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookEndpoint"];
                };
            };
        };
    };
    deleteWebhookEndpoint: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The deleted endpoint. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookEndpoint"];
                };
            };
        };
    };
    updateWebhookEndpoint: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WebhookEndpointChange"];
            };
        };
        responses: {
            /** @description The endpoint. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookEndpoint"];
                };
            };
        };
    };
    rotateWebhookSecret: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["WebhookSecretRotation"];
            };
        };
        responses: {
            /** @description The endpoint, with its new secret. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookEndpointWithSecret"];
                };
            };
        };
    };
    testWebhookEndpoint: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The delivery with its attempt. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookDelivery"];
                };
            };
        };
    };
    replayWebhookEndpoint: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WebhookReplay"];
            };
        };
        responses: {
            /** @description The number of deliveries that the request started. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookReplayed"];
                };
            };
        };
    };
    listWebhookDeliveries: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
                endpoint_id?: string;
                status?: "pending" | "succeeded" | "failed" | "dropped";
                type?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of deliveries. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookDeliveriesPage"];
                };
            };
        };
    };
    getWebhookDelivery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The delivery. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookDelivery"];
                };
            };
        };
    };
    retryWebhookDelivery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The delivery. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookDelivery"];
                };
            };
        };
    };
    listUsers: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of users. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        data: components["schemas"]["User"][];
                        next_cursor: string | null;
                    };
                };
            };
        };
    };
    createUser: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewUser"];
            };
        };
        responses: {
            /** @description The user. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
        };
    };
    getUser: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The user. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
        };
    };
    eraseUser: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The erased id. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErasedUser"];
                };
            };
        };
    };
    updateUser: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserChange"];
            };
        };
        responses: {
            /** @description The user. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
        };
    };
    listTeams: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the previous page. Omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of teams. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        data: components["schemas"]["Team"][];
                        next_cursor: string | null;
                    };
                };
            };
        };
    };
    createTeam: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewTeam"];
            };
        };
        responses: {
            /** @description The team. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Team"];
                };
            };
        };
    };
    getTeam: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                team_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The team. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Team"];
                };
            };
        };
    };
    eraseTeam: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                team_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The erased id. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErasedTeam"];
                };
            };
        };
    };
    updateTeam: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                team_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TeamChange"];
            };
        };
        responses: {
            /** @description The team. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Team"];
                };
            };
        };
    };
    getDropInStatus: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The counts of each endpoint. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DropInStatus"];
                };
            };
        };
    };
    getOpenMeterMappings: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The mappings. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenMeterMappings"];
                };
            };
        };
    };
    setOpenMeterMappings: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OpenMeterMappings"];
            };
        };
        responses: {
            /** @description The mappings. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenMeterMappings"];
                };
            };
        };
    };
}
