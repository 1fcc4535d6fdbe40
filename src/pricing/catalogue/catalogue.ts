import data from '../catalogue.json' with { type: 'json' }
import { isUsageUnit, type UsageUnit } from '../units.ts'
import { isDatedSuffix, type Match, readFamilyMatch, readMatch, undated } from './match.ts'
import { type Modifier, plainName, readModifier } from './modifiers.ts'
import { nearest } from './nearest.ts'
import { fields, words } from './notation.ts'
import { type PricePeriod, readPeriods } from './period.ts'

/**
 * A provider of the price catalogue. The catalogue contains providers, their models, and the prices of each model over
 * time. Start-up builds only the map of provider names and the set of names of the standard tier. The models of a
 * provider and the prices of a model are read on first use and are kept in memory.
 */
export interface ProviderRef {
  readonly id: string
  readonly name: string
}

export interface ModelRef {
  /**
   * The provider whose price list contains the model. It differs from the requested provider if the requested provider
   * resells the model of another provider.
   */
  readonly provider: ProviderRef
  readonly id: string
  /** The maximum number of tokens in one request; absent if the source does not state it. */
  readonly context_window?: number
  readonly deprecated: boolean
  /**
   * The source of the model's token prices. For some models, `scripts/catalog/overlay.ts` corrects the prices of single
   * units.
   */
  readonly source: string
  /** The catalogue's prices of the model, in its notation; empty if the catalogue does not contain the model. */
  readonly periods: string
  /**
   * The version of the prices, if they are not from this catalogue. Prices of the catalogue are identified by
   * `CATALOGUE_VERSION` and the model.
   */
  readonly version?: string
  /** Returns the prices in force at `at_ms`, in epoch milliseconds. */
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
  readonly profiles?: readonly string[] | undefined
  readonly models: readonly string[]
}

const file: CatalogueFile = data

/** The version of the catalogue: the first characters of its digest. Any change of a price changes it. */
export const CATALOGUE_VERSION: string = file.digest.slice(0, 10)

const byName = new Map<string, ProviderEntry>()
for (const provider of file.providers) {
  for (const name of [provider.id, ...(provider.aliases ?? [])]) byName.set(plainName(name), provider)
}

/**
 * Finds a provider by name or alias. Ignores case and separators: `X_AI` finds `x-ai`. If the name is unknown, compares
 * only the part before the first `.`: `openai.responses` finds `openai`. Returns undefined if there is no such
 * provider.
 */
export function findProvider(name: string): ProviderRef | undefined {
  const known = bySpelling.get(name)
  if (known !== undefined) return known
  const found = byName.get(plainName(name)) ?? byName.get(plainName(name.split('.', 1)[0] ?? ''))
  if (found === undefined) return undefined
  if (bySpelling.size >= REMEMBERED_NAMES) bySpelling.clear()
  bySpelling.set(name, found)
  return found
}

/** A cache of the results of `findProvider`, by the name exactly as the caller wrote it. */
const bySpelling = new Map<string, ProviderRef>()

export function allProviders(): readonly ProviderRef[] {
  return file.providers
}

/** Returns the ids of the known providers that are most similar to an unknown name, at most three. */
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
  /**
   * The index of a model in `models`, by each exact name in its rules. If several models have the name, it is the index
   * of the first.
   */
  readonly exact: ReadonlyMap<string, number>
  readonly patterned: readonly { readonly index: number; readonly match: Match }[]
  readonly found: Map<string, ModelMatch | undefined>
  readonly tiers: readonly Modifier[]
  readonly regions: readonly Modifier[]
  readonly minimums: readonly { readonly unit: UsageUnit; readonly quantity: number; readonly match: Match }[]
  readonly shapes: ReadonlyMap<string, string>
  /**
   * The prefixes that select the price list of a region, and the regions of each prefix. The name
   * `apac.amazon.nova-lite-v1:0` has the prefix `apac`.
   */
  readonly profiles: readonly { readonly prefix: string; readonly regions: RegExp }[]
}

/** A model, and the kind of match that found it. */
export interface ModelMatch {
  readonly model: ModelRef
  /**
   * The kind of match. `exact`: the name is the id or an alias. `rule`: the name matches a rule of the list. `dated`:
   * the name is a dated snapshot that has no price of its own. `region`: the name is in the price list of the region.
   */
  readonly by: 'exact' | 'rule' | 'dated' | 'region'
  /** The spelling of the name that matched. */
  readonly name: string
}

/**
 * The maximum number of names in the cache of providers, and in each provider's cache of models. A full cache is
 * cleared.
 */
const REMEMBERED_NAMES = 2000

const loaded = new Map<string, LoadedProvider>()

/**
 * Returns all data of a provider from the catalogue. Reads the data on the first call and then keeps it. Throws if the
 * provider is not in the catalogue. Only modules of `pricing/` call this function.
 */
export function loadProvider(provider: ProviderRef): LoadedProvider {
  const known = loaded.get(provider.id)
  if (known !== undefined) return known
  const entry = file.providers.find(({ id }) => id === provider.id)
  if (entry === undefined) throw new Error(`unknown provider: ${provider.id}`)
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
      return isUsageUnit(unit) ? [{ unit, quantity: Number(quantity), match: readFamilyMatch(rules) }] : []
    }),
    shapes: new Map(
      Object.entries(entry.apis ?? {}).flatMap(([api, shape]) => {
        const text = file.shapes[shape ?? -1]
        return text === undefined ? [] : [[api, text] as const]
      }),
    ),
    profiles: (entry.profiles ?? []).map((line) => {
      const [prefix = '', regions = ''] = fields(line)
      return { prefix, regions: new RegExp(`^(${regions})$`) }
    }),
  }
}

/**
 * The source of a model's prices, by its letter in the model's line in the catalogue. A line without a letter has the
 * source `@pydantic/genai-prices`.
 */
const SOURCES: Readonly<Record<string, string>> = {
  l: '@earendil-works/pi-ai',
  m: 'ai-sdk-cost-calculator',
  o: 'overlay',
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
    periods: periodsText,
    source: SOURCES[about.at(-1) ?? ''] ?? '@pydantic/genai-prices',
    pricesAt: (at_ms) => {
      pricesAt ??= readPeriods(periodsText)
      return pricesAt(at_ms)
    },
  }
}

/**
 * Finds a model by name. Searches for the exact name first, then for the first model of the provider with a matching
 * rule, and then in the providers whose models this provider resells. Repeats the search with other spellings of the
 * name. Finally, searches for the name without its snapshot date. Returns undefined if no search finds a model.
 */
export function findModel(provider: ProviderRef, model: string): ModelRef | undefined {
  return findMatch(provider, model)?.model
}

/** Finds the same model as `findModel`, and also returns the kind of match; undefined if there is no model. */
export function findMatch(provider: ProviderRef, model: string): ModelMatch | undefined {
  const { found } = loadProvider(provider)
  // Looks up the name as given first, because most names are already in lower case.
  const known = found.get(model)
  if (known !== undefined) return known
  const name = model.trim().toLowerCase()
  if (found.has(name)) return found.get(name)
  const names = [...spellings(provider, name)]
  const match =
    firstDefined(names, (one) => firstMatch(provider, one) ?? fallbackMatch(provider, one)) ??
    firstDefined(names, (one) => snapshotMatch(provider, one))
  if (found.size >= REMEMBERED_NAMES) found.clear()
  found.set(name, match)
  return match
}

/**
 * Finds a model in the price list of a region. The name must not contain the region. Returns undefined if the provider
 * has no price list for the region, or if the price list does not contain the name.
 */
export function findRegionalMatch(
  provider: ProviderRef,
  model: string,
  region: string,
): ModelMatch | undefined {
  const { profiles, exact, models } = loadProvider(provider)
  const name = model.trim().toLowerCase()
  for (const { prefix, regions } of profiles) {
    if (!regions.test(region.toLowerCase())) continue
    const index = exact.get(`${prefix}.${name}`)
    const found = index === undefined ? undefined : models[index]
    if (found !== undefined) return { model: found, by: 'region', name: `${prefix}.${name}` }
  }
  return undefined
}

function firstDefined(
  names: readonly string[],
  find: (name: string) => ModelMatch | undefined,
): ModelMatch | undefined {
  for (const name of names) {
    const found = find(name)
    if (found !== undefined) return found
  }
  return undefined
}

function firstMatch(provider: ProviderRef, name: string): ModelMatch | undefined {
  const { exact, patterned, models } = loadProvider(provider)
  const known = models[exact.get(name) ?? -1]
  if (known !== undefined) return { model: known, by: 'exact', name }
  const first = patterned.find(({ match }) => match.patterns.some((fits) => fits(name)))
  const model = models[first?.index ?? -1]
  return model === undefined ? undefined : { model, by: 'rule', name }
}

function fallbackMatch(provider: ProviderRef, name: string): ModelMatch | undefined {
  for (const id of loadProvider(provider).entry.fallback ?? []) {
    const other = findProvider(id)
    const found = other === undefined ? undefined : firstMatch(other, name)
    if (found !== undefined) return found
  }
  return undefined
}

/**
 * Finds a model by the name of a dated snapshot that is not in the catalogue. Returns undefined if other snapshots of
 * the model have their own prices, because the price of the unknown snapshot is then uncertain.
 */
function snapshotMatch(provider: ProviderRef, name: string): ModelMatch | undefined {
  const stem = undated(name)
  if (stem === undefined) return undefined
  const found = firstMatch(provider, stem) ?? fallbackMatch(provider, stem)
  if (found === undefined || found.by !== 'exact') return undefined
  const { exact, models } = loadProvider(found.model.provider)
  for (const [other, index] of exact) {
    if (models[index] === found.model || !other.startsWith(stem) || other === stem) continue
    if (isDatedSuffix(other.slice(stem.length))) return undefined
  }
  return { ...found, by: 'dated' }
}

/**
 * The suffixes that select a provider of OpenRouter, or add a web search. They do not change the price of a token
 * (openrouter.ai/docs/guides/routing/model-variants/overview).
 */
const ROUTING = /:(?:nitro|floor|exacto|online)$/

/**
 * Yields the name and then its other spellings: a compact date with dashes (`-2025-11-01` for `-20251101`), the name
 * without a suffix of OpenRouter (`openai/gpt-4o` for `openai/gpt-4o:nitro`), the name without a leading path (`gemini-2.5-pro` for `models/gemini-2.5-pro`), and the base model of a fine-tuned model
 * (`ft:gpt-4.1-mini-2025-04-14` for `ft:gpt-4.1-mini-2025-04-14:acme::abc123`), with and without its date.
 */
function* spellings(provider: ProviderRef, name: string): Generator<string> {
  yield name
  const dated = name.replace(/-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)/g, '-$1-$2-$3')
  if (dated !== name) yield dated
  const routed = provider.id === 'openrouter' ? name.replace(ROUTING, '') : name
  if (routed !== name) yield routed
  const inside = name.slice(name.lastIndexOf('/') + 1)
  const path = name.slice(0, name.length - inside.length)
  if (/^(models\/|publishers\/|projects\/|arn:)/.test(path) || plainName(path) === plainName(provider.id))
    yield inside
  const [, base] = /^(ft:[^:]+):/.exec(name) ?? []
  if (base === undefined) return
  yield base
  const whole = undated(base)
  if (whole !== undefined) yield whole
}

/** Returns the models of a provider, in the order of the catalogue. Omits models that the provider only resells. */
export function allModels(provider: ProviderRef): readonly ModelRef[] {
  return loadProvider(provider).models
}

/**
 * Returns the ids of the catalogue's models that are most similar to an unknown name, at most three. Also compares the
 * models that the provider resells.
 */
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

/** Returns whether a name denotes the standard service tier, for which every provider charges its list prices. */
export function isStandardTier(name: string): boolean {
  return standardTiers.has(plainName(name))
}
