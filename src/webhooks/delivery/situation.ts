import type { Bindings } from '../../bindings.ts'
import { logFailure } from '../../logging/log.ts'
import { type DataKeyRow, openDataKey, selectDataKey } from '../../secrets/data-keys.ts'
import {
  countInFlight,
  type Delivered,
  type DeliveryState,
  deliveryId,
  MAX_IN_FLIGHT,
  readStates,
} from '../records/deliveries.ts'
import { readEndpoints, type SealedEndpoint } from '../records/endpoints.ts'
import { keyOwner, openKeys, signingKeys } from '../records/secrets.ts'
import { type Content, contentKey, readContents } from './content.ts'
import type { SigningKey } from './signing.ts'

/**
 * The data in D1 that decides whether a delivery is sent. All deliveries of a run are read together, with a few
 * statements.
 */
export interface Situation {
  /** The endpoint; undefined if it was deleted. */
  readonly endpoint: SealedEndpoint | undefined
  /** The state in the row of the delivery; undefined if the delivery has no row yet. */
  readonly state: DeliveryState | undefined
  /** The content of the message; undefined if the notification was deleted. */
  readonly content: Content | undefined
  /** The signing keys; empty if the endpoint was deleted, or if its keys cannot be decrypted. */
  readonly keys: readonly SigningKey[]
  /** True if the endpoint has at least the maximum number of running attempts. */
  readonly is_busy: boolean
}

/** Reads the situations of all given deliveries with a few statements. Throws if D1 fails. */
export async function readSituations(
  env: Bindings,
  delivered: readonly Delivered[],
  now_ms: number,
): Promise<ReadonlyMap<Delivered, Situation>> {
  const owners = [...new Set(delivered.map(({ owner }) => keyOwner(owner)))]
  const ids = [...new Set(delivered.map(({ webhook_endpoint_id }) => webhook_endpoint_id))]
  const [contents, endpoints, states, counts, data_keys] = await Promise.all([
    readContents(env, delivered),
    readEndpoints(env, delivered),
    readStates(env, delivered),
    countInFlight(env, ids, now_ms),
    Promise.all(
      owners.map(
        async (owner) => [owner, (await selectDataKey(env.DB, owner).all<DataKeyRow>()).results] as const,
      ),
    ),
  ])
  const endpoint_of = new Map(endpoints.map((one) => [one.webhook_endpoint_id, one]))
  const state_of = new Map(states.map((state) => [state.delivery_id, state]))
  const count_of = new Map(counts.map((row) => [row.webhook_endpoint_id, row.count]))
  const data_key_of = new Map(data_keys)
  return new Map(
    delivered.map((one) => {
      const endpoint = endpoint_of.get(one.webhook_endpoint_id)
      const data_key = data_key_of.get(keyOwner(one.owner)) ?? []
      const situation: Situation = {
        endpoint,
        state: state_of.get(deliveryId(one)),
        content: contents.get(contentKey(one)),
        keys: endpoint ? keysOf(env, endpoint, data_key, now_ms) : [],
        is_busy: (count_of.get(one.webhook_endpoint_id) ?? 0) >= MAX_IN_FLIGHT,
      }
      return [one, situation]
    }),
  )
}

/**
 * Returns the keys that currently sign the messages to an endpoint. If the keys cannot be decrypted, returns no keys
 * and logs the failure.
 */
export function keysOf(
  env: Bindings,
  endpoint: SealedEndpoint,
  rows: readonly DataKeyRow[],
  now_ms: number,
): SigningKey[] {
  const data_key = openDataKey(env, keyOwner(endpoint.owner), rows)
  const keys = data_key.kind === 'key' ? openKeys(endpoint, data_key.key) : undefined
  if (keys) return signingKeys(keys, endpoint, now_ms)
  logFailure('webhook_keys_locked', { webhook_endpoint_id: endpoint.webhook_endpoint_id })
  return []
}
