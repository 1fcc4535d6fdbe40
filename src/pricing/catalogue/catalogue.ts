import data from '../catalogue.json' with { type: 'json' }
import { isUsageUnit, type UsageUnit } from '../units.ts'
import { type Match, readMatch } from './match.ts'
import { type Modifier, plainName, readModifier } from './modifiers.ts'
import { nearest } from './nearest.ts'
import { fields, words } from './notation.ts'
import { type PricePeriod, readPeriods } from './period.ts'

/**
 * The price catalogue: providers, their models, and the prices of each model over time. Start-up reads one map
 * of names; a provider's models are read on its first event, a model's prices when they are first needed. The
 * size of the catalogue bounds what stays in memory.
 */
export interface ProviderRef {
  readonly id: string
  readonly name: string
}

export interface ModelRef {
  /** The provider whose price list this is: not the requested one if that resells another's models. */
  readonly provider: ProviderRef
  readonly id: string
  /** Tokens that fit into one request, if the source has the figure. */
  readonly context_window?: number
  readonly deprecated: boolean
  /** Returns the prices in force at a time, in epoch milliseconds. */
  readonly pricesAt: (at_ms: number) => PricePeriod
}

interface CatalogueFile {
  readonly digest: string
  readonly sources: Readonly<Record<string, string>>
  readonly standard_tiers: readonly string[]
  readonly shapes: readonly string[]
  readonly providers: readonly ProviderEntry[]
}

interface ProviderEntry extends ProviderRef {
  readonly aliases?: readonly string[] | undefined
  readonly fallback?: readonly string[] | undefined
  readonly apis?: Readonly<Record<string, number | undefined>> | undefined
  readonly tiers?: readonly string[] | undefined
  readonly regions?: readonly string[] | undefined
  readonly minimums?: readonly string[] | undefined
  readonly models: readonly string[]
}

const file: CatalogueFile = data

/** The first characters of the catalogue's digest: another one after any change of a price. */
export const CATALOGUE_VERSION: string = file.digest.slice(0, 10)

const byName = new Map<string, ProviderEntry>()
for (const provider of file.providers) {
  for (const name of [provider.id, ...(provider.aliases ?? [])]) byName.set(plainName(name), provider)
}

/** Finds a provider by name or alias, without case and separators: `X_AI` is `x-ai`. `openai.responses` is `openai`. */
export function findProvider(name: string): ProviderRef | undefined {
  return byName.get(plainName(name)) ?? byName.get(plainName(name.split('.', 1)[0] ?? ''))
}

export function allProviders(): readonly ProviderRef[] {
  return file.providers
}

/** Returns the provider names most similar to an unknown one, at most three. */
export function nearestProviders(name: string): string[] {
  const known = file.providers.flatMap(({ id, aliases = [] }) =>
    [id, ...aliases].map((alias) => [alias, id] as const),
  )
  const found = nearest(
    name,
    known.map(([alias]) => alias),
    6,
  )
  return [...new Set(found.map((alias) => known.find(([name]) => name === alias)?.[1] ?? alias))].slice(0, 3)
}

interface LoadedProvider {
  readonly entry: ProviderEntry
  readonly models: readonly ModelRef[]
  /** Index of the first model with this exact name among its rules. */
  readonly exact: ReadonlyMap<string, number>
  readonly patterned: readonly { readonly index: number; readonly match: Match }[]
  readonly found: Map<string, ModelRef | undefined>
  readonly tiers: readonly Modifier[]
  readonly regions: readonly Modifier[]
  readonly minimums: readonly { readonly unit: UsageUnit; readonly quantity: number; readonly match: Match }[]
  readonly shapes: ReadonlyMap<string, string>
}

const loaded = new Map<string, LoadedProvider>()

/** Returns everything that the catalogue has of a provider, read once. For the modules of this folder. */
export function loadProvider(provider: ProviderRef): LoadedProvider {
  const known = loaded.get(provider.id)
  if (known !== undefined) return known
  const entry = file.providers.find(({ id }) => id === provider.id)
  if (entry === undefined) throw new Error(`not a provider of the catalogue: ${provider.id}`)
  const fresh = readProvider(entry)
  loaded.set(provider.id, fresh)
  return fresh
}

function readProvider(entry: ProviderEntry): LoadedProvider {
  const exact = new Map<string, number>()
  const patterned: { index: number; match: Match }[] = []
  const models = entry.models.map((line, index) => {
    const [id = '', rules = '', about = '', periods = ''] = fields(line)
    const match = readMatch(rules, id)
    for (const name of match.exact) if (!exact.has(name)) exact.set(name, index)
    if (match.patterns.length > 0) patterned.push({ index, match })
    return readModel(entry, id, words(about), periods)
  })
  return {
    entry,
    models,
    exact,
    patterned,
    found: new Map(),
    tiers: (entry.tiers ?? []).map(readModifier),
    regions: (entry.regions ?? []).map(readModifier),
    minimums: (entry.minimums ?? []).flatMap((line) => {
      const [minimum = '', rules = ''] = fields(line)
      const [unit = '', quantity = ''] = minimum.split('=')
      return isUsageUnit(unit) ? [{ unit, quantity: Number(quantity), match: readMatch(rules, '') }] : []
    }),
    shapes: new Map(
      Object.entries(entry.apis ?? {}).flatMap(([api, shape]) => {
        const text = file.shapes[shape ?? -1]
        return text === undefined ? [] : [[api, text] as const]
      }),
    ),
  }
}

function readModel(
  provider: ProviderRef,
  id: string,
  about: readonly string[],
  periodsText: string,
): ModelRef {
  const context = about.find((word) => /^\d+$/.test(word))
  let pricesAt: ((at_ms: number) => PricePeriod) | undefined
  return {
    provider,
    id,
    ...(context === undefined ? {} : { context_window: Number(context) }),
    deprecated: about.includes('deprecated'),
    pricesAt: (at_ms) => {
      pricesAt ??= readPeriods(periodsText)
      return pricesAt(at_ms)
    },
  }
}

/** Resolved model names kept per provider; the map is cleared when it is full. */
const REMEMBERED_NAMES = 2000

/**
 * Finds the first model of the list whose rules match the name; then the first of the providers that this one
 * resells; then the same for the name with its compact date written out (`-20251101` for `-2025-11-01`), and
 * without a leading path or region (`models/gemini-2.5-pro`, an ARN).
 */
export function findModel(provider: ProviderRef, model: string): ModelRef | undefined {
  const { found } = loadProvider(provider)
  const name = model.trim().toLowerCase()
  if (found.has(name)) return found.get(name)
  let ref: ModelRef | undefined
  for (const candidate of spellings(provider, name)) {
    ref = firstMatch(provider, candidate) ?? fallbackMatch(provider, candidate)
    if (ref !== undefined) break
  }
  if (found.size >= REMEMBERED_NAMES) found.clear()
  found.set(name, ref)
  return ref
}

function firstMatch(provider: ProviderRef, name: string): ModelRef | undefined {
  const { exact, patterned, models } = loadProvider(provider)
  let first = exact.get(name) ?? Number.POSITIVE_INFINITY
  for (const { index, match } of patterned) {
    if (index >= first) break
    if (match.patterns.some((fits) => fits(name))) {
      first = index
      break
    }
  }
  return models[first]
}

function fallbackMatch(provider: ProviderRef, name: string): ModelRef | undefined {
  for (const id of loadProvider(provider).entry.fallback ?? []) {
    const other = findProvider(id)
    const ref = other === undefined ? undefined : firstMatch(other, name)
    if (ref !== undefined) return ref
  }
  return undefined
}

function* spellings(provider: ProviderRef, name: string): Generator<string> {
  yield name
  const dated = name.replace(/-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)/g, '-$1-$2-$3')
  if (dated !== name) yield dated
  const inside = name.slice(name.lastIndexOf('/') + 1)
  const path = name.slice(0, name.length - inside.length)
  if (/^(models\/|publishers\/|projects\/|arn:)/.test(path) || plainName(path) === plainName(provider.id))
    yield inside
}

/** Returns a provider's own models, in the order of its list. */
export function allModels(provider: ProviderRef): readonly ModelRef[] {
  return loadProvider(provider).models
}

/** Returns the names of priced models most similar to an unknown one, at most three. */
export function nearestModels(provider: ProviderRef, model: string): string[] {
  const { entry, models } = loadProvider(provider)
  const own = models.map(({ id }) => id)
  const resold = (entry.fallback ?? []).flatMap((id) => {
    const other = findProvider(id)
    return other === undefined ? [] : loadProvider(other).models.map((ref) => ref.id)
  })
  return nearest(model, [...new Set([...own, ...resold])], 3)
}

const standardTiers = new Set(file.standard_tiers.map(plainName))

/** Returns whether a service tier means list prices at every provider. */
export function isStandardTier(name: string): boolean {
  return standardTiers.has(plainName(name))
}
