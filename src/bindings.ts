import type { LedgerRpc } from './ledger/rpc.ts'

/** The bindings of `wrangler.toml`. Variables are strings, which `configOf` reads once per isolate. */
export interface Bindings {
  readonly API_KEYS: KVNamespace
  readonly LEDGER: DurableObjectNamespace<LedgerRpc>
  readonly DB: D1Database
  readonly USAGE: Queue
  /** The queue of hints. A hint means that D1 has notifications for webhook endpoints. */
  readonly NOTIFICATIONS: Queue
  /** The queue of due webhook deliveries. */
  readonly WEBHOOKS: Queue
  /**
   * The operator token, a secret. Without it, only operators whom Cloudflare Access authenticated can use operator
   * routes.
   */
  readonly OPERATOR_TOKEN?: string
  /** A second operator token, valid during a rotation. */
  readonly OPERATOR_TOKEN_NEXT?: string
  /**
   * The secret that encrypts the data keys of customers. Without it, secrets such as provider keys cannot be stored
   * or read.
   */
  readonly ENCRYPTION_KEY?: string
  /** A second encryption key during a rotation. */
  readonly ENCRYPTION_KEY_NEXT?: string
  /** The secret that signs portal tokens. Without it, no portal token can be created or used. */
  readonly PORTAL_TOKEN_SECRET?: string
  /** A second secret for portal tokens, valid during a rotation. */
  readonly PORTAL_TOKEN_SECRET_NEXT?: string
  /** The secret that signs checkpoints and receipts. Without it, the deployment signs none of them. */
  readonly LEDGER_SIGNING_KEY?: string
  /** The operator's provider keys as JSON, a secret. `provider-keys/operator-keys.ts` describes the format. */
  readonly OPERATOR_PROVIDER_KEYS?: string
  /** The secrets of the operator's Stripe account (`stripe/account.ts`). Without them, payments are unavailable. */
  readonly STRIPE_SECRET_KEY?: string
  readonly STRIPE_WEBHOOK_SECRET?: string
  readonly STRIPE_TEST_SECRET_KEY?: string
  readonly STRIPE_TEST_WEBHOOK_SECRET?: string
  readonly ENVIRONMENT?: string
  readonly OPEN_REGISTRATION?: string
  readonly SIGNUP_GRANT_CREDITS?: string
  readonly CREDITS_PER_USD?: string
  readonly MARKUP_PERCENT?: string
  readonly DEFAULT_ENTITLEMENT?: string
  readonly IDEMPOTENCY_DAYS?: string
  readonly FLUSH_DELAY_MS?: string
  readonly NOTIFICATION_DELAY_MS?: string
  readonly NOTIFICATION_DAYS?: string
  readonly STREAM_SECONDS?: string
  readonly LEDGER_TIMEOUT_MS?: string
  readonly MAX_LEDGER_MB?: string
  readonly ROLLUP_RETENTION_DAYS?: string
  readonly LOG_SAMPLE_RATE?: string
  readonly SLOW_REQUEST_MS?: string
  readonly CORS_ORIGINS?: string
  readonly PRIVATE_UPSTREAMS?: string
  readonly DNS_RESOLVER_URL?: string
  readonly DROP_IN?: string
  readonly STRIPE_API_URL?: string
  readonly PAYMENT_REVERSALS?: string
  readonly ACCESS_TEAM_DOMAIN?: string
  readonly ACCESS_AUD?: string
  readonly PRICE_FEED_URL?: string
  readonly PRICE_FEED_KEY?: string
  readonly PRICE_FEED_BOUND_PERCENT?: string
  readonly GATEWAY_HOLD_MS?: string
  readonly GATEWAY_HEADERS_TIMEOUT_MS?: string
  readonly GATEWAY_FIRST_CHUNK_TIMEOUT_MS?: string
  readonly GATEWAY_IDLE_TIMEOUT_MS?: string
  readonly RATE_LIMIT_STARTER?: string
  readonly RATE_LIMIT_GROWTH?: string
  readonly RATE_LIMIT_ENTERPRISE?: string
  readonly MONTHLY_EVENTS_STARTER?: string
  readonly MONTHLY_EVENTS_GROWTH?: string
  readonly MONTHLY_EVENTS_ENTERPRISE?: string
  readonly MAX_PROFILES_STARTER?: string
  readonly MAX_PROFILES_GROWTH?: string
  readonly MAX_PROFILES_ENTERPRISE?: string
  readonly MONTHLY_CHANGES_STARTER?: string
  readonly MONTHLY_CHANGES_GROWTH?: string
  readonly MONTHLY_CHANGES_ENTERPRISE?: string
  readonly MAX_METADATA_MB_STARTER?: string
  readonly MAX_METADATA_MB_GROWTH?: string
  readonly MAX_METADATA_MB_ENTERPRISE?: string
  /**
   * The platform's rate limiters, used in `http/middleware/platform-limits.ts`. Their limits are in `wrangler.toml`.
   */
  readonly IP_LIMIT?: RateLimit
  readonly LOOKUP_SHIELD?: RateLimit
  readonly SHIELD_STARTER?: RateLimit
  readonly SHIELD_GROWTH?: RateLimit
  readonly SHIELD_ENTERPRISE?: RateLimit
}
