import type { ProviderRef } from '../catalogue/catalogue.ts'
import type { UsageUnit } from '../units.ts'
import { MAX_QUANTITY } from '../usage.ts'
import type { UsagePart } from './iterations.ts'
import {
  isRecord,
  type Located,
  ownValue,
  type Reading,
  type ReadQuantity,
  readBody,
  readShape,
} from './rules.ts'
import { IMAGE_TOOL } from './shapes.ts'
import { unreadNumbers, unreadUsage } from './unread.ts'

/** The calls of a provider's own tools, such as web search, that a response reports outside its usage part. */
export interface ToolUsage {
  /** The quantities that belong to the response's own model. */
  readonly read: readonly ReadQuantity[]
  /** The usage of other models that tools called, and its quantities. */
  readonly parts: readonly UsagePart[]
  readonly parts_read: readonly ReadQuantity[]
  readonly warnings: readonly string[]
}

interface ToolContext {
  readonly provider: ProviderRef | undefined
  /** The name that the caller sent, or the name in the response. */
  readonly model: string | undefined
  /** The units that the usage part already reports. */
  readonly counted: ReadonlySet<UsageUnit>
}

/** The maximum number of items of one list that are read. */
const MAX_ITEMS = 10_000

/** Reads the tool calls of a response. */
export function toolUsage({ whole }: Reading, { provider, model, counted }: ToolContext): ToolUsage {
  const image = imageTool(whole)
  const calls = callsOf(whole, image.parts.length > 0)
  const grounding = groundingOf(whole, model)
  const always = isCompletion(whole) && searchesAlways(provider, model)
  // xAI reports the calls both in the output items and in the usage part. They must be counted only once.
  const reported = Object.hasOwn(usagePart(whole) ?? {}, 'server_side_tool_usage_details')
  const found: readonly ReadQuantity[] = [
    ...(reported ? [] : calls.read),
    ...grounding,
    ...(always ? [{ unit: 'web_searches', path: 'model', quantity: 1 } as const] : []),
  ]
  return {
    read: found.filter(({ unit, quantity }) => quantity > 0 && !counted.has(unit)),
    parts: image.parts,
    parts_read: image.read,
    warnings: [...(reported ? [] : calls.warnings), ...image.warnings],
  }
}

/**
 * Returns whether a model searches the web for every chat completion. OpenAI's search models do, and have a fee for
 * each completion (platform.openai.com/docs/guides/tools-web-search?api-mode=chat).
 */
export function searchesAlways(
  provider: { readonly id: string } | undefined,
  model: string | undefined,
): boolean {
  const sells = provider?.id === 'openai' || provider?.id === 'azure'
  return sells && /^gpt-[\w.-]+-search-(?:preview|api)(?:-|$)/.test(model?.toLowerCase() ?? '')
}

/** Returns whether a response is a chat completion. A usage part alone does not show this. */
function isCompletion({ value }: Located): boolean {
  return Array.isArray(ownValue(value, 'choices')) || /^chat\.completion/.test(textAt(value, 'object') ?? '')
}

const IMAGE_SHAPE = readShape(IMAGE_TOOL)

/** The model of the image tool of the Responses API, if neither the request nor the response names another model. */
export const DEFAULT_IMAGE_MODEL = 'gpt-image-1'

/** The names that are accepted as the name of an image model. Warnings contain the name. */
const MODEL_NAME = /^[\w.:@/-]{1,100}$/

/**
 * Reads the usage of the tools of the Responses API, which the usage part does not include. The tokens of the image
 * tool have the prices of an image model.
 */
function imageTool(whole: Located): {
  readonly parts: readonly UsagePart[]
  readonly read: readonly ReadQuantity[]
  readonly warnings: readonly string[]
} {
  const reported = ownValue(whole.value, 'tool_usage')
  if (!isRecord(reported)) return { parts: [], read: [], warnings: [] }
  const path = pathIn(whole, 'tool_usage')
  const reading = readBody(IMAGE_SHAPE, [whole])
  const { usage, read, seen, model = '' } = 'problem' in reading ? NOTHING_READ : reading
  // `callsOf` counts the web searches in the output.
  const known = new Set([...seen, `${path}.web_search.num_requests`])
  const named = MODEL_NAME.test(model) ? model : DEFAULT_IMAGE_MODEL
  return {
    parts: read.length > 0 ? [{ model: named, usage }] : [],
    read,
    warnings: unreadNumbers({ value: reported, path }, known),
  }
}

const NOTHING_READ = { usage: {}, read: [], seen: new Set<string>(), model: undefined }

function pathIn({ path }: Located, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

function usagePart(whole: Located): Record<string, unknown> | undefined {
  const usage = ownValue(whole.value, 'usage')
  return isRecord(usage) ? usage : undefined
}

/**
 * Counts the tool calls in the output items of the Responses API. Opening a found page and searching in the page are
 * not counted, because they are part of the web search. If the output is missing, counts the web searches in
 * `tool_usage`. `images_read` is true if the usage of the image tool was read.
 */
function callsOf(whole: Located, images_read: boolean): Pick<ToolUsage, 'read' | 'warnings'> {
  const output = listAt(whole.value, 'output')
  if (output === undefined) return { read: requestsOf(whole), warnings: [] }
  const path = pathIn(whole, 'output')
  const ofType = (type: string) => output.filter((item) => textAt(item, 'type') === type)
  const searches = ofType('web_search_call').filter((item) => {
    const action = ownValue(item, 'action')
    return !isRecord(action) || textAt(action, 'type') === undefined || textAt(action, 'type') === 'search'
  })
  // A container can exist longer than a response. The fee of a container therefore cannot be computed from one
  // response.
  const containers = new Set(
    ofType('code_interpreter_call').map((item) => textAt(item, 'container_id') ?? 'unnamed'),
  )
  const images = images_read ? 0 : ofType('image_generation_call').length
  return {
    read: [
      { unit: 'web_searches', path: `${path}[web_search_call]`, quantity: searches.length },
      {
        unit: 'storage_searches',
        path: `${path}[file_search_call]`,
        quantity: ofType('file_search_call').length,
      },
    ],
    warnings: [
      ...(containers.size > 0
        ? [unreadUsage(`${counted(containers.size, 'code interpreter session')}`)]
        : []),
      ...(images > 0 ? [unreadUsage(`${counted(images, 'generated image')}`)] : []),
    ],
  }
}

function requestsOf(whole: Located): ReadQuantity[] {
  const tools = ownValue(whole.value, 'tool_usage')
  const search = isRecord(tools) ? ownValue(tools, 'web_search') : undefined
  const quantity = isRecord(search) ? ownValue(search, 'num_requests') : undefined
  if (typeof quantity !== 'number' || !Number.isInteger(quantity) || quantity > MAX_QUANTITY) return []
  return [{ unit: 'web_searches', path: pathIn(whole, 'tool_usage.web_search.num_requests'), quantity }]
}

function counted(quantity: number, name: string): string {
  return quantity === 1 ? `1 ${name} was used` : `${quantity} ${name}s were used`
}

/**
 * Counts the searches of Gemini's grounding. From generation 3 on, Google bills every distinct query of a prompt. For
 * earlier generations, Google bills a prompt with grounding once, regardless of the number of queries
 * (ai.google.dev/gemini-api/docs/pricing).
 */
function groundingOf(whole: Located, model: string | undefined): ReadQuantity[] {
  const found = groundingMetadata(whole)
  if (found.length === 0) return []
  const queries = new Set<string>()
  let web = false
  let maps = false
  for (const { value } of found) {
    for (const query of textsAt(value, 'webSearchQueries', 'web_search_queries')) queries.add(query)
    const chunks = listAt(value, 'groundingChunks') ?? listAt(value, 'grounding_chunks') ?? []
    if (chunks.some((chunk) => Object.hasOwn(chunk, 'maps'))) maps = true
    if (chunks.some((chunk) => Object.hasOwn(chunk, 'web'))) web = true
    if (isRecord(ownValue(value, 'searchEntryPoint')) || isRecord(ownValue(value, 'search_entry_point')))
      web = true
    if (textAt(value, 'googleMapsWidgetContextToken') !== undefined) maps = true
  }
  if (queries.size > 0 && !maps) web = true
  const perPrompt = /gemini-[12]([.-]|$)/.test(model?.toLowerCase() ?? '')
  const path = `${found[0]?.path ?? ''}.webSearchQueries`
  const searches = perPrompt ? 1 : Math.max(queries.size, 1)
  return [
    ...(web ? [{ unit: 'web_searches', path, quantity: searches } as const] : []),
    ...(maps ? [{ unit: 'map_searches', path, quantity: web ? 1 : searches } as const] : []),
  ]
}

function groundingMetadata(whole: Located): Located[] {
  const located = (value: unknown, path: string): Located[] =>
    isRecord(value) ? [{ value, path: pathIn(whole, path) }] : []
  const candidates = (listAt(whole.value, 'candidates') ?? []).flatMap((candidate, index) => [
    ...located(ownValue(candidate, 'groundingMetadata'), `candidates[${index}].groundingMetadata`),
    ...located(ownValue(candidate, 'grounding_metadata'), `candidates[${index}].grounding_metadata`),
  ])
  const live = ownValue(whole.value, 'serverContent')
  const metadata = ownValue(whole.value, 'providerMetadata')
  const google = isRecord(metadata)
    ? (ownValue(metadata, 'google') ?? ownValue(metadata, 'vertex'))
    : undefined
  return [
    ...candidates,
    ...(isRecord(live)
      ? located(ownValue(live, 'groundingMetadata'), 'serverContent.groundingMetadata')
      : []),
    ...(isRecord(google)
      ? located(ownValue(google, 'groundingMetadata'), 'providerMetadata.google.groundingMetadata')
      : []),
  ]
}

function listAt(record: Record<string, unknown>, key: string): Record<string, unknown>[] | undefined {
  const list = ownValue(record, key)
  return Array.isArray(list) ? list.slice(0, MAX_ITEMS).filter(isRecord) : undefined
}

function textsAt(record: Record<string, unknown>, ...keys: readonly string[]): string[] {
  return keys.flatMap((key) => {
    const list = ownValue(record, key)
    const items: unknown[] = Array.isArray(list) ? list.slice(0, MAX_ITEMS) : []
    return items.filter((item): item is string => typeof item === 'string' && item.trim() !== '')
  })
}

function textAt(record: Record<string, unknown>, key: string): string | undefined {
  const value = ownValue(record, key)
  return typeof value === 'string' ? value : undefined
}
