import { findProvider, type ProviderRef } from './catalogue.ts'

/**
 * The names in records and responses that are not the upper-case form of the catalogue id, by id. They are stored in
 * ledger entries and must not change.
 */
const CONTRACT_NAMES: Readonly<Record<string, string>> = { aws: 'AMAZON' }

/** Returns the spelling of a provider in records and responses. It is the same for all spellings that callers send. */
export function providerName({ id }: ProviderRef): string {
  const known = names.get(id)
  if (known !== undefined) return known
  const name = CONTRACT_NAMES[id] ?? id.toUpperCase().replaceAll('-', '_')
  names.set(id, name)
  return name
}

/** A cache of the names by id. The number of providers in the catalogue limits the cache. */
const names = new Map<string, string>()

/**
 * Returns the spelling that records use for the provider in a filter. The name of an unknown provider is returned
 * unchanged and matches nothing.
 */
export function recordedProvider(name: string): string {
  const provider = findProvider(name)
  return provider ? providerName(provider) : name
}
