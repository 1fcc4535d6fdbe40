import { open, seal } from '../../secrets/aes-gcm.ts'
import { newKeyPair, newSigningKey, type SigningKey } from '../delivery/signing.ts'
import type { Endpoint, SealedEndpoint } from './endpoints.ts'

/** The signing keys of an endpoint. In D1, they are encrypted with the data key of the endpoint's owner. */
export interface EndpointKeys {
  readonly current: SigningKey
  /**
   * The previous signing key, which also signs messages until `Endpoint.previous_key_ends_at_ms`; null if no key was
   * replaced.
   */
  readonly previous: SigningKey | null
}

/** The longest time for which a previous signing key also signs messages. */
export const MAX_OVERLAP_SECONDS = 604_800
export const DEFAULT_OVERLAP_SECONDS = 86_400

type Place = Pick<Endpoint, 'owner' | 'webhook_endpoint_id'>

export function sealKeys(keys: EndpointKeys, data_key: Uint8Array, place: Place): string {
  return seal(Buffer.from(JSON.stringify(keys)), data_key, placeOf(place))
}

/**
 * Decrypts the signing keys of an endpoint. Returns undefined if the encrypted keys are damaged, belong to another
 * endpoint, or are not encrypted with `data_key`.
 */
export function openKeys(endpoint: SealedEndpoint, data_key: Uint8Array): EndpointKeys | undefined {
  const bytes = open(endpoint.sealed, data_key, placeOf(endpoint))
  return bytes && JSON.parse(Buffer.from(bytes).toString('utf8'))
}

/** Returns the keys that sign messages at `now_ms`: the current key and, during an overlap, also the previous key. */
export function signingKeys(
  keys: EndpointKeys,
  { previous_key_ends_at_ms }: Pick<Endpoint, 'previous_key_ends_at_ms'>,
  now_ms: number,
): SigningKey[] {
  const overlaps = previous_key_ends_at_ms !== null && now_ms < previous_key_ends_at_ms
  return keys.previous && overlaps ? [keys.current, keys.previous] : [keys.current]
}

/** The signing keys of an endpoint after a change, with the new public key. */
export interface ChangedKeys {
  readonly keys: EndpointKeys
  readonly public_key: string | null
}

/**
 * Returns new signing keys: a new shared secret and, if the endpoint has an Ed25519 key, a new Ed25519 key. The current
 * keys become the previous keys. Older keys are dropped.
 */
export async function rotatedKeys(keys: EndpointKeys): Promise<ChangedKeys> {
  const { public_key, ...current } = await newSigningKey({ v1a: keys.current.private_key !== null })
  return { keys: { current, previous: keys.current }, public_key }
}

/** Returns the signing keys with a new Ed25519 key, or without Ed25519 keys. The shared secrets do not change. */
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

/** The owner of the operator's endpoints, and of the data key that encrypts their signing keys. */
export const OPERATOR = 'operator'

/**
 * Returns the owner of the data key that encrypts the signing keys of an endpoint: the id of a customer, or `operator`.
 * `owner` is the owner of the endpoint.
 */
export function keyOwner(owner: string): string {
  return owner.split(':')[0] ?? owner
}

function placeOf({ owner, webhook_endpoint_id }: Place): string {
  return JSON.stringify(['webhook_endpoint', owner, webhook_endpoint_id])
}
