import type { Bindings } from './bindings.ts'
import type { Tier } from './db/schema.ts'
import { parseDecimal } from './pricing/money.ts'
import { DAY_MS } from './time/durations.ts'

/** The bindings that `readConfig` can read: all except KV, the ledger objects, D1 and the queues. */
export type Variables = Omit<Bindings, 'API_KEYS' | 'LEDGER' | 'DB' | 'USAGE' | 'NOTIFICATIONS' | 'WEBHOOKS'>

export type Environment = 'development' | 'staging' | 'production'

export interface Config {
  readonly environment: Environment
  /** Whether customers may register without the operator token. Their tier is then STARTER. */
  readonly open_registration: boolean
  /** The promotional credits that a new customer gets, in micro-credits; 0 means none. */
  readonly signup_grant_micro: number
  /**
   * The credits per USD of the default burn table, in millionths. For example, 1,000 credits per USD is 1_000_000_000.
   * `markup_percent_micro` is the markup of the default burn table, also in millionths.
   */
  readonly credits_per_usd_micro: bigint
  readonly markup_percent_micro: bigint
  /** Whether a feature without an entitlement may be used. */
  readonly default_entitlement: 'allow' | 'deny'
  /** The time in ms for which idempotency keys are kept, at least 7 days. */
  readonly idempotency_window_ms: number
  /**
   * The delay in ms from the first unflushed commit to the flush to D1. A longer delay costs less. A shorter delay
   * keeps D1 more current.
   */
  readonly flush_delay_ms: number
  /**
   * The delay in ms from a commit to its flush, if a webhook endpoint or a stream receives the notifications of the
   * commit. The minimum time between flushes can make it longer.
   */
  readonly notification_delay_ms: number
  /** The number of days for which notifications are kept. */
  readonly notification_days: number
  /** The duration in seconds after which a stream of notifications ends. The client then reconnects. */
  readonly stream_seconds: number
  /** The time limit in ms of a call to a ledger object. A ledger object normally responds within milliseconds. */
  readonly ledger_timeout_ms: number
  /**
   * The maximum size of a ledger's database, in bytes. A ledger whose database has reached this size refuses most
   * changes by clients until the database becomes smaller.
   */
  readonly max_ledger_bytes: number
  /** The number of days for which rollups are kept, at least 35. The pages in D1 are kept permanently. */
  readonly rollup_retention_days: number
  /**
   * The share of requests that are logged, from 0 to 1. Slow requests and requests that fail with 5xx are always
   * logged.
   */
  readonly log_sample_rate: number
  /** The duration in ms from which a request counts as slow. */
  readonly slow_request_ms: number
  /**
   * The origins whose web pages may call the API from a browser. `*` allows all origins. By default, no origin is
   * allowed.
   */
  readonly cors_origins: '*' | readonly string[]
  /**
   * The hosts in the operator's network that the URLs of provider keys and webhook endpoints may name, as `host` or
   * `host:port`.
   */
  readonly private_upstreams: readonly string[]
  /** The URL of the DNS-over-HTTPS resolver that resolves the host names in customers' URLs. */
  readonly dns_resolver_url: string
  /**
   * The settings of Cloudflare Access, through which the operator can sign in to the dashboard; null if only the
   * operator token is accepted.
   */
  readonly access: AccessConfig | null
  /** The settings of the price feed; null if no feed is read. */
  readonly price_feed: PriceFeedConfig | null
  /** The base URL of Stripe's API, without a trailing slash. */
  readonly stripe_api_url: string
  /**
   * The credits that a refund or a dispute of a payment removes: only the credits that remain in the lot of the payment
   * (`remaining`), or also the spent credits (`all`).
   */
  readonly payment_reversals: PaymentReversals
  /** The enabled drop-in endpoints. Default: all. */
  readonly drop_in: readonly DropInEndpoint[]
  readonly gateway: GatewayConfig
  /** The limits of each tier. */
  readonly limits: Readonly<Record<Tier, TierLimits>>
}

/** The names of the drop-in endpoints. A name is the first segment of the endpoint's path. */
export const DROP_IN_ENDPOINTS = ['otlp', 'openmeter', 'litellm', 'openmonetize', 'stripe'] as const
export type DropInEndpoint = (typeof DROP_IN_ENDPOINTS)[number]

export const PAYMENT_REVERSALS = ['remaining', 'all'] as const
export type PaymentReversals = (typeof PAYMENT_REVERSALS)[number]

export interface AccessConfig {
  /** The host that issues the assertions of Cloudflare Access, such as `yourteam.cloudflareaccess.com`. */
  readonly team_domain: string
  /** The audience tag of the application in Cloudflare Access. */
  readonly aud: string
}

export interface PriceFeedConfig {
  readonly url: string
  /** The Ed25519 public key that verifies the feed's signature: 32 bytes in base64. */
  readonly key: string
  /** The largest change of a price, in percent, that is applied without the operator's approval. */
  readonly bound_percent: number
}

export interface GatewayConfig {
  /**
   * The time in ms after which the hold of a gateway call expires. The time starts at the beginning of the call, and
   * starts again whenever progress is recorded.
   */
  readonly hold_ms: number
  /**
   * The time limit in ms for a provider's response headers. The next fields are the time limits for the first chunk of
   * a stream and for each later chunk.
   */
  readonly headers_timeout_ms: number
  readonly first_chunk_timeout_ms: number
  readonly idle_timeout_ms: number
  /** The time in ms after which a client that reads nothing of a stream is treated as disconnected. */
  readonly client_timeout_ms: number
}

export interface TierLimits {
  readonly requests_a_minute: number
  /** The maximum number of events in a UTC month; null for no limit. */
  readonly events_a_month: number | null
  /**
   * The maximum number of users with a profile in a ledger. The same maximum applies to teams. Only the users and teams
   * that occur first in the ledger can have a profile.
   */
  readonly profiles: number
  /**
   * The maximum number of changes in a UTC month; null for no limit. `StoredQuotas` in `ledger/admission/quotas.ts`
   * lists these changes.
   */
  readonly changes_a_month: number | null
  /**
   * The maximum size in MB (1,000,000 bytes) of certain data of a ledger: the metadata of its grants, purchases and
   * entitlements, and the values of its entitlements.
   */
  readonly metadata_mb: number
}

/**
 * The maximum of `MAX_LEDGER_MB`. The platform limits the database of an object to 10 GB. The difference is reserved
 * for flushes and due items.
 */
const MOST_LEDGER_MB = 9_500
const MINIMUM_IDEMPOTENCY_DAYS = 7
/**
 * The maximum of `STREAM_SECONDS`. The platform allows 1,000 D1 queries in one request. A stream without notifications
 * makes about 1.1 queries per second.
 */
const MOST_STREAM_SECONDS = 800
/**
 * The minimum of `ROLLUP_RETENTION_DAYS`. An event can arrive up to 35 days late, and the burn rate is computed from 30
 * days.
 */
const MINIMUM_ROLLUP_DAYS = 35

/**
 * Reads the variables. The defaults are safe: `ENVIRONMENT` is production, registration is closed, and new customers
 * get no credits. Throws if a variable is invalid, so that a broken deployment fails on its first request. Only
 * `OPEN_REGISTRATION` accepts any text: registration is closed unless the text is `true`.
 */
export function readConfig(env: Variables): Config {
  const environment = env.ENVIRONMENT ?? 'production'
  if (environment !== 'development' && environment !== 'staging' && environment !== 'production') {
    throw new Error(`ENVIRONMENT must be development, staging or production, not ${environment}`)
  }
  const default_entitlement = env.DEFAULT_ENTITLEMENT ?? 'allow'
  if (default_entitlement !== 'allow' && default_entitlement !== 'deny') {
    throw new Error(`DEFAULT_ENTITLEMENT must be allow or deny, not ${default_entitlement}`)
  }
  const days = wholeNumber('IDEMPOTENCY_DAYS', env.IDEMPOTENCY_DAYS ?? '7', 36_500)
  if (days < MINIMUM_IDEMPOTENCY_DAYS)
    throw new Error(`IDEMPOTENCY_DAYS must be at least ${MINIMUM_IDEMPOTENCY_DAYS}, not ${days}`)
  const rollup_days = wholeNumber('ROLLUP_RETENTION_DAYS', env.ROLLUP_RETENTION_DAYS ?? '800', 36_500)
  if (rollup_days < MINIMUM_ROLLUP_DAYS)
    throw new Error(`ROLLUP_RETENTION_DAYS must be at least ${MINIMUM_ROLLUP_DAYS}, not ${rollup_days}`)
  const credits_per_usd_micro = decimalMicro('CREDITS_PER_USD', env.CREDITS_PER_USD ?? '1000')
  if (credits_per_usd_micro === 0n) throw new Error('CREDITS_PER_USD must be above 0')
  return {
    environment,
    open_registration: env.OPEN_REGISTRATION === 'true',
    signup_grant_micro: Number(decimalMicro('SIGNUP_GRANT_CREDITS', env.SIGNUP_GRANT_CREDITS ?? '0')),
    credits_per_usd_micro,
    markup_percent_micro: decimalMicro('MARKUP_PERCENT', env.MARKUP_PERCENT ?? '100'),
    default_entitlement,
    idempotency_window_ms: days * DAY_MS,
    ledger_timeout_ms: wholeNumber('LEDGER_TIMEOUT_MS', env.LEDGER_TIMEOUT_MS ?? '10000', 60_000),
    flush_delay_ms: wholeNumber('FLUSH_DELAY_MS', env.FLUSH_DELAY_MS ?? '5000', DAY_MS),
    notification_delay_ms: wholeNumber('NOTIFICATION_DELAY_MS', env.NOTIFICATION_DELAY_MS ?? '50', DAY_MS),
    notification_days: wholeNumber('NOTIFICATION_DAYS', env.NOTIFICATION_DAYS ?? '30', 36_500),
    stream_seconds: wholeNumber('STREAM_SECONDS', env.STREAM_SECONDS ?? '600', MOST_STREAM_SECONDS),
    max_ledger_bytes: wholeNumber('MAX_LEDGER_MB', env.MAX_LEDGER_MB ?? '8000', MOST_LEDGER_MB) * 1_000_000,
    rollup_retention_days: rollup_days,
    log_sample_rate: share('LOG_SAMPLE_RATE', env.LOG_SAMPLE_RATE ?? '0.01'),
    slow_request_ms: wholeNumber('SLOW_REQUEST_MS', env.SLOW_REQUEST_MS ?? '1000', 600_000),
    cors_origins: origins('CORS_ORIGINS', env.CORS_ORIGINS ?? ''),
    private_upstreams: hosts('PRIVATE_UPSTREAMS', env.PRIVATE_UPSTREAMS ?? ''),
    dns_resolver_url: resolverUrl(env.DNS_RESOLVER_URL ?? '', environment),
    access: access(env),
    price_feed: priceFeed(env),
    stripe_api_url: stripeUrl(env.STRIPE_API_URL ?? '', environment),
    payment_reversals: paymentReversals(env.PAYMENT_REVERSALS ?? 'remaining'),
    drop_in: dropIn(env.DROP_IN ?? DROP_IN_ENDPOINTS.join(',')),
    gateway: gateway(env),
    limits: {
      STARTER: tierLimits(env, 'STARTER', ['100', '10000', '10000', '100000', '100']),
      GROWTH: tierLimits(env, 'GROWTH', ['1000', '100000', '100000', '1000000', '1000']),
      ENTERPRISE: tierLimits(env, 'ENTERPRISE', ['10000', UNLIMITED, '1000000', UNLIMITED, '10000']),
    },
  }
}

/**
 * Returns a function that calls `make` once for each bindings object. Later calls with the same object return the first
 * value.
 */
export function oncePerBindings<T extends object>(make: (env: Bindings) => T): (env: Bindings) => T {
  const made = new WeakMap<object, T>()
  return (env) => {
    const known = made.get(env)
    if (known) return known
    const value = make(env)
    made.set(env, value)
    return value
  }
}

export const configOf = oncePerBindings(readConfig)

function decimalMicro(variable: string, text: string): bigint {
  const value = parseDecimal(text, 6)
  if (typeof value !== 'bigint' || value < 0n || value > 8_000_000_000_000_000n) {
    throw new Error(`${variable} must be a decimal from 0 to 8e9 with at most 6 decimals, not ${text}`)
  }
  return value
}

/**
 * Reads the time limits of the gateway. The gateway extends a call's hold while the call runs, so `hold_ms` can be
 * shorter than the other limits. A hold therefore expires before its call ends only if the gateway crashes or cannot reach the ledger.
 */
function gateway(env: Variables): GatewayConfig {
  const limit = (variable: GatewayVariable, text: string) =>
    wholeNumber(variable, env[variable] ?? text, DAY_MS)
  return {
    hold_ms: limit('GATEWAY_HOLD_MS', '900000'),
    headers_timeout_ms: limit('GATEWAY_HEADERS_TIMEOUT_MS', '600000'),
    first_chunk_timeout_ms: limit('GATEWAY_FIRST_CHUNK_TIMEOUT_MS', '120000'),
    idle_timeout_ms: limit('GATEWAY_IDLE_TIMEOUT_MS', '120000'),
    client_timeout_ms: limit('GATEWAY_CLIENT_TIMEOUT_MS', '600000'),
  }
}

type GatewayVariable = Extract<keyof Variables, `GATEWAY_${string}_MS`>

const UNLIMITED = 'unlimited'
/** The maximum value of each limit of a tier. It is so high that no ledger can reach it. */
const MAX_LIMIT = 1_000_000_000_000

function tierLimits(
  env: Variables,
  tier: Tier,
  [requests, events, profiles, changes, metadata]: readonly [string, string, string, string, string],
): TierLimits {
  const limit = (variable: `${'RATE_LIMIT' | 'MAX_PROFILES' | 'MAX_METADATA_MB'}_${Tier}`, text: string) =>
    wholeNumber(variable, env[variable] ?? text, MAX_LIMIT)
  return {
    requests_a_minute: limit(`RATE_LIMIT_${tier}`, requests),
    events_a_month: monthlyLimit(env, `MONTHLY_EVENTS_${tier}`, events),
    profiles: limit(`MAX_PROFILES_${tier}`, profiles),
    changes_a_month: monthlyLimit(env, `MONTHLY_CHANGES_${tier}`, changes),
    metadata_mb: limit(`MAX_METADATA_MB_${tier}`, metadata),
  }
}

/** Reads a monthly limit. Returns null if there is no limit. */
function monthlyLimit(
  env: Variables,
  variable: `MONTHLY_${'EVENTS' | 'CHANGES'}_${Tier}`,
  preset: string,
): number | null {
  const text = env[variable] ?? preset
  return text === UNLIMITED ? null : wholeNumber(variable, text, MAX_LIMIT, ` or ${UNLIMITED}`)
}

function wholeNumber(variable: string, text: string, maximum: number, or = ''): number {
  const value = Number(text)
  if (!/^\d{1,15}$/.test(text) || value > maximum) {
    throw new Error(`${variable} must be a whole number up to ${maximum}${or}, not ${text}`)
  }
  return value
}

function share(variable: string, text: string): number {
  if (!/^(?:0(?:\.\d{1,6})?|1(?:\.0{1,6})?)$/.test(text)) {
    throw new Error(`${variable} must be a decimal from 0 to 1 with at most 6 decimals, not ${text}`)
  }
  return Number(text)
}

/**
 * Reads the settings of Cloudflare Access. Returns null if neither variable is set. Throws if only one variable is set,
 * because the operator could then not sign in.
 */
function access(env: Variables): AccessConfig | null {
  const { ACCESS_TEAM_DOMAIN: team_domain = '', ACCESS_AUD: aud = '' } = env
  if (team_domain === '' && aud === '') return null
  if (team_domain === '' || aud === '')
    throw new Error(
      `${aud === '' ? 'ACCESS_AUD' : 'ACCESS_TEAM_DOMAIN'} is not set. Set both ACCESS_TEAM_DOMAIN and ACCESS_AUD, or neither.`,
    )
  if (!team_domain.includes('.') || URL.parse(`https://${team_domain}`)?.hostname !== team_domain) {
    throw new Error(
      `ACCESS_TEAM_DOMAIN must be a host such as yourteam.cloudflareaccess.com, not ${team_domain}`,
    )
  }
  if (!/^[0-9a-f]{64}$/.test(aud)) {
    throw new Error(
      `ACCESS_AUD must be the audience tag of an application: 64 hexadecimal digits, not ${aud}`,
    )
  }
  return { team_domain, aud }
}

/**
 * Reads the settings of the price feed. Returns null if the URL or the key is not set. Throws if a setting is invalid.
 */
function priceFeed(env: Variables): PriceFeedConfig | null {
  const { PRICE_FEED_URL: url = '', PRICE_FEED_KEY: key = '' } = env
  const bound_percent = wholeNumber(
    'PRICE_FEED_BOUND_PERCENT',
    env.PRICE_FEED_BOUND_PERCENT ?? '30',
    MOST_BOUND_PERCENT,
  )
  if (url !== '' && URL.parse(url)?.protocol !== 'https:') {
    throw new Error(`PRICE_FEED_URL must be an https URL, not ${url}`)
  }
  if (key !== '' && !/^[A-Za-z0-9+/]{43}=$/.test(key)) {
    throw new Error('PRICE_FEED_KEY must be an Ed25519 public key: 32 bytes in base64')
  }
  return url === '' || key === '' ? null : { url, key, bound_percent }
}

/**
 * Reads the names of drop-in endpoints, separated by commas. Returns an empty list for an empty text. Throws if a name
 * is unknown.
 */
function dropIn(text: string): DropInEndpoint[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  return names.map((name) => {
    const endpoint = DROP_IN_ENDPOINTS.find((known) => known === name)
    if (endpoint) return endpoint
    throw new Error(`DROP_IN must contain only ${DROP_IN_ENDPOINTS.join(', ')}, not ${name}`)
  })
}

const MOST_BOUND_PERCENT = 1_000
const MAX_ORIGINS = 100

/**
 * Reads `*` or a list of origins separated by commas. An origin has the form that browsers send, such as
 * `https://app.example.com`. Returns an empty list for an empty text. Throws if an origin is invalid or the list is too
 * long.
 */
function origins(variable: string, text: string): '*' | readonly string[] {
  if (text.trim() === '*') return '*'
  const list = text
    .split(',')
    .map((origin) => origin.trim())
    .filter((origin) => origin !== '')
  for (const origin of list) {
    // Refuses the origin `null`: every sandboxed page sends `null`, so this origin would allow any page.
    if (!/^https?:/.test(origin) || URL.parse(origin)?.origin !== origin) {
      throw new Error(`${variable} must be * or origins such as https://app.example.com, not ${origin}`)
    }
  }
  if (list.length > MAX_ORIGINS) throw new Error(`${variable} must have at most ${MAX_ORIGINS} origins`)
  return list
}

const DEFAULT_RESOLVER = 'https://cloudflare-dns.com/dns-query'

/** Reads the URL of the DNS resolver. In development, a local URL may use http. Throws if the URL is invalid. */
function resolverUrl(text: string, environment: Environment): string {
  const url = URL.parse(text === '' ? DEFAULT_RESOLVER : text)
  const is_local = environment === 'development' && ['127.0.0.1', 'localhost'].includes(url?.hostname ?? '')
  if (!url || (url.protocol !== 'https:' && !is_local) || url.search !== '' || url.hash !== '') {
    throw new Error(`DNS_RESOLVER_URL must be an https URL without a query or fragment, not ${text}`)
  }
  return url.href
}

const STRIPE = 'https://api.stripe.com'

/**
 * Reads the URL of Stripe's API. Set another URL only in tests, because the Worker sends the Stripe key to it. Throws
 * if the URL is invalid.
 */
function stripeUrl(text: string, environment: Environment): string {
  const url = URL.parse(text === '' ? STRIPE : text)
  const is_local = environment === 'development' && ['127.0.0.1', 'localhost'].includes(url?.hostname ?? '')
  if (!url || (url.protocol !== 'https:' && !is_local) || url.search !== '' || url.hash !== '') {
    throw new Error(`STRIPE_API_URL must be an https URL without a query or fragment, not ${text}`)
  }
  return url.href.replace(/\/$/, '')
}

function paymentReversals(text: string): PaymentReversals {
  const known = PAYMENT_REVERSALS.find((policy) => policy === text)
  if (!known) throw new Error(`PAYMENT_REVERSALS must be ${PAYMENT_REVERSALS.join(' or ')}, not ${text}`)
  return known
}

const MAX_HOSTS = 100

/**
 * Reads hosts separated by commas. A host has the form that it has in a URL: `gpu.internal`, `10.0.0.5:8000` or
 * `[fd00::1]`. Returns an empty list for an empty text. Throws if a host is invalid or the list is too long.
 */
function hosts(variable: string, text: string): readonly string[] {
  const list = text
    .split(',')
    .map((host) => host.trim())
    .filter((host) => host !== '')
  for (const host of list) {
    // `URL.parse` removes the default port 80 from the host.
    const url = URL.parse(`http://${host}`)
    const has_default_port = host.endsWith(':80') && url?.host === host.slice(0, -3)
    if (url?.host !== host && !has_default_port) {
      throw new Error(`${variable} must be hosts such as 10.0.0.5:8000 or gpu.internal, not ${host}`)
    }
  }
  if (list.length > MAX_HOSTS) throw new Error(`${variable} must have at most ${MAX_HOSTS} hosts`)
  return list
}
