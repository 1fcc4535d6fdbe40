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
import { providerName } from '../rating/provider-name.ts'
import { openDataKey } from '../secrets/data-keys.ts'
import { operatorKeyOf } from './operator-keys.ts'
import { addressFor, type Dialect, dialectOf, requireProvider, usualAddress } from './providers.ts'
import { KEY_TEXT, MAX_KEY_CHARS } from './schema.ts'
import { openKey, readSealedKeys, type SealedKey } from './store.ts'

/**
 * The search for the address and the key of a call through the gateway. An isolate keeps stored keys, and the results
 * of their DNS checks, for 30 seconds.
 */

export type Upstream = UpstreamFound | { readonly ok: false; readonly problem: Problem }

export interface UpstreamFound {
  readonly ok: true
  /** The address including the version, without a slash at its end. Do not follow redirects from it. */
  readonly baseUrl: string
  /** The provider's key. Never log it or return it. */
  readonly key: string
  /** The id of the stored key; null for a key of the request or of the operator. */
  readonly providerKeyId: string | null
  /** The id of the key's provider in the catalogue. */
  readonly provider: string
}

export interface UpstreamQuery {
  /** The API of the call (`openai`, `anthropic` or `google`), or another provider of the catalogue. */
  readonly provider: string
  /** The key in the request's header `X-Provider-Key`. */
  readonly headerKey?: string
  /** The name of a stored key; absent for the newest key of the provider. */
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
  /** Ids of keys whose address has been checked since they were loaded. */
  readonly checked: Set<string>
}

/** The maximum time during which another isolate uses a deleted key. */
export const KEYS_KEPT_MS = 30_000
/** The time after which a missing key is searched for again, because it may be new. */
const MISSED_AGAIN_MS = 1_000

const known = new ExpiringMap<KnownKeys>({ capacity: 1_000, ttl_ms: KEYS_KEPT_MS })

/** Removes the keys of a ledger from this isolate's memory, after a change. */
export function forgetProviderKeys(ledger_id: string): void {
  known.delete(ledger_id)
}

/** Clears the memory of this isolate, for tests. */
export function forgetAllProviderKeys(): void {
  known.clear()
}

/**
 * Returns the address and the key of a call. The key of the request is preferred to a stored key, and a stored key to
 * the key of the operator. Without a name, the stored key is the newest key of the provider. If a name is given, the
 * address is the address of the stored key with this name. If no stored key has this name, the call is refused. The
 * `base_url` of a stored key is checked by DNS at its first use after the key was loaded.
 */
export async function resolveUpstream(
  c: Context<AppEnv>,
  { provider: asked, headerKey, name }: UpstreamQuery,
): Promise<Upstream> {
  const provider = requireProvider(asked)
  const dialect = dialectOf(provider)
  if (headerKey !== undefined && !isKeyText(headerKey))
    return invalidAt('/X-Provider-Key', BAD_KEY, `The header X-Provider-Key ${BAD_KEY}.`)
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

const BAD_KEY = `must have 1 to ${MAX_KEY_CHARS} printable ASCII characters, without spaces`

/** The detail of the problem `provider_keys_not_configured`. The routes that store keys use it, too. */
export const NOT_CONFIGURED =
  'This deployment has no usable encryption key for provider keys. The operator must set the secret ENCRYPTION_KEY.'

function isKeyText(text: string): boolean {
  return text.length <= MAX_KEY_CHARS && KEY_TEXT.test(text)
}

/** The error that is thrown if no master key can decrypt the data key of the customer. */
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
  const is_stale = among === undefined || now_ms - among.loaded_at_ms >= MISSED_AGAIN_MS
  if (!key && is_stale) {
    among = { loaded_at_ms: now_ms, keys: await load(c.env, customer_id, ledger_id), checked: new Set() }
    known.set(ledger_id, among, now_ms)
    key = choose(among.keys, provider, name)
  }
  return key && among && { key, among }
}

/**
 * Returns the key of a call. `keys` are sorted from new to old. If several keys have the name, the key of the
 * requested provider is preferred.
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
 * Checks an address before it is used. The variables of the Worker, or the addresses of the host name, may have
 * changed.
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

function operatorUpstream(c: Context<AppEnv>, provider: ProviderRef, dialect: Dialect): Upstream {
  const { customer_id, mode } = ledgerOf(c)
  const found = mode === 'live' ? operatorKeyOf(c.env, provider, customer_id) : undefined
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

/** Returns a problem with status 400, for a header of the request or for a field of the stored key. */
function invalidAt(path: string, message: string, detail: string): Upstream {
  return { ok: false, problem: { code: 'invalid_request', detail, members: { errors: [{ path, message }] } } }
}

function failed(code: Exclude<Problem['code'], 'invalid_request'>, detail: string): Upstream {
  return { ok: false, problem: { code, detail } }
}
