import { createHash, hkdfSync } from 'node:crypto'
import { oncePerBindings } from '../config.ts'
import { logFailure } from '../logging/log.ts'
import { KEY_BYTES } from './aes-gcm.ts'
import { usableSecrets } from './usable.ts'

/**
 * The master keys of a deployment, from the Worker's secrets `ENCRYPTION_KEY` and, during a rotation,
 * `ENCRYPTION_KEY_NEXT`. They encrypt only the data keys of customers.
 */
export interface Master {
  /** The id of the master key in the data keys that it encrypts. It reveals nothing about the key. */
  readonly id: string
  readonly key: Uint8Array
}

/** The development value of `ENCRYPTION_KEY`. It is public, so it works only if `ENVIRONMENT` is `development`. */
export const DEVELOPMENT_ENCRYPTION_KEY = 'dev-encryption-key'
const ID_CHARS = 16
const PURPOSE = 'openmonetize master key'

/** Returns the usable master keys; none if the deployment has no encryption key. */
export const mastersOf = oncePerBindings((env): readonly Master[] => {
  const secrets = usableSecrets(env, [env.ENCRYPTION_KEY, env.ENCRYPTION_KEY_NEXT], {
    development_value: DEVELOPMENT_ENCRYPTION_KEY,
    onRefused: (reason) => logFailure('encryption_key_refused', { reason }),
  })
  return secrets.map(masterOf)
})

function masterOf(secret: string): Master {
  const key = new Uint8Array(hkdfSync('sha256', secret, '', PURPOSE, KEY_BYTES))
  return { id: createHash('sha256').update(key).digest('hex').slice(0, ID_CHARS), key }
}
