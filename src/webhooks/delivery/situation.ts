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

/** The state in D1 of a due delivery. A few statements read it for all deliveries of a run. */
export interface Situation {
  /** Is undefined if the endpoint was deleted. */
  readonly endpoint: SealedEndpoint | undefined
  /** Is undefined if the delivery has no row yet: it was not attempted. */
  readonly state: DeliveryState | undefined
  /** Is undefined if the notification is no longer kept. */
  readonly content: Content | undefined
  /** Is empty if no master key decrypts them. */
  readonly keys: readonly SigningKey[]
  /** The endpoint has its maximum number of attempts under way. */
  readonly is_busy: boolean
}

/** Reads all situations with a few statements. Throws when D1 does not answer. */
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
 * Returns the keys that sign a message of an endpoint now. If they cannot be read, it returns none and logs a
 * line.
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
