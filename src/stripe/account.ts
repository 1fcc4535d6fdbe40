import type { Bindings } from '../bindings.ts'
import { configOf } from '../config.ts'
import { MODES, type Mode } from '../db/schema.ts'
import { logFailure } from '../logging/log.ts'
import { Stripe } from './client.ts'

/**
 * Reads the secrets of the operator's Stripe account. A deployment has one Stripe account. Live ledgers use only
 * `STRIPE_SECRET_KEY` and `STRIPE_WEBHOOK_SECRET`. Test ledgers use only `STRIPE_TEST_SECRET_KEY` and
 * `STRIPE_TEST_WEBHOOK_SECRET`.
 */

/** The Stripe secrets for development. They are public, so they are accepted only if `ENVIRONMENT` is `development`. */
export const DEVELOPMENT_STRIPE = {
  STRIPE_SECRET_KEY: 'sk_test_development',
  STRIPE_WEBHOOK_SECRET: 'whsec_development',
  STRIPE_TEST_SECRET_KEY: 'sk_test_development',
  STRIPE_TEST_WEBHOOK_SECRET: 'whsec_test_development',
} as const

type Secret = keyof typeof DEVELOPMENT_STRIPE

const SECRETS: Readonly<Record<Mode, { readonly key: Secret; readonly webhook: Secret }>> = {
  live: { key: 'STRIPE_SECRET_KEY', webhook: 'STRIPE_WEBHOOK_SECRET' },
  test: { key: 'STRIPE_TEST_SECRET_KEY', webhook: 'STRIPE_TEST_WEBHOOK_SECRET' },
}

/** The format of secret keys and restricted keys of Stripe, such as `sk_live_…` and `rk_test_…`. */
const KEY = /^[sr]k_(live|test)_[\x21-\x7e]{1,250}$/

/**
 * Returns the Stripe client for the payments of a mode. Returns undefined if the mode has no Stripe key, or if the key
 * must not be used for this mode.
 */
export function stripeOf(env: Bindings, mode: Mode): Stripe | undefined {
  const name = SECRETS[mode].key
  const secret_key = secretOf(env, name)
  if (secret_key === undefined) return undefined
  const { environment, stripe_api_url: api_url } = configOf(env)
  const [, of] = KEY.exec(secret_key) ?? []
  // Refuses a Stripe key of the other mode: a test payment must not buy live credits, and a test ledger must not charge
  // a real card.
  const is_allowed = of === mode || (of === 'test' && environment === 'development')
  if (!is_allowed) {
    logFailure('stripe_key_refused', { secret: name })
    return undefined
  }
  return new Stripe({ api_url, secret_key })
}

/**
 * Returns the webhook secrets that are set. Each has the mode of the events that it signs. Omits the public secrets
 * outside development.
 */
export function webhookSecretsOf(env: Bindings): readonly { readonly mode: Mode; readonly secret: string }[] {
  return MODES.flatMap((mode) => {
    const secret = secretOf(env, SECRETS[mode].webhook)
    return secret === undefined ? [] : [{ mode, secret }]
  })
}

/** Reports whether a Stripe object with the given `livemode` may pay for credits of a ledger of the given mode. */
export function acceptsLivemode(env: Bindings, mode: Mode, livemode: boolean): boolean {
  return livemode === (mode === 'live') || (!livemode && configOf(env).environment === 'development')
}

function secretOf(env: Bindings, name: Secret): string | undefined {
  const value = env[name]
  if (value === undefined || value === '') return undefined
  const is_public = Object.values<string>(DEVELOPMENT_STRIPE).includes(value)
  return is_public && configOf(env).environment !== 'development' ? undefined : value
}
