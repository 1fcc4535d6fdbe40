import type { UsageUnit } from '../units.ts'
import { isRecord, type Located, ownValue, type ReadQuantity } from './rules.ts'
import { unreadUsage } from './unread.ts'

/** The calls of a provider's tools that a response reports outside its usage part. */
export interface ToolUsage {
  readonly read: readonly ReadQuantity[]
  readonly warnings: readonly string[]
}

/** The maximum number of items of one list that are read. */
const MAX_ITEMS = 10_000

/** Reads the tool calls of a response. `counted` contains the units that the usage part already reports. */
export function toolUsage(
  whole: Located,
  model: string | undefined,
  counted: ReadonlySet<UsageUnit>,
): ToolUsage {
  const calls = callsOf(whole)
  const grounding = groundingOf(whole, model)
  // xAI also counts the calls in its usage part.
  const reported = Object.hasOwn(usagePart(whole) ?? {}, 'server_side_tool_usage_details')
  const read = [...(reported ? [] : calls.read), ...grounding].filter(({ unit, quantity }) => {
    return quantity > 0 && !counted.has(unit)
  })
  return { read, warnings: reported ? [] : calls.warnings }
}

function usagePart(whole: Located): Record<string, unknown> | undefined {
  const usage = ownValue(whole.value, 'usage')
  return isRecord(usage) ? usage : undefined
}

/**
 * Counts the calls in the output items of the Responses API. Opening a found page and searching in it are part of a
 * web search.
 */
function callsOf(whole: Located): ToolUsage {
  const output = listAt(whole.value, 'output')
  if (output === undefined) return { read: [], warnings: [] }
  const path = whole.path === '' ? 'output' : `${whole.path}.output`
  const ofType = (type: string) => output.filter((item) => textAt(item, 'type') === type)
  const searches = ofType('web_search_call').filter((item) => {
    const action = ownValue(item, 'action')
    return !isRecord(action) || textAt(action, 'type') === undefined || textAt(action, 'type') === 'search'
  })
  // A container may exist longer than a response. One response therefore does not determine the container's fee.
  const containers = new Set(
    ofType('code_interpreter_call').map((item) => textAt(item, 'container_id') ?? 'unnamed'),
  )
  const images = ofType('image_generation_call').length
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

function counted(quantity: number, name: string): string {
  return quantity === 1 ? `1 ${name} was used` : `${quantity} ${name}s were used`
}

/**
 * Counts the searches of Gemini's grounding. Since generation 3, every distinct query of a prompt is billed. In
 * earlier generations, a grounded prompt is billed once, with any number of queries
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
    isRecord(value) ? [{ value, path: whole.path === '' ? path : `${whole.path}.${path}` }] : []
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
