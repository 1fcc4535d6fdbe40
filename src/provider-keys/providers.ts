import { findProvider, type ProviderRef } from '../pricing/catalogue/catalogue.ts'

/**
 * An API that the gateway offers. Calls are never translated to another API, so the provider of a call must offer the
 * same API.
 */
export type Dialect = 'openai' | 'anthropic' | 'google'

/**
 * The default base URLs of providers, by API. They include the API version if the API has one in its URL. A key of any
 * other provider needs a `base_url`.
 */
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

/** The version that is appended to a base URL without a path, by API. */
const VERSIONS: Readonly<Record<Dialect, string>> = { openai: '/v1', anthropic: '/v1', google: '/v1beta' }

/** Returns the API that calls to a provider use. Most providers offer the API of OpenAI. */
export function dialectOf({ id }: ProviderRef): Dialect {
  return id === 'anthropic' || id === 'google' ? id : 'openai'
}

/** Returns the default base URL of a provider for an API; undefined if none is known. */
export function usualAddress({ id }: ProviderRef, dialect: Dialect): string | undefined {
  return ADDRESSES[id]?.[dialect]
}

/** Returns whether a key of the provider can be stored without a `base_url`. */
export function hasUsualAddress({ id }: ProviderRef): boolean {
  return ADDRESSES[id] !== undefined
}

/**
 * Returns the base URL for calls of an API, without a slash at its end. If `base_url` has no path, the default version
 * of the API is appended.
 */
export function addressFor(base_url: string, dialect: Dialect): string {
  const { origin, pathname } = new URL(base_url)
  return origin + (pathname === '/' ? VERSIONS[dialect] : pathname.replace(/\/+$/, ''))
}

/** Returns the catalogue's entry of a provider. Throws if the catalogue does not contain the provider. */
export function requireProvider(name: string): ProviderRef {
  const provider = findProvider(name)
  if (!provider) throw new Error(`the catalogue has no provider ${name}`)
  return provider
}
