import type { Context } from 'hono'
import type { AppEnv } from '../http/env.ts'
import { faultOfAddress } from '../http/outbound/check-address.ts'
import { invalidRequest, noSuch, problem } from '../http/output/problem.ts'
import type { Answer, KeepAnswer } from '../http/output/stored-answers.ts'
import { newId } from '../ids.ts'
import { type DataKey, mastersOf, requireDataKey } from '../secrets/data-keys.ts'
import { newSigningKey } from './delivery/signing.ts'
import { auditOf, type Place } from './place.ts'
import { beginHandingOn, endHandingOn } from './queue/fan-out.ts'
import { dropPending } from './records/deliveries.ts'
import {
  deleteEndpoint,
  type Endpoint,
  findEndpoint,
  insertEndpoint,
  MAX_ENDPOINTS,
  type SealedEndpoint,
  updateEndpoint,
} from './records/endpoints.ts'
import {
  type EndpointKeys,
  keyOwner,
  openKeys,
  rotatedKeys,
  sealKeys,
  withSignatures,
} from './records/secrets.ts'
import { endpointJson } from './render.ts'

/**
 * Creates, changes and deletes webhook endpoints. Each change and its audit record are written in the same D1 batch.
 */

export interface EndpointDraft extends Pick<Endpoint, 'url' | 'types' | 'enabled'> {
  readonly description?: string | undefined
  readonly v1a: boolean
}

export async function createEndpoint(
  c: Context<AppEnv>,
  place: Place,
  draft: EndpointDraft,
  keep: KeepAnswer,
): Promise<Answer | Response> {
  const wrong = await wrongUrl(c, draft.url)
  if (wrong) return wrong
  const now_ms = Date.now()
  const data_key = await dataKeyOf(c, place, now_ms)
  if (data_key?.kind !== 'key') return notConfigured(c)
  const { public_key, ...current } = await newSigningKey(draft)
  const name = { owner: place.owner, webhook_endpoint_id: newId('we', now_ms) }
  const endpoint: SealedEndpoint = {
    ...name,
    url: draft.url,
    own_origin: new URL(c.req.url).origin,
    types: [...new Set(draft.types)],
    description: draft.description ?? null,
    enabled: draft.enabled,
    disabled_reason: null,
    failing_since_ms: null,
    public_key,
    previous_key_ends_at_ms: null,
    created_at_ms: now_ms,
    updated_at_ms: now_ms,
    sealed: sealKeys({ current, previous: null }, data_key.key, name),
  }
  const body = { ...endpointJson(endpoint, place, now_ms), secret: current.secret }
  const answer = { status: 201, body } as const
  const [inserted] = await c.env.DB.batch([
    insertEndpoint(c.env, endpoint),
    auditOf(c, place, 'webhook_endpoints.create', null, endpoint),
    ...keep(answer, { if_changed: true }),
    ...(place.mode === null ? [] : [beginHandingOn(c.env, place.owner)]),
  ])
  if (inserted?.meta.changes === 1) return answer
  const detail = `There are ${MAX_ENDPOINTS} webhook endpoints, which is the limit. Delete an endpoint first.`
  return problem(c, { code: 'conflict', detail })
}

export interface EndpointChange {
  readonly url?: string | undefined
  readonly types?: readonly string[] | undefined
  readonly description?: string | null | undefined
  readonly enabled?: boolean | undefined
  readonly v1a?: boolean | undefined
}

export async function changeEndpoint(
  c: Context<AppEnv>,
  place: Place,
  id: string,
  change: EndpointChange,
): Promise<Answer | Response> {
  const wrong = change.url === undefined ? undefined : await wrongUrl(c, change.url)
  if (wrong) return wrong
  const before = await findEndpoint(c.env, place.owner, id)
  if (!before) return noSuch(c, 'webhook endpoint', id)
  const signed = await changedSignatures(c, place, before, change.v1a)
  if (signed instanceof Response) return signed
  const enabled = change.enabled ?? before.enabled
  const after: SealedEndpoint = {
    ...before,
    ...signed,
    url: change.url ?? before.url,
    own_origin: change.url === undefined ? before.own_origin : new URL(c.req.url).origin,
    types: change.types ? [...new Set(change.types)] : before.types,
    description: change.description === undefined ? before.description : change.description,
    enabled,
    disabled_reason: enabled ? null : before.disabled_reason,
    failing_since_ms: enabled && !before.enabled ? null : before.failing_since_ms,
    updated_at_ms: laterThan(before),
  }
  const [updated] = await c.env.DB.batch([
    updateEndpoint(c.env, after, before.updated_at_ms),
    auditOf(c, place, 'webhook_endpoints.change', before, after),
    ...(before.enabled && !enabled ? [dropPending(c.env, id)] : []),
  ])
  if (updated?.meta.changes !== 1) return changedMeanwhile(c)
  return { status: 200, body: endpointJson(after, place) }
}

export async function rotateSecret(
  c: Context<AppEnv>,
  place: Place,
  { id, overlap_seconds }: { readonly id: string; readonly overlap_seconds: number },
  keep: KeepAnswer,
): Promise<Answer | Response> {
  const before = await findEndpoint(c.env, place.owner, id)
  if (!before) return noSuch(c, 'webhook endpoint', id)
  const now_ms = Date.now()
  const opened = await openedKeys(c, place, before, now_ms)
  if (!opened) return notConfigured(c)
  const { keys, public_key } = await rotatedKeys(opened.keys)
  const after: SealedEndpoint = {
    ...before,
    public_key,
    previous_key_ends_at_ms: now_ms + overlap_seconds * 1_000,
    updated_at_ms: laterThan(before),
    sealed: sealKeys(keys, opened.data_key, before),
  }
  const body = { ...endpointJson(after, place, now_ms), secret: keys.current.secret }
  const answer = { status: 200, body } as const
  const [updated] = await c.env.DB.batch([
    updateEndpoint(c.env, after, before.updated_at_ms),
    auditOf(c, place, 'webhook_endpoints.rotate_secret', before, after),
    ...keep(answer, { if_changed: true }),
  ])
  return updated?.meta.changes === 1 ? answer : changedMeanwhile(c)
}

export async function removeEndpoint(
  c: Context<AppEnv>,
  place: Place,
  id: string,
): Promise<Answer | Response> {
  const found = await findEndpoint(c.env, place.owner, id)
  if (!found) return noSuch(c, 'webhook endpoint', id)
  const [deleted] = await c.env.DB.batch([
    deleteEndpoint(c.env, place.owner, id),
    auditOf(c, place, 'webhook_endpoints.delete', found, null),
    dropPending(c.env, id),
    ...(place.mode === null ? [] : [endHandingOn(c.env, place.owner)]),
  ])
  if (deleted?.meta.changes !== 1) return noSuch(c, 'webhook endpoint', id)
  return { status: 200, body: endpointJson(found, place) }
}

async function wrongUrl(c: Context<AppEnv>, url: string): Promise<Response | undefined> {
  const message = await faultOfAddress(c.env, { url, own_url: c.req.url })
  return message === undefined ? undefined : invalidRequest(c, `url ${message}.`, [{ path: '/url', message }])
}

async function changedSignatures(
  c: Context<AppEnv>,
  place: Place,
  before: SealedEndpoint,
  v1a: boolean | undefined,
): Promise<Pick<SealedEndpoint, 'sealed' | 'public_key'> | Response> {
  const { sealed, public_key } = before
  if (v1a === undefined || v1a === (public_key !== null)) return { sealed, public_key }
  const opened = await openedKeys(c, place, before, Date.now())
  if (!opened) return notConfigured(c)
  const changed = await withSignatures(opened.keys, { v1a })
  return { sealed: sealKeys(changed.keys, opened.data_key, before), public_key: changed.public_key }
}

async function openedKeys(
  c: Context<AppEnv>,
  place: Place,
  endpoint: SealedEndpoint,
  now_ms: number,
): Promise<{ readonly keys: EndpointKeys; readonly data_key: Uint8Array } | undefined> {
  const data_key = await dataKeyOf(c, place, now_ms)
  if (data_key?.kind !== 'key') return undefined
  const keys = openKeys(endpoint, data_key.key)
  return keys && { keys, data_key: data_key.key }
}

async function dataKeyOf(c: Context<AppEnv>, { owner }: Place, now_ms: number): Promise<DataKey | undefined> {
  return mastersOf(c.env).length === 0 ? undefined : requireDataKey(c.env, keyOwner(owner), now_ms)
}

/**
 * Returns the time of a change. It is higher than the time of the previous change, so that concurrent changes are
 * detected.
 */
function laterThan({ updated_at_ms }: Endpoint): number {
  return Math.max(Date.now(), updated_at_ms + 1)
}

function changedMeanwhile(c: Context<AppEnv>): Response {
  const detail = 'The webhook endpoint was changed at the same time. Get the endpoint and retry.'
  return problem(c, { code: 'conflict', detail })
}

function notConfigured(c: Context<AppEnv>): Response {
  const detail =
    'This deployment has no usable encryption key for signing keys. The operator must set the secret ENCRYPTION_KEY.'
  return problem(c, { code: 'webhooks_not_configured', detail })
}
