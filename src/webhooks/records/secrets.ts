import { open, seal } from '../../secrets/aes-gcm.ts'
import { newKeyPair, newSigningKey, type SigningKey } from '../delivery/signing.ts'
import type { Endpoint, SealedEndpoint } from './endpoints.ts'

/** The signing keys of an endpoint. D1 stores them encrypted under the data key of the endpoint's owner. */
export interface EndpointKeys {
  readonly current: SigningKey
  /** The replaced key, which signs until `Endpoint.previous_key_ends_at_ms`. */
  readonly previous: SigningKey | null
}

/** The longest time during which a replaced key also signs. */
export const MAX_OVERLAP_SECONDS = 604_800
export const DEFAULT_OVERLAP_SECONDS = 86_400

type Place = Pick<Endpoint, 'owner' | 'webhook_endpoint_id'>

export function sealKeys(keys: EndpointKeys, data_key: Uint8Array, place: Place): string {
  return seal(Buffer.from(JSON.stringify(keys)), data_key, placeOf(place))
}

/** Decrypts the keys of an endpoint. Returns undefined if the row was damaged or belongs to another endpoint. */
export function openKeys(endpoint: SealedEndpoint, data_key: Uint8Array): EndpointKeys | undefined {
  const bytes = open(endpoint.sealed, data_key, placeOf(endpoint))
  return bytes && JSON.parse(Buffer.from(bytes).toString('utf8'))
}

/** Returns the keys that sign a message now. */
export function signingKeys(
  keys: EndpointKeys,
  { previous_key_ends_at_ms }: Pick<Endpoint, 'previous_key_ends_at_ms'>,
  now_ms: number,
): SigningKey[] {
  const overlaps = previous_key_ends_at_ms !== null && now_ms < previous_key_ends_at_ms
  return keys.previous && overlaps ? [keys.current, keys.previous] : [keys.current]
}

/** The keys of an endpoint after a change. */
export interface ChangedKeys {
  readonly keys: EndpointKeys
  readonly public_key: string | null
}

/**
 * Replaces the shared secret, and the Ed25519 key if the endpoint has one. The current keys become the replaced keys.
 * Earlier replaced keys are not kept.
 */
export async function rotatedKeys(keys: EndpointKeys): Promise<ChangedKeys> {
  const { public_key, ...current } = await newSigningKey({ v1a: keys.current.private_key !== null })
  return { keys: { current, previous: keys.current }, public_key }
}

/** Adds or removes the Ed25519 key. The shared secret does not change. */
export async function withSignatures(
  keys: EndpointKeys,
  { v1a }: { readonly v1a: boolean },
): Promise<ChangedKeys> {
  const { previous, current } = keys
  if (v1a) {
    const { private_key, public_key } = await newKeyPair()
    return { keys: { current: { ...current, private_key }, previous }, public_key }
  }
  const without = { ...current, private_key: null }
  return {
    keys: { current: without, previous: previous && { ...previous, private_key: null } },
    public_key: null,
  }
}

/** The owner of the data key that encrypts the keys of the operator's endpoints. */
export const OPERATOR = 'operator'

/** Returns the owner of the data key that encrypts the keys of an endpoint: a customer or the operator. */
export function keyOwner(owner: string): string {
  return owner.split(':')[0] ?? owner
}

function placeOf({ owner, webhook_endpoint_id }: Place): string {
  return JSON.stringify(['webhook_endpoint', owner, webhook_endpoint_id])
}
