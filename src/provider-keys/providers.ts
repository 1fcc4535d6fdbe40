import { findProvider, type ProviderRef } from '../pricing/catalogue/catalogue.ts'

/**
 * An API of the gateway. A call is never translated, so the address of its provider must have the API of the call.
 */
export type Dialect = 'openai' | 'anthropic' | 'google'

/** The usual addresses of providers, by API, including the version. Other providers need a `base_url`. */
const ADDRESSES: Readonly<Record<string, Partial<Record<Dialect, string>>>> = {
  anthropic: { anthropic: 'https://api.anthropic.com/v1', openai: 'https://api.anthropic.com/v1' },
  cerebras: { openai: 'https://api.cerebras.ai/v1' },
  deepseek: { openai: 'https://api.deepseek.com/v1', anthropic: 'https://api.deepseek.com/anthropic/v1' },
  fireworks: { openai: 'https://api.fireworks.ai/inference/v1' },
  google: {
    google: 'https://generativelanguage.googleapis.com/v1beta',
    openai: 'https://generativelanguage.googleapis.com/v1beta/openai',
  },
  groq: { openai: 'https://api.groq.com/openai/v1' },
  mistral: { openai: 'https://api.mistral.ai/v1' },
  openai: { openai: 'https://api.openai.com/v1' },
  openrouter: { openai: 'https://openrouter.ai/api/v1' },
  perplexity: { openai: 'https://api.perplexity.ai' },
  together: { openai: 'https://api.together.xyz/v1' },
  'x-ai': { openai: 'https://api.x.ai/v1' },
}

/** The version in the paths of each API, for an address without a path. */
const VERSIONS: Readonly<Record<Dialect, string>> = { openai: '/v1', anthropic: '/v1', google: '/v1beta' }

/** Returns the API of a provider. Most providers have the API of OpenAI. */
export function dialectOf({ id }: ProviderRef): Dialect {
  return id === 'anthropic' || id === 'google' ? id : 'openai'
}

/** Returns the usual address of a provider for an API; undefined if it has none. */
export function usualAddress({ id }: ProviderRef, dialect: Dialect): string | undefined {
  return ADDRESSES[id]?.[dialect]
}

/** Reports whether a key of this provider can be stored without a `base_url`. */
export function hasUsualAddress({ id }: ProviderRef): boolean {
  return ADDRESSES[id] !== undefined
}

/** Returns the address for calls of an API. An address without a path gets the usual version of the API. */
export function addressFor(base_url: string, dialect: Dialect): string {
  const { origin, pathname } = new URL(base_url)
  return origin + (pathname === '/' ? VERSIONS[dialect] : pathname.replace(/\/+$/, ''))
}

/** Returns the catalogue's reference of a provider. Throws if the catalogue does not have the provider. */
export function requireProvider(name: string): ProviderRef {
  const provider = findProvider(name)
  if (!provider) throw new Error(`the catalogue has no provider ${name}`)
  return provider
}
