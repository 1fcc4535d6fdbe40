// Made by scripts/api-types.ts from the OpenAPI document. Do not edit.

export interface paths {
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether the process answers
         * @description Whether the process answers.
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
         * Whether everything it depends on answers
         * @description Looked at once in 5 seconds. A failure is a problem document with the same `checks`.
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
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * This API as an OpenAPI 3.1 document
         * @description Generated from the schemas that validate the requests.
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
         * This API as a page
         * @description Works without the internet: everything that it shows is served here.
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
    "/docs/{file}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A part of the page
         * @description What the page at `/docs` is made of.
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
         * @description The first API key is in the answer and nowhere else, so an `Idempotency-Key` replays nothing here: a repeat is a 409.
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
         * The customer of this API key
         * @description The customer of this API key.
         *
         *     Takes any API key.
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
         * Who changed what, when and from where, newest first
         * @description Every change of keys, customers, credits, pricing and entitlements that was accepted, exactly once; nobody can change or delete a record. What a ledger changed is here when it is flushed, a few seconds later. A page may hold fewer records than `limit` while `next_cursor` is set.
         *
         *     Takes the operator's token.
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
         * The customers, newest first
         * @description PENDING is one whose registration broke half way: it can be repeated with the same email.
         *
         *     Takes the operator's token.
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
         * A customer
         * @description A customer.
         *
         *     Takes the operator's token.
         */
        get: operations["getCustomer"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change a customer's tier, suspend it, close it, or lift that
         * @description Its ledgers go by it from the answer on, everything else within 90 s. A suspended customer's keys can only read, and so can those of a closed one: it differs in what it says. Nothing is deleted. After a 503, repeat the request: it does what is left.
         *
         *     Takes the operator's token.
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
         * Issue an API key to a customer, such as one that has lost its only one
         * @description The key is in this answer and nowhere else. With an `Idempotency-Key` a lost answer can be had again: it is stored encrypted under the operator's token of the request, and only a repeat with that one gets it. The customer's other keys stay as they are.
         *
         *     Takes the operator's token.
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
         * Make a customer's analytics anew from the ledger's pages
         * @description The new rollups are made beside the old ones and take their place at once, so analytics answer as ever meanwhile. A call goes through 25,000 entries.
         *
         *     Takes the operator's token.
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
         * Messages of the usage queue that could not be consumed, newest first
         * @description Messages of the usage queue that could not be consumed, newest first.
         *
         *     Takes the operator's token.
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
         * Consume dead letters again: those that are named, or the 100 that failed longest ago
         * @description Consume dead letters again: those that are named, or the 100 that failed longest ago.
         *
         *     Takes the operator's token.
         */
        post: operations["replayDeadLetters"];
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
         * The operator's prices, newest first: those that ended and those to come too
         * @description The operator's prices, newest first: those that ended and those to come too.
         *
         *     Takes the operator's token.
         */
        get: operations["listProviderCosts"];
        put?: never;
        /**
         * Set a provider's price for every customer: a new model, or a price that the catalogue has wrong
         * @description Holds from `effective_from` on and reaches every rating within 90 s. The price that it replaces ends there and is kept; nothing is edited. A price of a model that had none may begin up to 35 days back, so that its events can be rated.
         *
         *     Takes the operator's token.
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
         * Compare ledgers with D1's pages and with analytics, and mend what differs
         * @description The ledgers of one customer; or, without `customer_id`, up to 40 that were not looked at for ten minutes, longest ago first. Pages are mended from the journal of the ledger object, analytics from the pages. A cron does the same for every ledger once a day.
         *
         *     Takes the operator's token.
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
         * Rate the events that were recorded without a price and have one now
         * @description Of one customer, or of all. Each event is rated at most once, by the price of its own time. A cron does the same.
         *
         *     Takes the operator's token.
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
         * What an operator looks at, and what alerts look at
         * @description What an operator looks at, and what alerts look at.
         *
         *     Takes the operator's token.
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
    "/v1/api-keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The API keys, newest first; those that were deleted too, and never a secret
         * @description A test key sees test keys only.
         *
         *     Takes an API key with the scope `keys:write`.
         */
        get: operations["listApiKeys"];
        put?: never;
        /**
         * Make an API key
         * @description With no scope that the key of the request does not have, no other mode (a live key may make test keys), and no later end. The first test key opens the test ledger. The key is in this answer and nowhere else. With an `Idempotency-Key` a lost answer can be had again: it is stored encrypted under the API key of the request, and only a repeat with that one gets it.
         *
         *     Takes an API key with the scope `keys:write`.
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
         * Replace an API key by a new one of the same name, mode, scopes and end
         * @description Both work during the overlap, only the new one after it. A key that replaces itself without an overlap is refused from then on, so that its answer cannot be had again. The key is in this answer and nowhere else. With an `Idempotency-Key` a lost answer can be had again: it is stored encrypted under the API key of the request, and only a repeat with that one gets it.
         *
         *     Takes an API key with the scope `keys:write`.
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
         * Delete an API key, for good
         * @description From the answer on it is refused by everything that a ledger answers, and within 90 s by everything else. Deleting it again changes nothing and answers the same; do so after a 503.
         *
         *     Takes an API key with the scope `keys:write`.
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
         * Rate usage and burn its credits: one event, or up to 1,000
         * @description Rate usage and burn its credits: one event, or up to 1,000.
         *
         *     Takes an API key with the scope `events:write`.
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
         * Recorded events, newest arrival first
         * @description `from` and `to` are of the event time.
         *
         *     Takes an API key with the scope `credits:read`.
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
         * One recorded event
         * @description One recorded event.
         *
         *     Takes an API key with the scope `credits:read`.
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
         * Give back what an event burned, to the same lots
         * @description Give back what an event burned, to the same lots.
         *
         *     Takes an API key with the scope `credits:write`.
         */
        post: operations["voidEvent"];
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
         * What a usage costs, in USD and in credits; moves nothing
         * @description What a usage costs, in USD and in credits; moves nothing.
         *
         *     Takes an API key with the scope `pricing:read`.
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
         * Up to 100 calculations at once, each validated alone
         * @description Up to 100 calculations at once, each validated alone.
         *
         *     Takes an API key with the scope `pricing:read`.
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
         * What recorded events would have cost under another burn table
         * @description Events of up to 31 days, and at most 100,000 that have arrived since `from`. Their provider costs stay as recorded; tiers and allowances count from nothing at the first of them.
         *
         *     Takes an API key with the scope `pricing:read`.
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
         * What the provider charges you for a model, at a time
         * @description With `provider` and `model`: the price in force at `at`, in the standard service tier and without a region. Without `model`: a page of the provider's models. Without `provider`: a page of the providers. A unit without a price of its own costs what the unit around it costs: cached tokens that are not listed, as much as input's.
         *
         *     Takes an API key with the scope `pricing:read`.
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
         * Your own prices, newest first: those that ended and those to come too
         * @description Your own prices, newest first: those that ended and those to come too.
         *
         *     Takes an API key with the scope `pricing:read`.
         */
        get: operations["listPriceOverrides"];
        put?: never;
        /**
         * Set a price of your own: a negotiated rate
         * @description Holds from `effective_from` on, in place of the list prices or times them, and reaches every rating within 90 s. The price that it replaces ends there and is kept; nothing is edited. Live and test keys share prices.
         *
         *     Takes an API key with the scope `pricing:write`.
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
         * Burn tables in their last versions, newest first; those that were deleted too
         * @description Burn tables in their last versions, newest first; those that were deleted too.
         *
         *     Takes an API key with the scope `pricing:read`.
         */
        get: operations["listBurnTables"];
        put?: never;
        /**
         * Save a burn table: how usage becomes credits
         * @description It rates events from `effective_from` on, in live and in test mode, beginning with the next one. Of several tables the one that began last rates an event.
         *
         *     Takes an API key with the scope `pricing:write`.
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
         * A burn table, in its last version or in an earlier one
         * @description A burn table, in its last version or in an earlier one.
         *
         *     Takes an API key with the scope `pricing:read`.
         */
        get: operations["getBurnTable"];
        put?: never;
        post?: never;
        /**
         * Deactivate a burn table from now on
         * @description Events of earlier times still fall under it, and entries keep naming its versions.
         *
         *     Takes an API key with the scope `pricing:write`.
         */
        delete: operations["deactivateBurnTable"];
        options?: never;
        head?: never;
        /**
         * Save a new version of a burn table
         * @description Fields that are given replace those of the last version. Without `effective_from`, and with one that has passed, it holds from now on: events of earlier times stay with the version before.
         *
         *     Takes an API key with the scope `pricing:write`.
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
         * The burn table that rates an event of now
         * @description The burn table that rates an event of now.
         *
         *     Takes an API key with the scope `pricing:read`.
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
         * Give credits: a new lot in a wallet
         * @description Give credits: a new lot in a wallet.
         *
         *     Takes an API key with the scope `credits:write`.
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
         * Record credits that were paid for: a new lot in a wallet
         * @description Record credits that were paid for: a new lot in a wallet.
         *
         *     Takes an API key with the scope `credits:write`.
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
         * What a wallet holds now
         * @description What a wallet holds now.
         *
         *     Takes an API key with the scope `credits:read`.
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
         * The open lots of a wallet in burn order
         * @description The open lots of a wallet in burn order.
         *
         *     Takes an API key with the scope `credits:read`.
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
         * The lines of the ledger, newest first
         * @description With `user_id` or `team_id` only those of that wallet; without, those of all wallets.
         *
         *     Takes an API key with the scope `credits:read`.
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
         * Take back a purchase, or give back a burn to the same lots
         * @description Take back a purchase, or give back a burn to the same lots.
         *
         *     Takes an API key with the scope `credits:write`.
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
         * Move credits between wallets; lots keep their expiry
         * @description Move credits between wallets; lots keep their expiry.
         *
         *     Takes an API key with the scope `credits:write`.
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
         * Correct a balance by hand
         * @description Correct a balance by hand.
         *
         *     Takes an API key with the scope `credits:write`.
         */
        post: operations["adjustCredits"];
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
         * The grants that come again, newest first
         * @description Of one wallet; or, without `user_id` and `team_id`, of up to 1,000 wallets in which something will fall due: whoever has more of them asks wallet by wallet.
         *
         *     Takes an API key with the scope `credits:read`.
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
         * Have a grant come no more; the lots that it made stay
         * @description Have a grant come no more; the lots that it made stay.
         *
         *     Takes an API key with the scope `credits:write`.
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
         * Set how far a wallet may be overdrawn
         * @description Set how far a wallet may be overdrawn.
         *
         *     Takes an API key with the scope `credits:write`.
         */
        patch: operations["updateWallet"];
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
         * Open holds, newest first
         * @description Open holds, newest first.
         *
         *     Takes an API key with the scope `credits:read`.
         */
        get: operations["listHolds"];
        put?: never;
        /**
         * Reserve credits before a call: an amount, or the worst case of a model and its usage
         * @description Reserve credits before a call: an amount, or the worst case of a model and its usage.
         *
         *     Takes an API key with the scope `credits:write`.
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
         * Spend what is held, in parts or for good
         * @description Spend what is held, in parts or for good.
         *
         *     Takes an API key with the scope `credits:write`.
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
         * Close a hold and free what it still reserves
         * @description Close a hold and free what it still reserves.
         *
         *     Takes an API key with the scope `credits:write`.
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
         * Have a hold expire later, counted from now
         * @description Have a hold expire later, counted from now.
         *
         *     Takes an API key with the scope `credits:write`.
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
         * One hold, open or closed
         * @description One hold, open or closed.
         *
         *     Takes an API key with the scope `credits:read`.
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
         * Entitlements, newest first
         * @description Entitlements, newest first.
         *
         *     Takes an API key with the scope `entitlements:read`.
         */
        get: operations["listEntitlements"];
        put?: never;
        /**
         * Say what a feature allows a user, a team, or everybody together
         * @description It binds the very next event, in live and in test mode, each with counters of its own.
         *
         *     Takes an API key with the scope `entitlements:write`.
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
         * One entitlement
         * @description One entitlement.
         *
         *     Takes an API key with the scope `entitlements:read`.
         */
        get: operations["getEntitlement"];
        /**
         * Replace the rules of an entitlement
         * @description What was counted stays if unit, period and anchor do.
         *
         *     Takes an API key with the scope `entitlements:write`.
         */
        put: operations["replaceEntitlement"];
        post?: never;
        /**
         * Delete an entitlement, and what it has counted
         * @description Delete an entitlement, and what it has counted.
         *
         *     Takes an API key with the scope `entitlements:write`.
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
         * Whether a use would be allowed now, and what it would cost; moves nothing unless it holds
         * @description Whether a use would be allowed now, and what it would cost; moves nothing unless it holds.
         *
         *     Takes an API key with the scope `entitlements:read`.
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
         * What was used: events, units, credits and what the providers charge for it
         * @description Up to three groups, of which one may be a window of time (UTC; weeks begin on Monday), and filters of the same names, each of which may be given several times. `from` and `to` are widened to whole hours. At most 366 days, 31 by the hour, 92 by user, and 10,000 groups. An event counts at its own time; a voided one does not count. Rows of USD add up to their total.
         *
         *     Takes an API key with the scope `analytics:read`.
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
         * What it cost and what it earned: provider cost, revenue, margin
         * @description Up to three groups, of which one may be a window of time (UTC; weeks begin on Monday), and filters of the same names, each of which may be given several times. `from` and `to` are widened to whole hours. At most 366 days, 31 by the hour, 92 by user, and 10,000 groups. An event counts at its own time; a voided one does not count. Rows of USD add up to their total.
         *
         *     Takes an API key with the scope `analytics:read`.
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
         * How fast credits are burned, and when they run out
         * @description Of the customer, with the balance of all its wallets together; or of one `user` or `team`, with the balance of its wallet.
         *
         *     Takes an API key with the scope `analytics:read`.
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
    "/v1/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Users, newest first
         * @description Who was created here, and who was mentioned: by an event, or as the owner of a wallet.
         *
         *     Takes an API key with the scope `credits:read`.
         */
        get: operations["listUsers"];
        put?: never;
        /**
         * Record a user
         * @description A user is recorded on first mention anyway, and is then a 409 here. It makes no wallet.
         *
         *     Takes an API key with the scope `credits:write`.
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
         * One user
         * @description One user.
         *
         *     Takes an API key with the scope `credits:read`.
         */
        get: operations["getUser"];
        put?: never;
        post?: never;
        /**
         * Erase a user and keep the ledger
         * @description Erases the id wherever it stands, the user's profile, and the metadata of its events and of the entries of its wallet, and its entitlements; recurring grants to its wallet end. Amounts, transactions and events stay, under the name `erased_id`; credits that are left in its wallet can be transferred from there. The id is free then: who comes with it next is a new user without a wallet. A repeat is a 404. Of a ledger so large that it takes longer than a request, the answer is a 503: it goes on by itself, and a repeat says when it is done.
         *
         *     Takes an API key with the scope `credits:write`.
         */
        delete: operations["eraseUser"];
        options?: never;
        head?: never;
        /**
         * Change what is known of a user
         * @description Change what is known of a user.
         *
         *     Takes an API key with the scope `credits:write`.
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
         * Teams, newest first
         * @description Who was created here, and who was mentioned: by an event, or as the owner of a wallet.
         *
         *     Takes an API key with the scope `credits:read`.
         */
        get: operations["listTeams"];
        put?: never;
        /**
         * Record a team
         * @description A team is recorded on first mention anyway, and is then a 409 here. It makes no wallet.
         *
         *     Takes an API key with the scope `credits:write`.
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
         * One team
         * @description One team.
         *
         *     Takes an API key with the scope `credits:read`.
         */
        get: operations["getTeam"];
        put?: never;
        post?: never;
        /**
         * Erase a team and keep the ledger
         * @description Erases the id wherever it stands, the team's profile, and the metadata of its events and of the entries of its wallet, and its entitlements; recurring grants to its wallet end. Amounts, transactions and events stay, under the name `erased_id`; credits that are left in its wallet can be transferred from there. The id is free then: who comes with it next is a new team without a wallet. A repeat is a 404. Of a ledger so large that it takes longer than a request, the answer is a 503: it goes on by itself, and a repeat says when it is done.
         *
         *     Takes an API key with the scope `credits:write`.
         */
        delete: operations["eraseTeam"];
        options?: never;
        head?: never;
        /**
         * Change what is known of a team
         * @description Change what is known of a team.
         *
         *     Takes an API key with the scope `credits:write`.
         */
        patch: operations["updateTeam"];
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
            /** @description The provider's response, or its usage part. */
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
            /** @description The hold that the event settles and closes. */
            hold_id?: string;
            idempotency_key?: string;
            /**
             * Format: date-time
             * @description Default: now. Up to 35 days back and 5 minutes ahead.
             */
            timestamp?: string;
            metadata?: {
                [key: string]: unknown;
            };
        };
        /** @description Inclusive totals with their subsets. */
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
            /** @description USD for `per` units, with at most 18 decimals. */
            amount: number | string;
            /** @description 1000000 for USD per million tokens. */
            per: number;
            /** @description Instead of `amount` for the whole request once its total input is above (inclusive: at least) the threshold. */
            tiers?: {
                threshold: number;
                /** @default false */
                inclusive?: boolean;
                amount: number | string;
            }[];
        };
        RegisteredCustomer: {
            customer_id: string;
            /** @description Shown this once, and stored nowhere. */
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
             * @description Another tier than STARTER takes the operator's token.
             * @default STARTER
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
            /** @description null: it concerns no customer alone. */
            customer_id: string | null;
            /** @enum {string|null} */
            mode: "live" | "test" | null;
            actor: string;
            /** @enum {string} */
            action: "credits.grant" | "credits.purchase" | "credits.refund" | "credits.void" | "credits.transfer" | "credits.adjust" | "credits.set_overdraft" | "credits.stop_recurring" | "entitlements.create" | "entitlements.replace" | "entitlements.delete" | "burn_tables.create" | "burn_tables.edit" | "burn_tables.delete" | "users.erase" | "teams.erase" | "price_overrides.create" | "provider_costs.create" | "customers.register" | "customers.change" | "api_keys.create" | "api_keys.rotate" | "api_keys.delete" | "admin.rerate" | "admin.rebuild" | "admin.reconcile" | "admin.replay_dead_letters";
            target: string;
            ip: string | null;
            request_id: string | null;
            /** @description What changed, as far as it changed. null: it was not there, or is no more. */
            before: {
                [key: string]: unknown;
            } | null;
            /** @description What changed, as far as it changed. null: it was not there, or is no more. */
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
            /** @description Where its ledgers were asked to live. */
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
            /** @description Also stands in the key itself, behind `om_live_` or `om_test_`. */
            key_id: string;
            name: string;
            /** @enum {string} */
            mode: "live" | "test";
            scopes: ("events:write" | "credits:read" | "credits:write" | "pricing:read" | "pricing:write" | "entitlements:read" | "entitlements:write" | "analytics:read" | "keys:write")[];
            /** @enum {string} */
            status: "active" | "expired" | "revoked";
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            expires_at: string | null;
            /**
             * Format: date-time
             * @description When it was deleted, or from when on it is refused because it was rotated.
             */
            revoked_at: string | null;
            /**
             * Format: date-time
             * @description At most an hour older than the last use.
             */
            last_used_at: string | null;
            /** @description Shown this once, and stored nowhere. */
            api_key: string;
        };
        ApiKey: {
            /** @description Also stands in the key itself, behind `om_live_` or `om_test_`. */
            key_id: string;
            name: string;
            /** @enum {string} */
            mode: "live" | "test";
            scopes: ("events:write" | "credits:read" | "credits:write" | "pricing:read" | "pricing:write" | "entitlements:read" | "entitlements:write" | "analytics:read" | "keys:write")[];
            /** @enum {string} */
            status: "active" | "expired" | "revoked";
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            expires_at: string | null;
            /**
             * Format: date-time
             * @description When it was deleted, or from when on it is refused because it was rotated.
             */
            revoked_at: string | null;
            /**
             * Format: date-time
             * @description At most an hour older than the last use.
             */
            last_used_at: string | null;
        };
        IssuedApiKeyDraft: {
            name: string;
            /**
             * Format: date-time
             * @description In the future.
             */
            expires_at?: string;
            /** @description Default: all. */
            scopes?: ("events:write" | "credits:read" | "credits:write" | "pricing:read" | "pricing:write" | "entitlements:read" | "entitlements:write" | "analytics:read" | "keys:write")[];
            /**
             * @default live
             * @enum {string}
             */
            mode?: "live" | "test";
        };
        Rebuilt: {
            ledgers: {
                /** @enum {string} */
                mode: "live" | "test";
                /** @description How many entries were folded again in this call. */
                entries: number;
                /** @description How many rows of rollups were written for them. */
                rows: number;
                /** @description The new rollups are those that analytics read. */
                done: boolean;
            }[];
            /** @description There is more than one call does: call again, or leave it to the cron. */
            more: boolean;
        };
        Rebuild: {
            /**
             * @description Default: both ledgers, as far as there is anything in them.
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
            /** @description Why it could not be consumed when it was last tried. */
            reason: string;
            /** @description How often it was tried since the queue gave it up. */
            attempts: number;
            /** Format: date-time */
            sent_at: string;
            /** Format: date-time */
            failed_at: string;
            /** Format: date-time */
            replayed_at: string | null;
            /** @description The first 2,000 characters of its JSON. */
            body: string;
        };
        DeadLetterReplayed: {
            /** @description Consumed now. What was counted before is not counted again. */
            replayed: number;
            /** @description They failed again and stay listed, with the reason. */
            failed: number;
            /** @description Named, and not among those that wait. */
            not_found: number;
            /** @description There are more than one call replays: call again. */
            more: boolean;
        };
        DeadLetterReplay: {
            dead_letter_ids?: string[];
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
            /** @description The id of the API key, or `operator`. */
            created_by: string;
        };
        PriceOverlayInput: {
            provider: string;
            /** @description A model's name, or the beginning of names and `*`; an exact name comes before a longer beginning. */
            model: string;
            /** @description Only for this tier. Without: for all tiers, as it stands. */
            service_tier?: string;
            prices: {
                [key: string]: components["schemas"]["OverlayUnitPrice"];
            } | {
                multiplier: number | string;
            };
            /**
             * Format: date-time
             * @description Default: now. In the past, at most 35 days, only for an exact model that had no price then.
             */
            effective_from?: string;
            /**
             * Format: date-time
             * @description Default: until it is replaced.
             */
            effective_to?: string;
        };
        Reconciled: {
            ledgers: {
                ledger_id: string;
                /** @enum {string} */
                status: "OK" | "REPAIRED" | "DIFFERENT" | "CHECKING" | "UNAVAILABLE";
                /** @description The pages up to this entry are right. */
                checked_entry: number | null;
                /** @description What was found. With status REPAIRED it was mended. */
                differences: components["schemas"]["Difference"][];
            }[];
            /** @description There are more than one call looks at: call again. */
            more: boolean;
        };
        Difference: {
            /** @enum {string} */
            kind: "pages_missing" | "page_sums" | "wallet_chain" | "balance" | "usage_of_pages" | "usage_of_rollups" | "usage_of_days";
            from_entry: number;
            to_entry: number;
            expected: string;
            found: string;
        };
        Reconcile: {
            customer_id?: string;
            /** @description Look at every page; without it, at those since the last check. Default false. */
            full?: boolean;
        };
        RerateSummary: {
            ledgers: number;
            examined: number;
            rated: number;
            /** @description The price is known; the wallet cannot pay until its next credit. */
            unpaid: number;
            /** @description Still without a price. */
            unpriced: number;
            /** @description There is more than one run looks at, or a ledger did not answer: call again. */
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
                /** @description false: there are more than were looked at. */
                complete: boolean;
            };
            ledgers: {
                total: number;
                /** @description false: there are more than were looked at. */
                complete: boolean;
            };
            /** @description Ledgers that could not bring D1 up to date, by their own account. */
            flush: {
                ledgers_behind: number;
                /**
                 * Format: date-time
                 * @description When the oldest of what is missing was committed.
                 */
                oldest_at: string | null;
                /** @description How long ago that was; 0 when nothing is missing. */
                lag_seconds: number;
            };
            /** @description Ledgers whose usage is in D1 and not yet in analytics. */
            rollups: {
                ledgers_behind: number;
                /**
                 * Format: date-time
                 * @description When the oldest of what is missing was committed.
                 */
                oldest_at: string | null;
                /** @description How long ago that was; 0 when nothing is missing. */
                lag_seconds: number;
            };
            reconcile: {
                /** @description Ledgers whose sums did not agree at their last check and could not be mended. */
                different: number;
                /** @description Ledgers that were never checked. */
                unchecked: number;
                /** Format: date-time */
                last_run_at: string | null;
            };
            dead_letters: {
                open: number;
                /** @description false: there are more than were looked at. */
                complete: boolean;
            };
            /** @description How requests of this hour and the 23 before it ended, about a minute late. */
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
                /** @description What was refused or failed, by problem code. */
                by_code: {
                    [key: string]: number;
                };
                replayed: number;
                /** @description Events that were rejected in batches that were answered 200, by code. */
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
                    /** @description What was refused or failed, by problem code. */
                    by_code: {
                        [key: string]: number;
                    };
                    replayed: number;
                    /** @description Events that were rejected in batches that were answered 200, by code. */
                    rejected_events: {
                        [key: string]: number;
                    };
                    /** Format: date-time */
                    hour: string;
                }[];
            };
            /** Format: date-time */
            as_of: string;
        };
        ApiKeysPage: {
            data: components["schemas"]["ApiKey"][];
            next_cursor: string | null;
        };
        ApiKeyDraft: {
            name: string;
            /**
             * Format: date-time
             * @description In the future.
             */
            expires_at?: string;
            /** @description Default: all that the key itself has. */
            scopes?: ("events:write" | "credits:read" | "credits:write" | "pricing:read" | "pricing:write" | "entitlements:read" | "entitlements:write" | "analytics:read" | "keys:write")[];
            /**
             * @description Default: that of the key itself. A live key can make test keys, a test key only test keys. Test keys act on a ledger of their own.
             * @enum {string}
             */
            mode?: "live" | "test";
        };
        RotatedApiKey: {
            /** @description Also stands in the key itself, behind `om_live_` or `om_test_`. */
            key_id: string;
            name: string;
            /** @enum {string} */
            mode: "live" | "test";
            scopes: ("events:write" | "credits:read" | "credits:write" | "pricing:read" | "pricing:write" | "entitlements:read" | "entitlements:write" | "analytics:read" | "keys:write")[];
            /** @enum {string} */
            status: "active" | "expired" | "revoked";
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            expires_at: string | null;
            /**
             * Format: date-time
             * @description When it was deleted, or from when on it is refused because it was rotated.
             */
            revoked_at: string | null;
            /**
             * Format: date-time
             * @description At most an hour older than the last use.
             */
            last_used_at: string | null;
            /** @description Shown this once, and stored nowhere. */
            api_key: string;
            /** @description The old key, and until when it works. */
            replaces: {
                key_id: string;
                /** Format: date-time */
                revoked_at: string;
            };
        };
        ApiKeyRotation: {
            /**
             * @description For how long the old key goes on working beside the new one; at most 7 days.
             * @default 0
             */
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
             * @description No price was known: nothing was burned yet.
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
             * @description No price was known: nothing was burned yet.
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
        };
        Movement: {
            transaction_id: string;
            wallet_id: string;
            /** @description Credits, with at most 6 decimals. */
            amount: number;
            /** @description Credits, with at most 6 decimals. */
            balance_after: number;
            /** @description What came back to lots that have expired meanwhile, and so is gone again. */
            returned_expired?: number;
            to?: {
                transaction_id: string;
                wallet_id: string;
                /** @description Credits, with at most 6 decimals. */
                balance_after: number;
            };
        };
        Calculated: {
            /** @description USD, with at most 12 decimals. */
            provider_cost_usd: number;
            credits: number;
            /** @description USD, with at most 12 decimals. */
            customer_price_usd: number;
            /** @description Of customer_price_usd; null when that is 0. */
            margin_percent: number | null;
            /** @description How the same request could cost less by list prices; says nothing of quality. */
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
            /** @description Why there is no suggestion. */
            optimization_note?: string;
            usage: {
                [key: string]: number;
            };
            breakdown: {
                unit: string;
                quantity: number;
                /** @description USD, with at most 12 decimals. */
                price_usd: number;
                /** @description USD, with at most 12 decimals. */
                cost_usd: number;
            }[];
            pricing_source: string;
            burn_table_version: number;
            price_version: string;
            warnings?: string[];
        };
        Calculation: {
            provider?: string;
            model?: string;
            input_tokens?: number;
            output_tokens?: number;
            usage?: components["schemas"]["Usage"];
            /** @description The provider's response, or its usage part. */
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
        };
        BulkCalculated: {
            results: ({
                index: number;
                /** @description USD, with at most 12 decimals. */
                provider_cost_usd: number;
                credits: number;
                /** @description USD, with at most 12 decimals. */
                customer_price_usd: number;
                /** @description Of customer_price_usd; null when that is 0. */
                margin_percent: number | null;
                /** @description How the same request could cost less by list prices; says nothing of quality. */
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
                /** @description Why there is no suggestion. */
                optimization_note?: string;
                usage: {
                    [key: string]: number;
                };
                breakdown: {
                    unit: string;
                    quantity: number;
                    /** @description USD, with at most 12 decimals. */
                    price_usd: number;
                    /** @description USD, with at most 12 decimals. */
                    cost_usd: number;
                }[];
                pricing_source: string;
                burn_table_version: number;
                price_version: string;
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
            /** @description What the events burned. */
            credits_recorded: number;
            /** @description What they would have burned. */
            credits_simulated: number;
            /** @description Simulated less recorded. */
            difference: number;
            /** @description USD, with at most 12 decimals. */
            provider_cost_usd: number;
            /** @description At the draft's credits per USD. */
            customer_price_usd: number;
            margin_percent: number | null;
            /** @description Recorded without a price: in none of the sums. */
            unrated_events: number;
            /** @description The 100 dearest features. */
            by_feature: {
                feature_id: string;
                events: number;
                /** @description What the events burned. */
                credits_recorded: number;
                /** @description What they would have burned. */
                credits_simulated: number;
                /** @description Simulated less recorded. */
                difference: number;
                /** @description USD, with at most 12 decimals. */
                provider_cost_usd: number;
                /** @description At the draft's credits per USD. */
                customer_price_usd: number;
                margin_percent: number | null;
            }[];
        };
        Simulation: {
            burn_table: components["schemas"]["BurnTableDraft"];
            /**
             * Format: date-time
             * @description Of the event times; in it.
             */
            from: string;
            /**
             * Format: date-time
             * @description Not in it; at most 31 days after `from`.
             */
            to: string;
        };
        BurnTableDraft: {
            /** @default Draft */
            name?: string;
            /** @description Default: the deployment's. */
            credits_per_usd?: number | string;
            /**
             * @default {
             *       "mode": "half_even",
             *       "step": "0.000001"
             *     }
             */
            rounding?: {
                /**
                 * @default half_even
                 * @enum {string}
                 */
                mode?: "half_even" | "ceil" | "floor";
                step?: number | string;
            };
            min_charge?: number | string;
            /**
             * @default flag
             * @enum {string}
             */
            on_unpriced?: "flag" | "reject" | "ceiling";
            /** @default [] */
            rules?: ({
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
                 * @default MONTHLY
                 * @enum {string}
                 */
                period?: "DAILY" | "WEEKLY" | "MONTHLY";
                tiers: {
                    up_to: number | string;
                    unit_amount: number | string;
                    flat_amount?: number | string;
                }[];
            } | {
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
             * @description Default: now.
             */
            effective_from?: string;
            /**
             * Format: date-time
             * @description The first moment at which it no longer holds. Default: never.
             */
            effective_to?: string;
        };
        ModelPrice: {
            provider: string;
            model: string;
            /** @description The catalogue's name of it; null for a model that the catalogue does not know. */
            catalogue_model: string | null;
            /**
             * @description The list price, a price of the operator for everybody, or one of your own.
             * @enum {string}
             */
            source: "catalogue" | "operator" | "override";
            price_version: string;
            /** Format: date-time */
            effective_from: string | null;
            /**
             * Format: date-time
             * @description Null where no end is known.
             */
            effective_to: string | null;
            context_window: number | null;
            deprecated: boolean;
            prices: {
                unit: string;
                /** @description USD for one unit, with at most 18 decimals. */
                price_usd: number;
                /** @description Instead, for the whole request, once its total input is above (inclusive: at least) the threshold. */
                tiers?: {
                    threshold: number;
                    inclusive: boolean;
                    /** @description USD for one unit, with at most 18 decimals. */
                    price_usd: number;
                }[];
                /** @description Instead, for images of this quality and size. */
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
            /** @description Null for the deployment's default table. */
            id: string | null;
            /** @description Names the table on entries: counts over all tables of the customer. */
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
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
                 * @default MONTHLY
                 * @enum {string}
                 */
                period?: "DAILY" | "WEEKLY" | "MONTHLY";
                tiers: {
                    up_to: number | null;
                    unit_amount: number;
                    flat_amount?: number;
                }[];
            } | {
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
            /** @description False once it was deleted. */
            active: boolean;
            /** Format: date-time */
            created_at: string | null;
            /**
             * Format: date-time
             * @description When this version was saved.
             */
            updated_at: string | null;
            /** Format: date-time */
            deactivated_at: string | null;
        };
        BurnTable: {
            name: string;
            /** @description Default: the deployment's. */
            credits_per_usd?: number | string;
            /**
             * @default {
             *       "mode": "half_even",
             *       "step": "0.000001"
             *     }
             */
            rounding?: {
                /**
                 * @default half_even
                 * @enum {string}
                 */
                mode?: "half_even" | "ceil" | "floor";
                step?: number | string;
            };
            min_charge?: number | string;
            /**
             * @default flag
             * @enum {string}
             */
            on_unpriced?: "flag" | "reject" | "ceiling";
            /** @default [] */
            rules?: ({
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
                 * @default MONTHLY
                 * @enum {string}
                 */
                period?: "DAILY" | "WEEKLY" | "MONTHLY";
                tiers: {
                    up_to: number | string;
                    unit_amount: number | string;
                    flat_amount?: number | string;
                }[];
            } | {
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
             * @description Default: now.
             */
            effective_from?: string;
            /**
             * Format: date-time
             * @description The first moment at which it no longer holds. Default: never.
             */
            effective_to?: string;
        };
        BurnTablePatch: {
            name?: string;
            /** @description Default: the deployment's. */
            credits_per_usd?: number | string;
            rounding?: {
                /**
                 * @default half_even
                 * @enum {string}
                 */
                mode?: "half_even" | "ceil" | "floor";
                step?: number | string;
            };
            min_charge?: number | string;
            /** @enum {string} */
            on_unpriced?: "flag" | "reject" | "ceiling";
            rules?: ({
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
                 * @default MONTHLY
                 * @enum {string}
                 */
                period?: "DAILY" | "WEEKLY" | "MONTHLY";
                tiers: {
                    up_to: number | string;
                    unit_amount: number | string;
                    flat_amount?: number | string;
                }[];
            } | {
                /**
                 * @description A name, the beginning of names and `*`, or `*`; what is missing is any.
                 * @default {}
                 */
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
             * @description Default: now.
             */
            effective_from?: string;
            /**
             * Format: date-time
             * @description The first moment at which it no longer holds. Default: never.
             */
            effective_to?: string;
        };
        Credited: {
            transaction_id: string;
            wallet_id: string;
            lot_id: string;
            recurring_grant_id?: string;
            /** @description Credits, with at most 6 decimals. */
            amount: number;
            /** @description Credits, with at most 6 decimals. */
            balance_after: number;
        };
        Grant: {
            user_id?: string;
            team_id?: string;
            amount: number | string;
            /**
             * Format: date-time
             * @description In the future. Default: never.
             */
            expires_at?: string;
            /**
             * @description Lower burns first.
             * @default 50
             */
            priority?: number;
            metadata?: {
                [key: string]: unknown;
            };
            reason?: string;
            /**
             * @default promo
             * @enum {string}
             */
            kind?: "promo" | "paid";
            /** @description Again at every period, counted from now; the 31st is the last day of shorter months. */
            recurring?: {
                /** @enum {string} */
                every: "day" | "week" | "month";
                /** @description What may be left of earlier lots when the next comes; default: all of it. */
                rollover_max?: number | string;
            };
        };
        Purchase: {
            user_id?: string;
            team_id?: string;
            amount: number | string;
            /**
             * Format: date-time
             * @description In the future. Default: never.
             */
            expires_at?: string;
            /**
             * @description Lower burns first.
             * @default 50
             */
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
                /** @description null: the overdraft. */
                lot_id: string | null;
                /** @description Credits, with at most 6 decimals. */
                amount: number;
            }[];
            metadata: {
                [key: string]: unknown;
            };
            /** Format: date-time */
            created_at: string;
        };
        Refund: {
            transaction_id: string;
            /** @description Default: all that can be refunded. */
            amount?: number | string;
            reason?: string;
        };
        /** @description `{}` is the customer's own wallet. */
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
            every: "day" | "week" | "month";
            /** @description Credits, with at most 6 decimals. */
            rollover_max: number | null;
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
        Hold: {
            hold_id: string;
            /** @enum {string} */
            status: "open" | "captured" | "released" | "expired";
            feature_id: string;
            user_id: string | null;
            team_id: string | null;
            wallet_id: string;
            /** @description What it was opened with. */
            credits: number;
            /** @description Credits, with at most 6 decimals. */
            captured: number;
            /** @description Credits, with at most 6 decimals. */
            remaining: number;
            /** @description The wallet's balance without what is held. */
            available_balance: number;
            /** @description What remains buys so many output tokens. */
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
            /** @default 600 */
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
            /** @description What was asked for and not there. */
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
            /** @default false */
            final?: boolean;
        };
        ExtendHold: {
            expires_in_seconds: number;
        };
        EntitlementRecord: {
            id: string;
            feature_id: string;
            user_id: string | null;
            team_id: string | null;
            /** @enum {string} */
            limit_type: "HARD" | "SOFT" | "NONE";
            limit_value: number | null;
            /** @enum {string} */
            unit: "credits" | "events" | "tokens" | "usd";
            /** @enum {string|null} */
            period: "HOURLY" | "DAILY" | "WEEKLY" | "MONTHLY" | "TOTAL" | null;
            /** Format: date-time */
            anchor: string | null;
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
            feature_id: string;
            user_id?: string;
            team_id?: string;
            /** @enum {string} */
            limit_type: "HARD" | "SOFT" | "NONE";
            /** @description How much of `unit` fits into a window. */
            limit_value?: number | string;
            /**
             * @default credits
             * @enum {string}
             */
            unit?: "credits" | "events" | "tokens" | "usd";
            /** @enum {string} */
            period?: "HOURLY" | "DAILY" | "WEEKLY" | "MONTHLY" | "TOTAL";
            /**
             * Format: date-time
             * @description A time at which a window begins. Default: by the calendar.
             */
            anchor?: string;
            /** @description Configuration of your own: any JSON of up to 16 KB. */
            value?: unknown;
            /** @default true */
            enabled?: boolean;
            metadata?: {
                [key: string]: unknown;
            };
        };
        EntitlementReplacement: {
            feature_id?: string;
            user_id?: string;
            team_id?: string;
            /** @enum {string} */
            limit_type: "HARD" | "SOFT" | "NONE";
            /** @description How much of `unit` fits into a window. */
            limit_value?: number | string;
            /**
             * @default credits
             * @enum {string}
             */
            unit?: "credits" | "events" | "tokens" | "usd";
            /** @enum {string} */
            period?: "HOURLY" | "DAILY" | "WEEKLY" | "MONTHLY" | "TOTAL";
            /**
             * Format: date-time
             * @description A time at which a window begins. Default: by the calendar.
             */
            anchor?: string;
            /** @description Configuration of your own: any JSON of up to 16 KB. */
            value?: unknown;
            /** @default true */
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
            /** @description What the credits are worth: customer_price_usd. */
            estimated_cost_usd: number;
            current_balance: number;
            limit: {
                /** @enum {string} */
                level: "user" | "team" | "customer";
                value: number;
                used: number;
                remaining: number;
                /** @enum {string} */
                period: "HOURLY" | "DAILY" | "WEEKLY" | "MONTHLY" | "TOTAL";
                /** Format: date-time */
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
            /** @description Without it only the feature and its limits are looked at. */
            action?: {
                /** @description An event type, in any case. */
                type: string;
                provider?: string;
                model?: string;
                estimated_input_tokens?: number;
                estimated_output_tokens?: number;
                estimated_count?: number;
                estimated_duration_seconds?: number;
            };
            /**
             * @description Hold the estimate for ten minutes, if allowed. Needs credits:write.
             * @default false
             */
            hold?: boolean;
        };
        UsageAnalytics: {
            data: {
                /** @description What was grouped by. A window is the time at which it begins; null is without one. */
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
                    event_type?: string | null;
                };
                events: number;
                units: {
                    [key: string]: number;
                };
                /** @description Credits, with at most 6 decimals. */
                credits: number;
                /** @description USD, with at most 6 decimals. */
                provider_cost_usd: number;
            }[];
            totals: {
                events: number;
                units: {
                    [key: string]: number;
                };
                /** @description Credits, with at most 6 decimals. */
                credits: number;
                /** @description USD, with at most 6 decimals. */
                provider_cost_usd: number;
            };
            /** Format: date-time */
            from: string;
            /** Format: date-time */
            to: string;
            /**
             * Format: date-time
             * @description Everything that was acknowledged before this is counted.
             */
            as_of: string;
        };
        CostAnalytics: {
            data: {
                /** @description What was grouped by. A window is the time at which it begins; null is without one. */
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
                    event_type?: string | null;
                };
                /** @description USD, with at most 6 decimals. */
                provider_cost_usd: number;
                /** @description The sum of customer_price_usd, promotional credits included. */
                revenue_usd: number;
                /** @description What had been paid for the credits that were burned. */
                paid_revenue_usd: number;
                /** @description USD, with at most 6 decimals. */
                margin_usd: number;
                /** @description Of the revenue; null without any. */
                margin_percent: number | null;
            }[];
            totals: {
                /** @description USD, with at most 6 decimals. */
                provider_cost_usd: number;
                /** @description The sum of customer_price_usd, promotional credits included. */
                revenue_usd: number;
                /** @description What had been paid for the credits that were burned. */
                paid_revenue_usd: number;
                /** @description USD, with at most 6 decimals. */
                margin_usd: number;
                /** @description Of the revenue; null without any. */
                margin_percent: number | null;
            };
            /** Format: date-time */
            from: string;
            /** Format: date-time */
            to: string;
            /**
             * Format: date-time
             * @description Everything that was acknowledged before this is counted.
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
             * @description The last 7 days beside the 7 before: 20 % more or less.
             * @enum {string}
             */
            trend: "rising" | "steady" | "falling";
            /** @description Null when nothing was burned in 7 days. */
            days_remaining: number | null;
            /** Format: date-time */
            run_out_date: string | null;
            /** @description What the run-out date takes for granted. */
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
            /** @description Keys that are given replace those of that name; a key that is null goes, and null clears all. */
            metadata?: {
                [key: string]: unknown;
            };
        };
        ErasedUser: {
            user_id: string;
            /** @enum {boolean} */
            deleted: true;
            /** @description The name under which the ledger keeps the amounts, and any credits that were left. */
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
            /** @description Keys that are given replace those of that name; a key that is null goes, and null clears all. */
            metadata?: {
                [key: string]: unknown;
            };
        };
        ErasedTeam: {
            team_id: string;
            /** @enum {boolean} */
            deleted: true;
            /** @description The name under which the ledger keeps the amounts, and any credits that were left. */
            erased_id: string;
        };
    };
    responses: never;
    parameters: {
        /** @description A name of your own for the request. One that does not fit is replaced. */
        RequestId: string;
        /** @description Has the request take effect once: a repeat with the same payload gets the same answer for at least 7 days, one with another payload a 422. Where nothing changes (a calculation, a simulation, a check without a hold) it is accepted and does nothing. */
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
            /** @description It does. */
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
            /** @description Everything answers. */
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
                /** @description Only what concerns this customer; `operator` for what concerns none alone. */
                customer_id?: string;
                /** @description Who did it: the id of an API key, `operator`, or `public` for an open registration. */
                actor?: string;
                action?: "credits.grant" | "credits.purchase" | "credits.refund" | "credits.void" | "credits.transfer" | "credits.adjust" | "credits.set_overdraft" | "credits.stop_recurring" | "entitlements.create" | "entitlements.replace" | "entitlements.delete" | "burn_tables.create" | "burn_tables.edit" | "burn_tables.delete" | "users.erase" | "teams.erase" | "price_overrides.create" | "provider_costs.create" | "customers.register" | "customers.change" | "api_keys.create" | "api_keys.rotate" | "api_keys.delete" | "admin.rerate" | "admin.rebuild" | "admin.reconcile" | "admin.replay_dead_letters";
                /** @description The id of what was changed: a wallet, an entitlement, a burn table, a key, a customer, a price … */
                target?: string;
                from?: string;
                /** @description Not in it. */
                to?: string;
                limit?: number;
                /** @description The `next_cursor` of the page before. */
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
                /** @description The `next_cursor` of the page before. */
                cursor?: string;
                status?: "PENDING" | "ACTIVE" | "SUSPENDED" | "CLOSED";
                tier?: "STARTER" | "GROWTH" | "ENTERPRISE";
                /** @description The whole address, in any case. */
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
            /** @description The customer as it is now. */
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
            /** @description What was done. */
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
                /** @description The `next_cursor` of the page before. */
                cursor?: string;
                /** @description Those that wait for a replay, or those that were replayed in the last 30 days. */
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
            /** @description What came of it. */
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
    listProviderCosts: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the page before. */
                cursor?: string;
                provider?: string;
                /** @description As it was posted, with its `*`. */
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
            /** @description What was found. */
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
            /** @description What came of it. */
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
    listApiKeys: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the page before. */
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
            /** @description The key as it is now. */
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
            /** @description What was burned, and the new balance. */
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
                /** @description The `next_cursor` of the page before. */
                cursor?: string;
                user_id?: string;
                team_id?: string;
                feature_id?: string;
                provider?: string;
                model?: string;
                event_type?: "TOKEN_USAGE" | "API_CALL" | "FEATURE_ACCESS" | "IMAGE_GENERATION" | "VIDEO_GENERATION" | "AUDIO_PROCESSING" | "CUSTOM";
                from?: string;
                to?: string;
                unrated?: "true" | "false";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        data: components["schemas"]["EventRecord"][];
                        next_cursor: string | null;
                    };
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
            /** @description What was given back. */
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
            /** @description The price and how it was made. */
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
            /** @description The results in the order of the request, and their sums. */
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
            /** @description Then and now, in all and by feature. */
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
                /** @description The `next_cursor` of the page before. */
                cursor?: string;
                provider?: string;
                model?: string;
                /** @description Default: now. Any time, past or to come. */
                at?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One price, or a page. */
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
                /** @description The `next_cursor` of the page before. */
                cursor?: string;
                provider?: string;
                /** @description As it was posted, with its `*`. */
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
                /** @description The `next_cursor` of the page before. */
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
                /** @description A version of the table. Default: the last. */
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
            /** @description The table; the deployment's default where there is none. */
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
                user_id?: string;
                team_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All open lots; a wallet has at most 1,000. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        data: components["schemas"]["Lot"][];
                        next_cursor: null;
                    };
                };
            };
        };
    };
    listTransactions: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the page before. */
                cursor?: string;
                user_id?: string;
                team_id?: string;
                type?: "PURCHASE" | "GRANT" | "BURN" | "REFUND" | "VOID" | "EXPIRATION" | "TRANSFER" | "ADJUSTMENT";
                from?: string;
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of transactions. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        data: components["schemas"]["Transaction"][];
                        next_cursor: string | null;
                    };
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
            /** @description What was moved, and the new balance. */
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
            /** @description What was moved, and the new balance. */
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
            /** @description What was moved, and the new balance. */
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
                user_id?: string;
                team_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The grants. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        data: components["schemas"]["RecurringGrant"][];
                        next_cursor: null;
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
            /** @description It is stopped. */
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
    listHolds: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the page before. */
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
            /** @description What was captured. */
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
                /** @description The `next_cursor` of the page before. */
                cursor?: string;
                feature_id?: string;
                user_id?: string;
                team_id?: string;
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
            /** @description The entitlement as it was. */
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
            /** @description The answer. */
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
                /** @description Included, cut to its whole hour. Default: 30 days before `to`. */
                from?: string;
                /** @description Excluded, raised to a whole hour. Default: now. */
                to?: string;
                /** @description Up to 3 of hour, day, week, month, feature, provider, model, user, team, event_type, separated by commas. */
                group_by?: string;
                feature?: string[];
                provider?: string[];
                model?: string[];
                user?: string[];
                team?: string[];
                event_type?: string[];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Rows by group, and their totals. */
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
                /** @description Included, cut to its whole hour. Default: 30 days before `to`. */
                from?: string;
                /** @description Excluded, raised to a whole hour. Default: now. */
                to?: string;
                /** @description Up to 3 of hour, day, week, month, feature, provider, model, user, team, event_type, separated by commas. */
                group_by?: string;
                feature?: string[];
                provider?: string[];
                model?: string[];
                user?: string[];
                team?: string[];
                event_type?: string[];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Rows by group, and their totals. */
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
            /** @description Averages, trend and run-out date. */
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
    listUsers: {
        parameters: {
            query?: {
                limit?: number;
                /** @description The `next_cursor` of the page before. */
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
            /** @description Erased. */
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
                /** @description The `next_cursor` of the page before. */
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
            /** @description Erased. */
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
}
