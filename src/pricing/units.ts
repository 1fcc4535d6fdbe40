/**
 * The facets of a unit. This file defines all units that providers bill, and computes which units contain which other
 * units.
 *
 * The facets are a direction, a modality, a kind (cache read, tool, reasoning …) and a time to live. A unit contains
 * every unit of its family that has the same facets and at least one more facet. `input_tokens` contains
 * `input_audio_tokens`. `cache_audio_read_tokens` is part of both `input_audio_tokens` and `cache_read_tokens`. The
 * containing units, the overlaps and the coverage of a price are all computed from the table `USAGE_UNITS`.
 */

export interface Facets {
  readonly direction?: 'input' | 'output'
  readonly modality?: 'text' | 'audio' | 'image' | 'video'
  readonly kind?: 'cache_read' | 'cache_write' | 'tool' | 'reasoning' | 'citation' | 'annotated'
  readonly ttl?: '5m' | '1h'
}

export interface Unit {
  readonly family: string
  /** The quantity to which prices in price lists refer: a million tokens, an hour of audio, one image. */
  readonly per: number
  /** True if quantities can have decimals. Only seconds can have decimals, down to a nanosecond. */
  readonly decimals: boolean
  readonly facets: Facets
}

const tokens = (facets: Facets) => ({ family: 'tokens', per: 1_000_000, decimals: false, facets }) as const
const counted = (family: string, per: number, facets: Facets = {}) =>
  ({ family, per, decimals: false, facets }) as const
const timed = (family: string, per: number, facets: Facets = {}) =>
  ({ family, per, decimals: true, facets }) as const

const input = 'input'
const output = 'output'

/** All canonical units. They include all units that the sources of the catalogue use. */
export const USAGE_UNITS = {
  input_tokens: tokens({ direction: input }),
  input_text_tokens: tokens({ direction: input, modality: 'text' }),
  input_audio_tokens: tokens({ direction: input, modality: 'audio' }),
  input_image_tokens: tokens({ direction: input, modality: 'image' }),
  input_video_tokens: tokens({ direction: input, modality: 'video' }),
  input_tool_tokens: tokens({ direction: input, kind: 'tool' }),
  input_text_tool_tokens: tokens({ direction: input, modality: 'text', kind: 'tool' }),
  input_audio_tool_tokens: tokens({ direction: input, modality: 'audio', kind: 'tool' }),
  input_image_tool_tokens: tokens({ direction: input, modality: 'image', kind: 'tool' }),
  input_video_tool_tokens: tokens({ direction: input, modality: 'video', kind: 'tool' }),
  cache_read_tokens: tokens({ direction: input, kind: 'cache_read' }),
  cache_text_read_tokens: tokens({ direction: input, modality: 'text', kind: 'cache_read' }),
  cache_audio_read_tokens: tokens({ direction: input, modality: 'audio', kind: 'cache_read' }),
  cache_image_read_tokens: tokens({ direction: input, modality: 'image', kind: 'cache_read' }),
  cache_video_read_tokens: tokens({ direction: input, modality: 'video', kind: 'cache_read' }),
  cache_write_tokens: tokens({ direction: input, kind: 'cache_write' }),
  cache_text_write_tokens: tokens({ direction: input, modality: 'text', kind: 'cache_write' }),
  cache_audio_write_tokens: tokens({ direction: input, modality: 'audio', kind: 'cache_write' }),
  cache_image_write_tokens: tokens({ direction: input, modality: 'image', kind: 'cache_write' }),
  cache_video_write_tokens: tokens({ direction: input, modality: 'video', kind: 'cache_write' }),
  cache_write_5m_tokens: tokens({ direction: input, kind: 'cache_write', ttl: '5m' }),
  cache_write_1h_tokens: tokens({ direction: input, kind: 'cache_write', ttl: '1h' }),
  cache_text_write_5m_tokens: tokens({ direction: input, modality: 'text', kind: 'cache_write', ttl: '5m' }),
  cache_text_write_1h_tokens: tokens({ direction: input, modality: 'text', kind: 'cache_write', ttl: '1h' }),
  cache_audio_write_5m_tokens: tokens({
    direction: input,
    modality: 'audio',
    kind: 'cache_write',
    ttl: '5m',
  }),
  cache_audio_write_1h_tokens: tokens({
    direction: input,
    modality: 'audio',
    kind: 'cache_write',
    ttl: '1h',
  }),
  cache_image_write_5m_tokens: tokens({
    direction: input,
    modality: 'image',
    kind: 'cache_write',
    ttl: '5m',
  }),
  cache_image_write_1h_tokens: tokens({
    direction: input,
    modality: 'image',
    kind: 'cache_write',
    ttl: '1h',
  }),
  cache_video_write_5m_tokens: tokens({
    direction: input,
    modality: 'video',
    kind: 'cache_write',
    ttl: '5m',
  }),
  cache_video_write_1h_tokens: tokens({
    direction: input,
    modality: 'video',
    kind: 'cache_write',
    ttl: '1h',
  }),

  output_tokens: tokens({ direction: output }),
  output_text_tokens: tokens({ direction: output, modality: 'text' }),
  output_audio_tokens: tokens({ direction: output, modality: 'audio' }),
  output_image_tokens: tokens({ direction: output, modality: 'image' }),
  output_video_tokens: tokens({ direction: output, modality: 'video' }),
  output_reasoning_tokens: tokens({ direction: output, kind: 'reasoning' }),
  output_text_reasoning_tokens: tokens({ direction: output, modality: 'text', kind: 'reasoning' }),
  output_audio_reasoning_tokens: tokens({ direction: output, modality: 'audio', kind: 'reasoning' }),
  output_image_reasoning_tokens: tokens({ direction: output, modality: 'image', kind: 'reasoning' }),
  output_video_reasoning_tokens: tokens({ direction: output, modality: 'video', kind: 'reasoning' }),
  output_citation_tokens: tokens({ direction: output, kind: 'citation' }),
  output_text_citation_tokens: tokens({ direction: output, modality: 'text', kind: 'citation' }),
  output_audio_citation_tokens: tokens({ direction: output, modality: 'audio', kind: 'citation' }),
  output_image_citation_tokens: tokens({ direction: output, modality: 'image', kind: 'citation' }),
  output_video_citation_tokens: tokens({ direction: output, modality: 'video', kind: 'citation' }),

  input_images: counted('input_images', 1),
  output_images: counted('output_images', 1),
  video_seconds: timed('video_durations', 1),
  audio_seconds: timed('audio_durations', 3600),
  input_audio_seconds: timed('audio_durations', 3600, { direction: input }),
  output_audio_seconds: timed('audio_durations', 3600, { direction: output }),
  input_characters: counted('characters', 1_000_000),
  input_document_pages: counted('document_pages', 1000),
  input_annotated_document_pages: counted('document_pages', 1000, { kind: 'annotated' }),
  input_pixels: counted('pixels', 1_000_000_000),
  input_text_messages: counted('messages', 1000),
  requests: counted('requests', 1000),
  web_searches: counted('web_searches', 1000),
  map_searches: counted('map_searches', 1000),
  storage_searches: counted('storage_searches', 1000),
  social_searches: counted('social_searches', 1000),
  rerank_searches: counted('rerank_searches', 1000),
  code_executions: counted('code_executions', 1000),
} as const satisfies Record<string, Unit>

export type UsageUnit = keyof typeof USAGE_UNITS

const FACETS = ['direction', 'modality', 'kind', 'ttl'] as const

function facetsOf(unit: UsageUnit): Facets {
  return USAGE_UNITS[unit].facets
}

const names: readonly string[] = Object.keys(USAGE_UNITS)

export function isUsageUnit(name: string): name is UsageUnit {
  return Object.hasOwn(USAGE_UNITS, name)
}

const positions: ReadonlyMap<string, number> = new Map(names.map((unit, index) => [unit, index]))

/** Returns the position of a unit in `USAGE_UNITS`; undefined if the name is not a canonical unit. */
export function unitPosition(name: string): number | undefined {
  return positions.get(name)
}

/** The names of all units. A unit comes before the units that it contains. */
export const UNIT_NAMES: readonly UsageUnit[] = names
  .filter(isUsageUnit)
  .sort((a, b) => specificity(a) - specificity(b))

/** Returns the number of facets of a unit. A unit always has more facets than the units that contain it. */
export function specificity(unit: UsageUnit): number {
  return Object.keys(facetsOf(unit)).length
}

/** Returns whether the unit `outer` contains the unit `inner`. A unit does not contain itself. */
export function contains(outer: UsageUnit, inner: UsageUnit): boolean {
  if (outer === inner || USAGE_UNITS[outer].family !== USAGE_UNITS[inner].family) return false
  const wide = facetsOf(outer)
  const narrow = facetsOf(inner)
  for (const facet of FACETS) if (wide[facet] !== undefined && wide[facet] !== narrow[facet]) return false
  return true
}

/**
 * Returns the widest unit that is part of both `a` and `b`; undefined if there is no such unit, if one contains the
 * other, or if `a` and `b` are the same unit.
 */
export function overlap(a: UsageUnit, b: UsageUnit): UsageUnit | undefined {
  if (a === b || contains(a, b) || contains(b, a)) return undefined
  const both = byFacets.get(facetKey(USAGE_UNITS[a].family, { ...facetsOf(b), ...facetsOf(a) }))
  return both !== undefined && contains(a, both) && contains(b, both) ? both : undefined
}

/** The units by their family and facets. No two units of a family have the same facets. */
const byFacets = new Map(UNIT_NAMES.map((unit) => [facetKey(USAGE_UNITS[unit].family, facetsOf(unit)), unit]))

function facetKey(family: string, facets: Facets): string {
  return [family, ...FACETS.map((facet) => facets[facet])].join(' ')
}

const containers = new Map(
  UNIT_NAMES.map((unit) => [unit, UNIT_NAMES.filter((other) => contains(other, unit))]),
)

/** Returns the units that contain `unit`, the widest first. */
export function ancestors(unit: UsageUnit): readonly UsageUnit[] {
  return containers.get(unit) ?? []
}

const childGroups = new Map<UsageUnit, UsageUnit[][]>()
for (const facet of FACETS) {
  for (const parent of UNIT_NAMES) {
    if (facetsOf(parent)[facet] !== undefined) continue
    const children = UNIT_NAMES.filter(
      (unit) =>
        facetsOf(unit)[facet] !== undefined &&
        specificity(unit) === specificity(parent) + 1 &&
        contains(parent, unit),
    )
    if (children.length > 0) childGroups.set(parent, [...(childGroups.get(parent) ?? []), children])
  }
}

/**
 * Returns the partitions of a unit: for each facet that the unit does not have, the group of units with this one
 * additional facet. Units of one group exclude each other, so their sum cannot exceed the unit. Units of different
 * groups can overlap.
 */
export function partitions(unit: UsageUnit): readonly (readonly UsageUnit[])[] {
  return childGroups.get(unit) ?? []
}
