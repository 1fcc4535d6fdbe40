import type { Bindings } from '../bindings.ts'
import { configOf } from '../config.ts'

/** The minimum length of a secret: 128 bits in hex. `openssl rand -hex 32` prints twice this length. */
export const MIN_SECRET_CHARS = 32

interface SecretPolicy {
  /** The development value. It is public, so it works only if `ENVIRONMENT` is `development`. */
  readonly development_value: string
  /** Logs the reason why a secret is not used. */
  readonly onRefused: (reason: string) => void
}

/**
 * Returns the secrets that are set and strong enough, in the given order and without duplicates. In development, a
 * secret of any strength is accepted.
 */
export function usableSecrets(
  env: Bindings,
  secrets: readonly (string | undefined)[],
  { development_value, onRefused }: SecretPolicy,
): string[] {
  const given = new Set(secrets.map((secret) => secret ?? ''))
  return [...given].filter((secret) => {
    if (secret === '') return false
    if (configOf(env).environment === 'development') return true
    if (secret !== development_value && secret.length >= MIN_SECRET_CHARS) return true
    onRefused(`The secret is public or shorter than ${MIN_SECRET_CHARS} characters. Set a random secret.`)
    return false
  })
}
