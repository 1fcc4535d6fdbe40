import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { matches, readMatch } from '../../src/pricing/catalogue/match.ts'
import { isUsageUnit } from '../../src/pricing/units.ts'
import { extractionShapes } from './extraction.ts'
import { addedPrices, allPrices, assertNoNewFields, mediaPrices } from './media-prices.ts'
import { type Model, type Prices, writeModel } from './notation.ts'
import { type Modifier, OVERLAY_DATE, PROVIDERS, type ProviderOverlay, STANDARD_TIERS } from './overlay.ts'
import { convertModel, tokenPriceProviders } from './token-prices.ts'

interface ProviderEntry {
  readonly id: string
  readonly name: string
  readonly aliases?: readonly string[]
  readonly fallback?: readonly string[]
  readonly apis?: Readonly<Record<string, number>>
  readonly tiers?: readonly string[]
  readonly regions?: readonly string[]
  readonly minimums?: readonly string[]
  readonly models: readonly string[]
}

/** The text of `src/pricing/catalogue.json`. The same packages and overlay always give the same bytes. */
export async function buildCatalogue(): Promise<string> {
  assertNoNewFields()
  const tokenProviders = await tokenPriceProviders()
  const media = mediaPrices()
  const { shapes, apis } = extractionShapes(tokenProviders)
  const ids = new Set([...tokenProviders.map(({ id }) => id), ...media.keys(), ...Object.keys(PROVIDERS)])

  const providers = [...ids].sort().map((id): ProviderEntry => {
    const source = tokenProviders.find((provider) => provider.id === id)
    const overlay = PROVIDERS[id]
    const models = [
      ...mergeModels((source?.models ?? []).map(convertModel), media.get(id) ?? new Map()),
      ...overlayModels(overlay),
    ]
    const name = overlay?.name ?? source?.name
    if (name === undefined) throw new Error(`${id} has no name`)
    const api = apis.get(id)
    return {
      id,
      name,
      ...(overlay?.aliases === undefined ? {} : { aliases: overlay.aliases }),
      ...(source?.fallback_model_providers === undefined
        ? {}
        : { fallback: source.fallback_model_providers }),
      ...(api === undefined ? {} : { apis: api }),
      ...(overlay?.tiers === undefined ? {} : { tiers: overlay.tiers.map(writeModifier) }),
      ...(overlay?.regions === undefined ? {} : { regions: overlay.regions.map(writeModifier) }),
      ...(overlay?.minimums === undefined ? {} : { minimums: overlay.minimums.map(writeMinimum) }),
      models: models.map(writeModel),
    }
  })

  const content = {
    sources: {
      '@pydantic/genai-prices': await packageVersion('@pydantic/genai-prices'),
      'ai-sdk-cost-calculator': await packageVersion('ai-sdk-cost-calculator'),
      overlay: OVERLAY_DATE,
    },
    standard_tiers: STANDARD_TIERS,
    shapes,
    providers,
  }
  const digest = createHash('sha256').update(JSON.stringify(content)).digest('hex')
  return `${JSON.stringify({ generated_by: 'npm run catalog', digest, ...content }, null, 1)}\n`
}

type MediaModels = ReadonlyMap<string, Parameters<typeof allPrices>[0]>

/** Models of the token source with the media prices that they lack, then the models that only the other has. */
function mergeModels(models: readonly Model[], media: MediaModels): Model[] {
  const rules = models.map((model) => readMatch(model.match.join(' '), model.id))
  const firstMatch = (name: string) => rules.findIndex((rule) => matches(rule, name.toLowerCase()))
  const added = new Map<number, Parameters<typeof allPrices>[0]>()
  const onlyHere: Model[] = []
  for (const [name, pricing] of media) {
    const index = firstMatch(name)
    if (index === -1) {
      onlyHere.push({
        id: name,
        match: [`=${name.toLowerCase()}`],
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

function overlayModels(overlay: ProviderOverlay | undefined): Model[] {
  return (overlay?.models ?? []).map(({ id, match = [], prices }) => {
    const unknown = Object.keys(prices).find((unit) => !isUsageUnit(unit))
    if (unknown !== undefined) throw new Error(`${id}: no such unit: ${unknown}`)
    return {
      id,
      match: [`=${id.toLowerCase()}`, ...match],
      periods: [{ prices: new Map(Object.entries(prices)) }],
    }
  })
}

function writeModifier({ names, factor, models = [], families = ['tokens'] }: Modifier): string {
  if (!/^\d+(\.\d+)?(\/\d+)?$/.test(factor)) throw new Error(`not a factor: ${factor}`)
  return [names.join(' '), factor, families.join(' '), models.join(' ')].join(' | ')
}

function writeMinimum({ unit, quantity, models }: NonNullable<ProviderOverlay['minimums']>[number]): string {
  if (!isUsageUnit(unit)) throw new Error(`no such unit: ${unit}`)
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
  throw new Error(`${name} has no version`)
}
