import { findProvider, type ProviderRef } from '../pricing/catalogue/catalogue.ts'

/** Providers whose name in the contract is not their id in the catalogue. */
const CONTRACT_NAMES: Readonly<Record<string, string>> = { aws: 'AMAZON' }

/** Returns the spelling of a provider in records and answers: one for all spellings of callers. */
export function providerName({ id }: ProviderRef): string {
  const known = names.get(id)
  if (known !== undefined) return known
  const name = CONTRACT_NAMES[id] ?? id.toUpperCase().replaceAll('-', '_')
  names.set(id, name)
  return name
}

/** The names by id. The number of providers in the catalogue limits this memory. */
const names = new Map<string, string>()

/** The record's spelling of a provider that a filter names; a name that no provider has matches nothing. */
export function recordedProvider(name: string): string {
  const provider = findProvider(name)
  return provider ? providerName(provider) : name
}
