import type { Context } from 'hono'
import { ExpiringMap } from '../api-keys/authentication/lookup.ts'
import type { Bindings } from '../bindings.ts'
import { ledgerKey } from '../db/ledger-db.ts'
import { ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { checkAddress } from '../http/outbound/check-address.ts'
import type { Problem } from '../http/output/problem.ts'
import { logError, logFailure } from '../logging/log.ts'
import type { ProviderRef } from '../pricing/catalogue/catalogue.ts'
import { providerName } from '../pricing/catalogue/provider-name.ts'
import { openDataKey } from '../secrets/data-keys.ts'
import { type OperatorKey, operatorKeyOf } from './operator-keys.ts'
import { addressFor, type Dialect, dialectOf, requireProvider, usualAddress } from './providers.ts'
import { KEY_TEXT, MAX_KEY_CHARS } from './schema.ts'
import { openKey, readSealedKeys, type SealedKey } from './store.ts'

/**
 * Selects the base URL and the provider key of a gateway call. For 30 seconds, an isolate keeps stored keys in memory
 * and does not repeat the check of a base URL that it has accepted.
 */

export type Upstream = UpstreamFound | { readonly ok: false; readonly problem: Problem }

export interface UpstreamFound {
  readonly ok: true
  /**
   * The base URL including the API version, without a slash at its end. The caller must not follow redirects from it,
   * because their targets are not checked.
   */
  readonly baseUrl: string
  /** The provider key. It must never be logged or returned to a client. */
  readonly key: string
  /** The id of the stored provider key; null if the key comes from the request or from the operator. */
  readonly providerKeyId: string | null
  /** The catalogue's id of the provider that the key belongs to. */
  readonly provider: string
}

export interface UpstreamQuery {
  /**
   * The provider that the call asks for. For a gateway call, it is the API of the call: `openai`, `anthropic` or
   * `google`.
   */
  readonly provider: string
  /** The provider key in the header `X-Provider-Key` of the request. */
  readonly headerKey?: string
  /**
   * The name of a stored provider key. If it is absent and the request contains no key, the newest key of the provider
   * is used.
   */
  readonly name?: string
}

interface KnownKey {
  readonly provider_key_id: string
  readonly provider: string
  readonly name: string
  readonly base_url: string | null
  readonly key: string
}

interface KnownKeys {
  readonly loaded_at_ms: number
  readonly keys: readonly KnownKey[]
  /** The ids of the keys whose base URL was checked and accepted after the keys were loaded. */
  readonly checked: Set<string>
}

/**
 * The time for which an isolate keeps the keys of a ledger. Other isolates can use a deleted key until this time has
 * passed.
 */
export const KEYS_KEPT_MS = 30_000
/**
 * The minimum age of the keys in memory before a missing key is searched for in D1. The customer has possibly just
 * stored it. If a call can use a key of the operator, the age is `KEYS_KEPT_MS`.
 */
const MISSED_AGAIN_MS = 1_000

const known = new ExpiringMap<KnownKeys>({ capacity: 1_000, ttl_ms: KEYS_KEPT_MS })

/** Removes the keys of a ledger from this isolate's memory. It must be called after every change of the keys. */
export function forgetProviderKeys(ledger_id: string): void {
  known.delete(ledger_id)
}

/** Removes the keys of all ledgers from this isolate's memory. Only tests call it. */
export function forgetAllProviderKeys(): void {
  known.clear()
}

/**
 * Returns the base URL and the provider key of a call. The key in the request is used first, then a stored key, and
 * then a key of the operator. If the query has a name, the stored key with this name is selected, and its base URL is
 * used even for a key in the request. If no stored key has the name, the call is refused. If the query has no name, the
 * stored key is the newest key of the provider. The `base_url` of a stored key is checked with DNS when it is first
 * used after the key was loaded.
 */
export async function resolveUpstream(
  c: Context<AppEnv>,
  { provider: asked, headerKey, name }: UpstreamQuery,
): Promise<Upstream> {
  const provider = requireProvider(asked)
  const dialect = dialectOf(provider)
  if (headerKey !== undefined && !isKeyText(headerKey))
    return invalidAt('/X-Provider-Key', BAD_KEY, `The header X-Provider-Key ${BAD_KEY}.`)
  if (name === '')
    return invalidAt('/X-Meter-Provider-Key', EMPTY, `The header X-Meter-Provider-Key ${EMPTY}.`)
  if (headerKey !== undefined && name === undefined) {
    return atUsualAddress(provider, dialect, { key: headerKey, providerKeyId: null })
  }
  try {
    const stored = await storedKey(c, provider, name)
    if (!stored) return name === undefined ? operatorUpstream(c, provider, dialect) : noSuchKey(name)
    return await storedUpstream(c, stored, dialect, headerKey)
  } catch (error) {
    if (error instanceof Locked) return failed('provider_keys_not_configured', NOT_CONFIGURED)
    logError('provider_keys_not_read', error, { request_id: c.get('request_id') })
    return failed('unavailable', 'The provider key could not be read. Retry with the same idempotency key.')
  }
}

const EMPTY = 'must not be empty'
const BAD_KEY = `must have 1 to ${MAX_KEY_CHARS} printable ASCII characters, without spaces`

/** The error text of the problem `provider_keys_not_configured`. The routes that store keys also use it. */
export const NOT_CONFIGURED =
  'This deployment has no usable encryption key for provider keys. The operator must set the secret ENCRYPTION_KEY.'

function isKeyText(text: string): boolean {
  return text.length <= MAX_KEY_CHARS && KEY_TEXT.test(text)
}

/** The error for a data key that no master key can decrypt. */
class Locked extends Error {}

async function storedKey(
  c: Context<AppEnv>,
  provider: ProviderRef,
  name: string | undefined,
): Promise<{ readonly key: KnownKey; readonly among: KnownKeys } | undefined> {
  const { customer_id, mode } = ledgerOf(c)
  const ledger_id = ledgerKey({ customer_id, mode })
  const now_ms = Date.now()
  let among = known.get(ledger_id, now_ms)
  let key = among && choose(among.keys, provider, name)
  const kept_ms = name === undefined && operatorKey(c, provider) ? KEYS_KEPT_MS : MISSED_AGAIN_MS
  const is_stale = among === undefined || now_ms - among.loaded_at_ms >= kept_ms
  if (!key && is_stale) {
    among = { loaded_at_ms: now_ms, keys: await load(c.env, customer_id, ledger_id), checked: new Set() }
    known.set(ledger_id, among, now_ms)
    key = choose(among.keys, provider, name)
  }
  return key && among && { key, among }
}

/**
 * Selects the stored key of a call; undefined if no key fits. `keys` must be sorted from new to old. If several keys
 * have the given name, a key of the requested provider is preferred.
 */
function choose(
  keys: readonly KnownKey[],
  { id }: ProviderRef,
  name: string | undefined,
): KnownKey | undefined {
  const own = keys.find((key) => key.provider === id && (name === undefined || key.name === name))
  return own ?? (name === undefined ? undefined : keys.find((key) => key.name === name))
}

async function load(env: Bindings, customer_id: string, ledger_id: string): Promise<KnownKey[]> {
  const { keys, data_key: rows } = await readSealedKeys(env, customer_id, ledger_id)
  if (keys.length === 0) return []
  const data_key = openDataKey(env, customer_id, rows)
  if (data_key.kind !== 'key') {
    logFailure('data_key_locked', { customer_id })
    throw new Locked('no master key can decrypt the data key')
  }
  return keys.flatMap((key) => opened(key, data_key.key, ledger_id))
}

function opened(row: SealedKey, data_key: Uint8Array, ledger_id: string): KnownKey[] {
  const key = openKey(row, data_key, ledger_id)
  const { provider_key_id, provider, name, base_url } = row
  if (key !== undefined) return [{ provider_key_id, provider, name, base_url, key }]
  logFailure('provider_key_damaged', { provider_key_id })
  return []
}

async function storedUpstream(
  c: Context<AppEnv>,
  { key: stored, among }: { readonly key: KnownKey; readonly among: KnownKeys },
  dialect: Dialect,
  headerKey: string | undefined,
): Promise<Upstream> {
  const { provider_key_id, provider, base_url } = stored
  const sent =
    headerKey === undefined
      ? { key: stored.key, providerKeyId: provider_key_id }
      : { key: headerKey, providerKeyId: null }
  if (base_url === null) return atUsualAddress(requireProvider(provider), dialect, sent)
  const refused = among.checked.has(provider_key_id) ? undefined : await refuseAddress(c, base_url)
  if (refused) return refused
  among.checked.add(provider_key_id)
  return { ok: true, baseUrl: addressFor(base_url, dialect), ...sent, provider }
}

/**
 * Checks the base URL of a stored key before it is used. It was already checked when it was stored, but the variables
 * of the Worker or the IP addresses of the host name can have changed since then. Returns undefined if the base URL can
 * be used.
 */
async function refuseAddress(c: Context<AppEnv>, base_url: string): Promise<Upstream | undefined> {
  const checked = await checkAddress(c.env, { url: base_url, own_url: c.req.url })
  if (checked.kind === 'public') return undefined
  if (checked.kind !== 'refused' && checked.kind !== 'private') {
    return failed('unavailable', 'The base_url of the provider key could not be resolved. Retry later.')
  }
  const message = checked.kind === 'refused' ? checked.message : 'leads to a private address'
  return invalidAt('/base_url', message, `The base_url of the provider key ${message}.`)
}

function operatorKey(c: Context<AppEnv>, provider: ProviderRef): OperatorKey | undefined {
  const { customer_id, mode } = ledgerOf(c)
  return mode === 'live' ? operatorKeyOf(c.env, provider, customer_id) : undefined
}

function operatorUpstream(c: Context<AppEnv>, provider: ProviderRef, dialect: Dialect): Upstream {
  const found = operatorKey(c, provider)
  if (!found) {
    const detail = `Provider key for ${providerName(provider)} not found. Store one with POST /v1/provider-keys, or send it as X-Provider-Key.`
    return invalidAt('/X-Provider-Key', 'required, because no key of the provider is stored', detail)
  }
  const sent = { key: found.key, providerKeyId: null }
  if (found.base_url === undefined) return atUsualAddress(provider, dialect, sent)
  return { ok: true, baseUrl: addressFor(found.base_url, dialect), ...sent, provider: provider.id }
}

function atUsualAddress(
  provider: ProviderRef,
  dialect: Dialect,
  sent: Pick<UpstreamFound, 'key' | 'providerKeyId'>,
): Upstream {
  const baseUrl = usualAddress(provider, dialect)
  if (baseUrl !== undefined) return { ok: true, baseUrl, ...sent, provider: provider.id }
  const detail = `${providerName(provider)} has no known address for this API. Store a key with a base_url.`
  return invalidAt('/base_url', 'required in the stored key of this provider', detail)
}

function noSuchKey(name: string): Upstream {
  return failed('not_found', `Provider key ${name} not found.`)
}

/** Returns a problem with status 400 about a header of the request or a field of the stored key. */
function invalidAt(path: string, message: string, detail: string): Upstream {
  return { ok: false, problem: { code: 'invalid_request', detail, members: { errors: [{ path, message }] } } }
}

function failed(code: Exclude<Problem['code'], 'invalid_request'>, detail: string): Upstream {
  return { ok: false, problem: { code, detail } }
}
