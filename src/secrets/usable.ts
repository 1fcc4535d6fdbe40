import type { Bindings } from '../bindings.ts'
import { configOf } from '../config.ts'

/** The minimum length: 128 bits in hex. `openssl rand -hex 32` prints twice that. */
export const MIN_SECRET_CHARS = 32

interface SecretPolicy {
  /** Public, so it works only where `ENVIRONMENT` is `development`. */
  readonly development_value: string
  /** Logs why a secret is not used. */
  readonly onRefused: (reason: string) => void
}

/** Returns the secrets that are set and strong enough, in their order and each once. */
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
    onRefused(`it is public, or shorter than ${MIN_SECRET_CHARS} characters`)
    return false
  })
}
