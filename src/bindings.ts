import type { LedgerRpc } from './ledger/rpc.ts'

/**
 * The bindings in `wrangler.toml`, and the secrets. Variables are strings. `configOf` reads them once for each bindings
 * object.
 */
export interface Bindings {
  readonly API_KEYS: KVNamespace
  readonly LEDGER: DurableObjectNamespace<LedgerRpc>
  readonly DB: D1Database
  readonly USAGE: Queue
  /** The queue of hints. A hint tells the consumer that D1 contains new notifications for webhook endpoints. */
  readonly NOTIFICATIONS: Queue
  /** The queue of due webhook deliveries. */
  readonly WEBHOOKS: Queue
  /**
   * The operator token, a secret. If no operator token is set, only operators whom Cloudflare Access has authenticated
   * can use the operator routes.
   */
  readonly OPERATOR_TOKEN?: string
  /** The second operator token during a rotation. Both tokens are valid. */
  readonly OPERATOR_TOKEN_NEXT?: string
  /**
   * The secret that encrypts data keys. If no encryption key is set, secrets such as provider keys cannot be stored or
   * read.
   */
  readonly ENCRYPTION_KEY?: string
  /** The second encryption key during a rotation. */
  readonly ENCRYPTION_KEY_NEXT?: string
  /** The secret that signs portal tokens. If no such secret is set, portal tokens cannot be created or used. */
  readonly PORTAL_TOKEN_SECRET?: string
  /** The second secret for portal tokens during a rotation. Both secrets are valid. */
  readonly PORTAL_TOKEN_SECRET_NEXT?: string
  /**
   * The secret from which the signing key for checkpoints and receipts is derived. If it is not set, checkpoints,
   * receipts and exports are unavailable.
   */
  readonly LEDGER_SIGNING_KEY?: string
  /** The operator's provider keys as JSON, a secret. `provider-keys/operator-keys.ts` describes the format. */
  readonly OPERATOR_PROVIDER_KEYS?: string
  /**
   * The secrets of the operator's Stripe account (`stripe/account.ts`). Live ledgers use the first two, and test
   * ledgers use the last two. If the secret key for a mode is not set, ledgers of this mode have no payments.
   */
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
  readonly GATEWAY_CLIENT_TIMEOUT_MS?: string
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
