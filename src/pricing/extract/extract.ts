import { loadProvider, type ProviderRef } from '../catalogue/catalogue.ts'
import { nearest } from '../catalogue/nearest.ts'
import type { UsageUnit } from '../units.ts'
import type { Usage } from '../usage.ts'
import { type BillingContext, billingContext } from './billing-context.ts'
import { readIterations, sumOf, type UsagePart } from './iterations.ts'
import { mediaOfBody } from './media.ts'
import {
  envelopes,
  isRecord,
  ownValue,
  type Reading,
  type ReadQuantity,
  readBody,
  readShape,
  type Shape,
} from './rules.ts'
import { EXPLICIT_APIS, type NamedShape, SHAPES } from './shapes.ts'
import { correctedSums } from './sums.ts'
import { toolUsage } from './tools.ts'
import { unreadNumbers } from './unread.ts'

/** The usage of a provider's response. Units with the quantity zero are left out, so the usage may be empty. */
export interface Extracted extends BillingContext {
  readonly kind: 'extracted'
  readonly usage: Usage
  /** The calls of a response that reports several; `usage` is the sum of their usage. */
  readonly parts?: readonly UsagePart[]
  readonly model?: string
  /** The quantities that were read, each with its path in the response. */
  readonly read: readonly ReadQuantity[]
  readonly warnings?: readonly string[]
}

export interface ExtractError {
  readonly kind: 'error'
  readonly code: 'unreadable_response'
  /** The request field that caused the error. */
  readonly field: 'provider_response' | 'provider_api'
  readonly message: string
}

/**
 * Reads the usage of a whole response or of its usage part. If `api` is given, it determines how the body is read,
 * and the body must match it. Otherwise, the shape that explains the most numbers of the body is used. If several
 * shapes explain the same count of numbers, the provider's own shape is used. The provider alone is not sufficient,
 * because gateways answer in the shapes of other providers. `model` is the name that the caller sent. Never throws.
 */
export function extractUsage(
  provider: ProviderRef | undefined,
  api: string | undefined,
  sent: unknown,
  model?: string,
): Extracted | ExtractError {
  if (!isRecord(sent)) return unreadable('must be a JSON object')
  const body = withPlainAttributes(sent)
  const shapes = api === undefined ? guessedShapes(provider) : namedShapes(provider, api)
  if (api !== undefined && shapes.length === 0) return unreadable(unknownApi(provider, api), 'provider_api')
  const wholes = envelopes(body)
  let problem: string | undefined
  let best: Reading | undefined
  for (const { shape, alone } of shapes) {
    const reading = readBody(shape, wholes)
    if ('problem' in reading) problem ??= reading.problem
    else if (alone && hasOtherTokens(reading)) problem ??= 'it has other token counts besides the total'
    else if (best === undefined || reading.score > best.score) best = reading
  }
  if (best !== undefined) return extracted(best, body, provider, model)
  const media = mediaOfBody(body)
  if (media !== undefined) return { kind: 'extracted', ...media, ...billingContext(body) }
  return unreadable(
    `the response cannot be read${api === undefined ? '' : ` as ${shown(api)}`}: ${problem ?? 'no usage'}`,
  )
}

function unreadable(message: string, field: ExtractError['field'] = 'provider_response'): ExtractError {
  return { kind: 'error', code: 'unreadable_response', field, message }
}

function extracted(
  reading: Reading,
  body: Record<string, unknown>,
  provider: ProviderRef | undefined,
  named: string | undefined,
): Extracted {
  const { model, root, whole } = reading
  const name = named ?? model
  const isGoogle = provider?.id === 'google' || /gemini/i.test(name ?? '')
  const iterations = readIterations(root, model)
  const corrected = correctedSums(reading, isGoogle)
  const counted = new Set(reading.read.map(({ unit }) => unit))
  const tools = toolUsage(whole, name, counted)
  const usage: { [U in UsageUnit]?: number } = {
    ...corrected.usage,
    ...(iterations && sumOf(iterations.parts)),
  }
  for (const { unit, quantity } of tools.read) usage[unit] = (usage[unit] ?? 0) + quantity
  const seen = iterations === undefined ? reading.seen : new Set([...reading.seen, ...iterations.seen])
  const warnings = [
    ...reading.warnings,
    ...corrected.warnings,
    ...(iterations?.warnings ?? []),
    ...tools.warnings,
    ...(root.value === whole.value && root.path === '' && !isUsagePart(root.value)
      ? []
      : unreadNumbers(root, seen)),
  ]
  const read = [...reading.read, ...(iterations?.read ?? []), ...tools.read]
  return {
    kind: 'extracted',
    usage,
    ...(iterations && { parts: partsOf(iterations.parts, usage) }),
    ...(model === undefined ? {} : { model }),
    ...billingContext(body),
    read,
    ...(warnings.length === 0 ? {} : { warnings }),
  }
}

/**
 * Returns the calls of a response. The first call of the response's own model also has the counts for all calls
 * together, for example searches.
 */
function partsOf(parts: readonly UsagePart[], usage: Usage): UsagePart[] {
  const sum = sumOf(parts)
  const rest = Object.fromEntries(Object.entries(usage).filter(([unit]) => !Object.hasOwn(sum, unit)))
  const first = parts.findIndex((part) => part.model === undefined)
  const { output_reasoning_tokens: _inside, ...beside } = rest
  return parts.map((part, index) =>
    index === Math.max(first, 0) ? { ...part, usage: { ...part.usage, ...beside } } : part,
  )
}

/**
 * Returns whether a body without an envelope is the usage part of a response, and not a response that contains a
 * usage part.
 */
function isUsagePart(body: Record<string, unknown>): boolean {
  const inside = [
    'usage',
    'usageMetadata',
    'usage_metadata',
    'choices',
    'output',
    'content',
    'candidates',
    'segments',
  ]
  return !inside.some((key) => Object.hasOwn(body, key))
}

function hasOtherTokens({ root }: Reading): boolean {
  return Object.keys(root.value).filter((key) => /token/i.test(key)).length > 1
}

/**
 * Converts OpenTelemetry's attributes to an object. They are a list of keys and typed values, with whole numbers as
 * text.
 */
function withPlainAttributes(body: Record<string, unknown>): Record<string, unknown> {
  const list = ownValue(body, 'attributes')
  if (!Array.isArray(list)) return body
  const attributes: Record<string, unknown> = {}
  for (const item of list.slice(0, MAX_ATTRIBUTES)) {
    const key = isRecord(item) ? ownValue(item, 'key') : undefined
    const value = isRecord(item) ? ownValue(item, 'value') : undefined
    if (typeof key !== 'string' || key === '__proto__' || !isRecord(value)) continue
    const whole = ownValue(value, 'intValue')
    const number = typeof whole === 'string' && /^\d{1,15}$/.test(whole) ? Number(whole) : whole
    attributes[key] = number ?? ownValue(value, 'doubleValue') ?? ownValue(value, 'stringValue')
  }
  return { ...body, attributes }
}

const MAX_ATTRIBUTES = 1000

const shapeTexts = new Map<string, Shape>()

/**
 * Returns the shape of a text. The result is cached. The cache is limited, because only the catalogue and `shapes.ts`
 * contain shapes.
 */
function shapeOf(text: string): Shape {
  const known = shapeTexts.get(text)
  if (known !== undefined) return known
  const shape = readShape(text)
  shapeTexts.set(text, shape)
  return shape
}

const isFor = (provider: ProviderRef) => (shape: NamedShape) =>
  shape.providers?.includes(provider.id) === true

interface Candidate {
  readonly shape: Shape
  /** True if the shape applies only to a usage part without other token counts. */
  readonly alone: boolean
}

const candidate = ({ shape, alone }: NamedShape): Candidate => ({
  shape: shapeOf(shape),
  alone: alone === true,
})
const listedShape = (text: string): Candidate => ({ shape: shapeOf(text), alone: false })

/** A cache of the candidates by provider. The number of providers in the catalogue limits the cache. */
const guessed = new Map<string, readonly Candidate[]>()

function guessedShapes(provider: ProviderRef | undefined): readonly Candidate[] {
  const known = guessed.get(provider?.id ?? '')
  if (known !== undefined) return known
  const fresh = candidatesFor(provider)
  guessed.set(provider?.id ?? '', fresh)
  return fresh
}

/**
 * Returns the provider's own shapes, then the shapes of any provider. If several shapes explain the same count of
 * numbers, the first is used.
 */
function candidatesFor(provider: ProviderRef | undefined): readonly Candidate[] {
  const general = SHAPES.filter(({ providers, explicit }) => providers === undefined && explicit !== true)
  if (provider === undefined) return general.map(candidate)
  const own = SHAPES.filter(isFor(provider))
  const explicit = EXPLICIT_APIS[provider.id] ?? []
  const listed = [...loadProvider(provider).shapes].filter(
    ([api]) => !explicit.includes(api) && !own.some((shape) => shape.api === api),
  )
  return [...own.map(candidate), ...listed.map(([, shape]) => listedShape(shape)), ...general.map(candidate)]
}

function namedShapes(provider: ProviderRef | undefined, api: string): readonly Candidate[] {
  const wanted = api.toLowerCase()
  const named = SHAPES.filter((shape) => shape.api === wanted)
  const own = provider === undefined ? [] : named.filter(isFor(provider))
  const listed = provider === undefined ? undefined : loadProvider(provider).shapes.get(wanted)
  if (own.length > 0) return own.map(candidate)
  if (listed !== undefined) return [listedShape(listed)]
  const general = named.filter(({ providers }) => providers === undefined).map(candidate)
  if (general.length > 0 || wanted !== 'default') return general
  return guessedShapes(provider)
}

function unknownApi(provider: ProviderRef | undefined, api: string): string {
  const own = provider === undefined ? [] : [...loadProvider(provider).shapes.keys()]
  const known = [...new Set([...own, ...SHAPES.map((shape) => shape.api)])]
  const similar = nearest(api, known, 3)
  return `unknown provider_api: ${shown(api)}; ${similar.length > 0 ? 'nearest' : 'known'}: ${(similar.length > 0 ? similar : known).join(', ')}`
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 60))
}
