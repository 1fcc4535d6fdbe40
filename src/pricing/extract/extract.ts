import { loadProvider, type ProviderRef } from '../catalogue/catalogue.ts'
import { nearest } from '../catalogue/nearest.ts'
import type { UsageUnit } from '../units.ts'
import type { Usage } from '../usage.ts'
import { type BillingContext, billingContext } from './billing-context.ts'
import { countsOfAllCalls, readIterations, sumOf, type UsagePart } from './iterations.ts'
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

/**
 * The usage of a provider's response, without the usage in `tool_usage`. Units with the quantity zero are omitted, so
 * the usage can be empty. In some cases, `output_tokens` is present although it is 0.
 */
export interface Extracted extends BillingContext {
  readonly kind: 'extracted'
  readonly usage: Usage
  /**
   * The calls of a response that lists its calls. `usage` is the sum of their usage, but no call has
   * `output_reasoning_tokens`.
   */
  readonly parts?: readonly UsagePart[]
  /** The usage of other models that the provider's tools called, such as the image model of the image tool. */
  readonly tool_usage?: readonly UsagePart[]
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
 * Reads the usage from a whole response or from its usage part. Tries the shapes of `api`. If `api` is absent, or is
 * `default` and no shape has this name, tries the shapes that `candidatesFor` returns. Uses the shape that explains the
 * most numbers of the body. If several shapes explain equally many numbers, uses the first of them; the provider's own
 * shapes come first. The provider does not determine the shape alone, because gateways respond in the shapes of other
 * providers. If no shape fits, reads the body with `mediaOfBody`. `model` is the name that the caller sent. Never
 * throws.
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
  const tools = toolUsage(reading, { provider, model: name, counted })
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
  const read = [...reading.read, ...(iterations?.read ?? []), ...tools.read, ...tools.parts_read]
  return {
    kind: 'extracted',
    usage,
    ...(iterations && { parts: partsOf(iterations.parts, usage) }),
    ...(tools.parts.length > 0 && { tool_usage: tools.parts }),
    ...(model === undefined ? {} : { model }),
    ...billingContext(body),
    read,
    ...(warnings.length === 0 ? {} : { warnings }),
  }
}

/**
 * Returns the calls of a response. Adds the counts that are reported only for all calls together, for example searches,
 * to the first call of the response's own model. If there is no such call, they are a call of their own. Omits the
 * count of reasoning tokens.
 */
function partsOf(parts: readonly UsagePart[], usage: Usage): readonly UsagePart[] {
  const beside = countsOfAllCalls(parts, usage)
  if (Object.keys(beside).length === 0) return parts
  const first = parts.findIndex((part) => part.model === undefined)
  if (first === -1) return [{ usage: beside }, ...parts]
  return parts.map((part, index) =>
    index === first ? { ...part, usage: { ...part.usage, ...beside } } : part,
  )
}

/** Returns whether a body is only the usage part of a response, not a response that contains a usage part. */
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
 * Converts the attributes of an OpenTelemetry span to an object. They are a list of keys and typed values, in which
 * whole numbers can be text.
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
 * Returns the shape that a text describes. Caches the result. The cache needs no limit, because all texts come from the
 * catalogue and from `shapes.ts`.
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
  /** True if the shape applies only to a usage part that has no other token count. */
  readonly alone: boolean
}

const candidate = ({ shape, alone }: NamedShape): Candidate => ({
  shape: shapeOf(shape),
  alone: alone === true,
})
const listedShape = (text: string): Candidate => ({ shape: shapeOf(text), alone: false })

/**
 * A cache of the candidates by provider id. It has at most one item per provider of the catalogue, and one item for
 * requests without a provider.
 */
const guessed = new Map<string, readonly Candidate[]>()

function guessedShapes(provider: ProviderRef | undefined): readonly Candidate[] {
  const known = guessed.get(provider?.id ?? '')
  if (known !== undefined) return known
  const fresh = candidatesFor(provider)
  guessed.set(provider?.id ?? '', fresh)
  return fresh
}

/**
 * Returns the shapes to try: the provider's own shapes, then the shapes of any provider. Omits the shapes that are used
 * only if the caller names their API. The order matters if several shapes explain equally many numbers: the first of
 * them is used.
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

/**
 * Returns the shapes of an API: those of this file for the provider, or else the one of the catalogue, and then the
 * general ones, which can read more numbers. The catalogue names the chat completions of some providers `default`.
 */
function namedShapes(provider: ProviderRef | undefined, api: string): readonly Candidate[] {
  const wanted = api.toLowerCase()
  const named = SHAPES.filter((shape) => shape.api === wanted)
  const own = provider === undefined ? [] : named.filter(isFor(provider))
  if (own.length > 0) return own.map(candidate)
  const shapes = provider === undefined ? undefined : loadProvider(provider).shapes
  const listed = shapes?.get(wanted) ?? (wanted === 'chat' ? shapes?.get('default') : undefined)
  const general = named.filter(({ providers }) => providers === undefined).map(candidate)
  if (listed !== undefined) return [listedShape(listed), ...general]
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
