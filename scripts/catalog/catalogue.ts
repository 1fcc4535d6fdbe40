import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { matches, readMatch } from '../../src/pricing/catalogue/match.ts'
import { isUsageUnit } from '../../src/pricing/units.ts'
import { type Checked, compareSources } from './compare.ts'
import { extractionShapes } from './extraction.ts'
import { addedPrices, allPrices, assertNoNewFields, mediaPrices } from './media-prices.ts'
import { listDate, listedModels } from './model-lists.ts'
import { type Model, type Period, type Prices, writeModel } from './notation.ts'
import { OVERLAY_DATE, PROVIDERS, STANDARD_TIERS } from './overlay.ts'
import type { Modifier, ProviderOverlay } from './overlay-types.ts'
import { withResoldCacheWrites } from './resold-claude.ts'
import { convertModel, tokenPriceProviders } from './token-prices.ts'
import { borrowedPrices, type Difference, weigh } from './weigh.ts'

interface ProviderEntry {
  readonly id: string
  readonly name: string
  readonly aliases?: readonly string[]
  readonly fallback?: readonly string[]
  readonly apis?: Readonly<Record<string, number>>
  readonly tiers?: readonly string[]
  readonly regions?: readonly string[]
  readonly minimums?: readonly string[]
  readonly profiles?: readonly string[]
  readonly models: readonly string[]
}

/** The number of one provider's models in the catalogue, in total and by source, for the report. */
export interface ProviderCount {
  readonly id: string
  readonly models: number
  /** The number of models that the token source has. */
  readonly token_prices: number
  readonly media_prices: number
  readonly lists: number
  readonly overlay: number
  readonly agreeing: number
}

export interface Built {
  /** The text of `src/pricing/catalogue.json`. */
  readonly text: string
  readonly counts: readonly ProviderCount[]
  readonly differences: readonly Difference[]
  readonly checked: Checked
}

/** Builds the catalogue. The result depends only on the installed packages and the overlay. */
export async function buildCatalogue(): Promise<Built> {
  assertNoNewFields()
  const tokenProviders = await tokenPriceProviders()
  const media = mediaPrices()
  const lists = await listedModels()
  const day = await listDate()
  const { shapes, apis } = extractionShapes(tokenProviders)
  const ids = new Set([
    ...tokenProviders.map(({ id }) => id),
    ...media.keys(),
    ...lists.keys(),
    ...Object.keys(PROVIDERS),
  ])
  const counts: ProviderCount[] = []
  const differences: Difference[] = []
  const borrowed: string[] = []
  const built = new Map<string, readonly Model[]>()

  const providers = [...ids].sort().map((id): ProviderEntry => {
    const source = tokenProviders.find((provider) => provider.id === id)
    const overlay = PROVIDERS[id]
    const first = (source?.models ?? []).map(convertModel)
    const withMedia = mergeModels(withNames(first, overlay), media.get(id) ?? new Map())
    const named = [...withMedia.slice(0, first.length), ...withNames(withMedia.slice(first.length), overlay)]
    assertNamed(id, named, overlay)
    const fallback = overlay?.fallback ?? source?.fallback_model_providers
    const resold = (fallback ?? []).flatMap((other) =>
      (tokenProviders.find((provider) => provider.id === other)?.models ?? []).map(convertModel),
    )
    const listed = (lists.get(id) ?? []).filter(({ id }) => !replacedByOverlay(overlay, id))
    const weighed = weigh(id, named, listed, resold, day)
    const models = withResoldCacheWrites(withOverlay(weighed.models, overlay))
    differences.push(...weighed.differences)
    borrowed.push(...borrowedPrices(id, models, day))
    built.set(id, models)
    counts.push({
      id,
      models: models.length,
      ...countBySource(models, { token_prices: first, media_prices: withMedia, lists: weighed.models }),
      agreeing: weighed.agreeing,
    })
    const name = overlay?.name ?? source?.name
    if (name === undefined) throw new Error(`the provider ${id} has no name in any source`)
    const api = apis.get(id)
    return {
      id,
      name,
      ...(overlay?.aliases === undefined ? {} : { aliases: overlay.aliases }),
      ...(fallback === undefined ? {} : { fallback }),
      ...(api === undefined ? {} : { apis: api }),
      ...(overlay?.tiers === undefined ? {} : { tiers: overlay.tiers.map(writeModifier) }),
      ...(overlay?.regions === undefined ? {} : { regions: overlay.regions.map(writeModifier) }),
      ...(overlay?.minimums === undefined ? {} : { minimums: overlay.minimums.map(writeMinimum) }),
      ...(overlay?.profiles === undefined
        ? {}
        : { profiles: overlay.profiles.map(([prefix, regions]) => `${prefix} | ${regions}`) }),
      models: models.map(writeModel),
    }
  })
  if (borrowed.length > 0)
    throw new Error(`these match rules would give wrong prices to models:\n${borrowed.join('\n')}`)

  const content = {
    sources: {
      '@pydantic/genai-prices': await packageVersion('@pydantic/genai-prices'),
      'ai-sdk-cost-calculator': await packageVersion('ai-sdk-cost-calculator'),
      '@earendil-works/pi-ai': `${await packageVersion('@earendil-works/pi-ai')} of ${day}`,
      overlay: OVERLAY_DATE,
    },
    standard_tiers: STANDARD_TIERS,
    shapes,
    providers,
  }
  const digest = createHash('sha256').update(JSON.stringify(content)).digest('hex')
  const text = `${JSON.stringify({ generated_by: 'npm run catalog', digest, ...content }, null, 1)}\n`
  const checked = compareSources((provider, name) => findBuilt(built.get(provider) ?? [], name.toLowerCase()))
  return { text, counts, differences, checked }
}

function findBuilt(models: readonly Model[], name: string): Model | undefined {
  const rules = models.map((model) => readMatch(['=', ...model.match].join(' '), model.id))
  const exact = rules.findIndex((rule) => rule.exact.includes(name))
  return models[exact === -1 ? rules.findIndex((rule) => matches(rule, name)) : exact]
}

type MediaModels = ReadonlyMap<string, Parameters<typeof allPrices>[0]>

/**
 * Merges the models of the token source and the media source. Adds media prices that the token source does not have.
 * Then appends the models that only the media source has.
 */
function mergeModels(models: readonly Model[], media: MediaModels): Model[] {
  const rules = models.map((model) => readMatch(['=', ...model.match].join(' '), model.id))
  const firstMatch = (name: string) => {
    const exact = rules.findIndex((rule) => rule.exact.includes(name))
    return exact === -1 ? rules.findIndex((rule) => matches(rule, name)) : exact
  }
  const added = new Map<number, Parameters<typeof allPrices>[0]>()
  const onlyHere: Model[] = []
  for (const [name, pricing] of media) {
    const index = firstMatch(name.toLowerCase())
    if (index === -1) {
      onlyHere.push({
        id: name,
        match: [`=${name.toLowerCase()}`],
        source: 'm',
        periods: [{ prices: allPrices(pricing) }],
      })
    } else if (!added.has(index) || models[index]?.id === name) {
      added.set(index, pricing)
    }
  }
  const merged = models.map((model, index) => {
    const pricing = added.get(index)
    if (pricing === undefined) return model
    const everPriced: Prices = new Map(model.periods.flatMap(({ prices }) => [...prices]))
    const extra = addedPrices(pricing, everPriced)
    return {
      ...model,
      periods: model.periods.map((period) => ({ ...period, prices: new Map([...period.prices, ...extra]) })),
    }
  })
  return [...merged, ...onlyHere]
}

/**
 * Returns the models with the overlay's additional names. The overlay's match rules replace the rules of the sources.
 */
function withNames(models: readonly Model[], overlay: ProviderOverlay | undefined): Model[] {
  const { names = {}, rules = {} } = overlay ?? {}
  return models.map((model) => ({
    ...model,
    match: [...(rules[model.id] ?? model.match), ...(names[model.id] ?? []).map((name) => `=${name}`)],
  }))
}

function assertNamed(provider: string, models: readonly Model[], overlay: ProviderOverlay | undefined): void {
  const { names = {}, rules = {} } = overlay ?? {}
  for (const id of [...Object.keys(names), ...Object.keys(rules)])
    if (!models.some((model) => model.id === id))
      throw new Error(`${provider}: the overlay has names or rules for ${id}, but no source has this model`)
}

function replacedByOverlay(overlay: ProviderOverlay | undefined, id: string): boolean {
  const name = `=${id.toLowerCase()}`
  return (overlay?.models ?? []).some(
    (model) => model.id.toLowerCase() === id.toLowerCase() || model.match?.includes(name) === true,
  )
}

type Source = 'token_prices' | 'media_prices' | 'lists' | 'overlay'

/** Counts models by the first source that has them. The source of a model that no other source has is the overlay. */
function countBySource(
  models: readonly Model[],
  { token_prices, media_prices, lists }: Readonly<Record<Exclude<Source, 'overlay'>, readonly Model[]>>,
): Record<Source, number> {
  const idsOf = (source: readonly Model[]) => new Set(source.map(({ id }) => id))
  const [tokens, media, listed] = [idsOf(token_prices), idsOf(media_prices), idsOf(lists)]
  const counts = { token_prices: 0, media_prices: 0, lists: 0, overlay: 0 }
  for (const { id } of models) {
    if (tokens.has(id)) counts.token_prices++
    else if (media.has(id)) counts.media_prices++
    else if (listed.has(id)) counts.lists++
    else counts.overlay++
  }
  return counts
}

/**
 * Replaces models with the overlay's models of the same id, and appends the other models of the overlay. Removes other
 * models whose id is a name of an overlay model, and these names from the rules of the remaining models. Then applies
 * the overlay's amendments, which change the prices of single units.
 */
function withOverlay(models: readonly Model[], overlay: ProviderOverlay | undefined): Model[] {
  const own = overlayModels(overlay)
  const taken = new Set(own.flatMap(({ match }) => match))
  const ids = new Set(own.map(({ id }) => id))
  const left = models.filter(({ id }) => ids.has(id) || !taken.has(`=${id.toLowerCase()}`))
  const kept = left.map((model) => {
    const replaced = own.find(({ id }) => id === model.id)
    if (replaced === undefined) return { ...model, match: model.match.filter((rule) => !taken.has(rule)) }
    return { ...model, ...replaced, match: [...new Set([...model.match, ...replaced.match])] }
  })
  const added = own.filter(({ id }) => !models.some((model) => model.id === id))
  return (overlay?.amendments ?? []).reduce(
    (all, { models: ids, prices, from }) => {
      const missing = ids.find((id) => !all.some((model) => model.id === id))
      if (missing !== undefined)
        throw new Error(`the overlay amends ${missing}, but no source has this model`)
      return all.map((model) => (ids.includes(model.id) ? amended(model, prices, from) : model))
    },
    [...kept, ...added],
  )
}

function amended(model: Model, prices: Readonly<Record<string, string>>, from: string | undefined): Model {
  const more = checkedPrices(model.id, prices)
  if (from !== undefined) {
    const [first, ...others] = model.periods
    if (first === undefined || others.length > 0)
      throw new Error(`${model.id}: an amendment with a date requires a model with one price period`)
    return { ...model, periods: [first, { when: from, prices: new Map([...first.prices, ...more]) }] }
  }
  return {
    ...model,
    periods: model.periods.map((period) => ({ ...period, prices: new Map([...period.prices, ...more]) })),
  }
}

function overlayModels(overlay: ProviderOverlay | undefined): Model[] {
  return (overlay?.models ?? []).map(({ id, match = [], prices, periods }) => {
    const written: Period[] = (periods ?? [{ prices: prices ?? {} }]).map((period) => ({
      ...period,
      prices: checkedPrices(id, period.prices),
    }))
    return { id, match: [`=${id.toLowerCase()}`, ...match], source: 'o', periods: written }
  })
}

function checkedPrices(id: string, prices: Readonly<Record<string, string>>): Prices {
  const unknown = Object.keys(prices).find((unit) => !isUsageUnit(unit))
  if (unknown !== undefined) throw new Error(`${id}: unknown unit ${unknown}`)
  return new Map(Object.entries(prices))
}

function writeModifier({ names, factor, models = [], families = ['tokens'], when }: Modifier): string {
  if (!/^\d+(\.\d+)?(\/\d+)?$/.test(factor)) throw new Error(`"${factor}" is not a decimal or a fraction`)
  const parts = [names.join(' '), factor, families.join(' '), models.join(' ')]
  return [...parts, ...(when === undefined ? [] : [when])].join(' | ')
}

function writeMinimum({ unit, quantity, models }: NonNullable<ProviderOverlay['minimums']>[number]): string {
  if (!isUsageUnit(unit)) throw new Error(`unknown unit ${unit}`)
  return [`${unit}=${quantity}`, models.join(' ')].join(' | ')
}

async function packageVersion(name: string): Promise<string> {
  const path = join(import.meta.dirname, '../../node_modules', name, 'package.json')
  const manifest: unknown = JSON.parse(await readFile(path, 'utf8'))
  if (
    typeof manifest === 'object' &&
    manifest !== null &&
    'version' in manifest &&
    typeof manifest.version === 'string'
  ) {
    return manifest.version
  }
  throw new Error(`the package ${name} has no version`)
}
