import { loadProvider, type ProviderRef } from '../catalogue/catalogue.ts'
import { nearest } from '../catalogue/nearest.ts'
import type { Usage } from '../usage.ts'
import { isRecord, ownValue, type Reading, readBody, readShape, type Shape } from './rules.ts'
import { EXPLICIT_APIS, type NamedShape, SHAPES } from './shapes.ts'

/** What a provider's response says. Units that are zero are left out. */
export interface Extracted {
  readonly kind: 'extracted'
  readonly usage: Usage
  readonly model?: string
  /** As the provider names it: `default`, `flex`, `priority`, `batch`. */
  readonly service_tier?: string
  /** Where the request was processed, when the response says so and it may matter for the price. */
  readonly region?: string
  /** What a gateway says the call cost, a decimal in USD. Told, not believed. */
  readonly reported_cost_usd?: string
  readonly warnings?: readonly string[]
}

export interface ExtractError {
  readonly kind: 'error'
  readonly code: 'unreadable_response'
  readonly message: string
}

/**
 * Reads usage out of a whole response or of its usage part. `api` decides how the body is read and must fit;
 * without it, of the provider's own shapes (or, without a provider, of all shapes) the one that accounts for
 * most of the body's numbers is taken. Never throws.
 */
export function extractUsage(
  provider: ProviderRef | undefined,
  api: string | undefined,
  body: unknown,
): Extracted | ExtractError {
  if (!isRecord(body)) return unreadable('a provider response is a JSON object')
  const groups = api === undefined ? guessedShapes(provider) : [namedShapes(provider, api)]
  if (api !== undefined && groups[0]?.length === 0) return unreadable(unknownApi(provider, api))
  let problem: string | undefined
  for (const group of groups) {
    let best: Reading | undefined
    for (const shape of group) {
      const reading = readBody(shape, body)
      if ('problem' in reading) problem ??= reading.problem
      else if (best === undefined || reading.score > best.score) best = reading
    }
    if (best !== undefined) return extracted(best, body)
  }
  return unreadable(
    `the response cannot be read${api === undefined ? '' : ` as ${shown(api)}`}: ${problem ?? 'no usage'}`,
  )
}

function unreadable(message: string): ExtractError {
  return { kind: 'error', code: 'unreadable_response', message }
}

function extracted(reading: Reading, body: Record<string, unknown>): Extracted {
  const { usage, model, warnings } = reading
  const service_tier = firstText(body, TIER_PATHS)
  const region = firstText(body, REGION_PATHS)
  const reported = reportedCost(body)
  return {
    kind: 'extracted',
    usage,
    ...(model === undefined ? {} : { model }),
    ...(service_tier === undefined ? {} : { service_tier }),
    ...(region === undefined || region === 'not_available' ? {} : { region }),
    ...(reported === undefined ? {} : { reported_cost_usd: reported }),
    ...(warnings.length === 0 ? {} : { warnings }),
  }
}

const TIER_PATHS = [
  ['service_tier'],
  ['usage', 'service_tier'],
  ['response', 'service_tier'],
  ['response', 'usage', 'service_tier'],
  ['message', 'usage', 'service_tier'],
  ['result', 'message', 'usage', 'service_tier'],
  ['serviceTier', 'type'],
  ['serviceTier'],
  ['usageMetadata', 'serviceTier'],
  ['usageMetadata', 'trafficType'],
  ['trafficType'],
]
const REGION_PATHS = [['inference_geo'], ['usage', 'inference_geo'], ['message', 'usage', 'inference_geo']]
const COST_PATHS = [
  ['usage', 'cost', 'total_cost'],
  ['usage', 'cost'],
  ['cost', 'total_cost'],
  ['cost'],
  ['providerMetadata', 'gateway', 'cost'],
  ['providerMetadata', 'openrouter', 'usage', 'cost'],
]
/** xAI counts in ten-thousand-millionths of a USD. */
const TICK_PATHS = [['usage', 'cost_in_usd_ticks'], ['cost_in_usd_ticks']]

function at(body: unknown, path: readonly string[]): unknown {
  let value = body
  for (const key of path) value = isRecord(value) ? ownValue(value, key) : undefined
  return value
}

function firstText(body: unknown, paths: readonly (readonly string[])[]): string | undefined {
  for (const path of paths) {
    const value = at(body, path)
    if (typeof value === 'string' && value !== '') return value.slice(0, 60)
  }
  return undefined
}

function reportedCost(body: unknown): string | undefined {
  for (const path of COST_PATHS) {
    const value = at(body, path)
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return plainDecimal(value)
    if (typeof value === 'string' && /^\d{1,12}(\.\d{1,20})?$/.test(value)) return value
  }
  for (const path of TICK_PATHS) {
    const ticks = at(body, path)
    if (typeof ticks === 'number' && Number.isSafeInteger(ticks) && ticks >= 0)
      return plainDecimal(ticks / 1e10)
  }
  return undefined
}

/** Twelve decimals are what costs are kept to. */
function plainDecimal(value: number): string | undefined {
  if (value >= 1e9) return undefined
  return value.toFixed(12).replace(/\.?0+$/, '')
}

const shapeTexts = new Map<string, Shape>()

/** Each shape is read once. There are as many as the catalogue and `shapes.ts` have. */
function shapeOf(text: string): Shape {
  const known = shapeTexts.get(text)
  if (known !== undefined) return known
  const shape = readShape(text)
  shapeTexts.set(text, shape)
  return shape
}

const isFor = (provider: ProviderRef) => (shape: NamedShape) =>
  shape.providers?.includes(provider.id) === true

/** Best first: the provider's own shapes, then those of any provider. */
function guessedShapes(provider: ProviderRef | undefined): Shape[][] {
  const general = SHAPES.filter(({ providers, explicit }) => providers === undefined && explicit !== true)
  if (provider === undefined) return [general.map(({ shape }) => shapeOf(shape))]
  const own = SHAPES.filter(isFor(provider))
  const explicit = EXPLICIT_APIS[provider.id] ?? []
  const listed = [...loadProvider(provider).shapes].filter(
    ([api]) => !explicit.includes(api) && !own.some((shape) => shape.api === api),
  )
  return [
    [...own.map(({ shape }) => shape), ...listed.map(([, shape]) => shape)].map(shapeOf),
    general.map(({ shape }) => shapeOf(shape)),
  ]
}

function namedShapes(provider: ProviderRef | undefined, api: string): Shape[] {
  const wanted = api.toLowerCase()
  const named = SHAPES.filter((shape) => shape.api === wanted)
  const own = provider === undefined ? [] : named.filter(isFor(provider))
  const listed = provider === undefined ? undefined : loadProvider(provider).shapes.get(wanted)
  if (own.length > 0) return own.map(({ shape }) => shapeOf(shape))
  if (listed !== undefined) return [shapeOf(listed)]
  const general = named.filter(({ providers }) => providers === undefined).map(({ shape }) => shapeOf(shape))
  if (general.length > 0 || wanted !== 'default') return general
  return guessedShapes(provider).flat()
}

function unknownApi(provider: ProviderRef | undefined, api: string): string {
  const own = provider === undefined ? [] : [...loadProvider(provider).shapes.keys()]
  const known = [...new Set([...own, ...SHAPES.map((shape) => shape.api)])]
  const similar = nearest(api, known, 3)
  return `no such provider_api: ${shown(api)}; ${similar.length > 0 ? 'nearest' : 'known'}: ${(similar.length > 0 ? similar : known).join(', ')}`
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 60))
}
