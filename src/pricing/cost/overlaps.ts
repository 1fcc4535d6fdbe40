import { overlap, partitions, type UsageUnit } from '../units.ts'
import type { Usage } from '../usage.ts'

/**
 * Estimates how many tokens have both a modality and a kind, for example how many audio tokens are cache reads. Many
 * responses report only the count of each modality and the count of each kind. Keeps reported overlaps. Assigns the
 * other tokens of a kind to tokens without a reported modality first, then to text, images, audio and video, up to the
 * count of each, because most cached and tool tokens are text. Does not change totals.
 */
export function splitOverlaps(usage: Usage): Usage {
  let split: { [U in UsageUnit]?: number } | undefined
  for (const { total, rows, kinds } of GRIDS) {
    const known = split ?? usage
    if (!rows.some(({ modality }) => (known[modality] ?? 0) > 0)) continue
    if (!kinds.some((kind) => (known[kind] ?? 0) > 0)) continue
    split ??= { ...usage }
    fill(split, total, rows, kinds)
  }
  return split ?? usage
}

interface Row {
  readonly modality: UsageUnit
  /** The unit for tokens that have both this modality and a kind, by kind. */
  readonly both: ReadonlyMap<UsageUnit, UsageUnit>
}

function fill(
  usage: { [U in UsageUnit]?: number },
  total: UsageUnit,
  rows: readonly Row[],
  kinds: readonly UsageUnit[],
): void {
  const of = (unit: UsageUnit) => usage[unit] ?? 0
  let unnamed = of(total) - rows.reduce((sum, { modality }) => sum + of(modality), 0)
  const room = rows.map(
    (row) => of(row.modality) - kinds.reduce((sum, kind) => sum + of(row.both.get(kind) ?? kind), 0),
  )
  for (const kind of kinds) {
    let open = of(kind) - rows.reduce((sum, row) => sum + of(row.both.get(kind) ?? kind), 0)
    const taken = Math.max(0, Math.min(open, unnamed))
    unnamed -= taken
    open -= taken
    rows.forEach((row, index) => {
      const share = Math.max(0, Math.min(open, room[index] ?? 0))
      const unit = row.both.get(kind)
      if (share === 0 || unit === undefined) return
      usage[unit] = of(unit) + share
      room[index] = (room[index] ?? 0) - share
      open -= share
    })
  }
}

const ORDER = ['text', 'image', 'audio', 'video']

/**
 * The totals that can be split both by modality and by kind. For cache writes, the kinds are the times to live. Input
 * tokens are split before cache writes, because their split determines the modalities of cache writes.
 */
const GRIDS = (['input_tokens', 'cache_write_tokens', 'output_tokens'] as const).map((total) => {
  const [modalities = [], kinds = []] = partitions(total)
  const rows = modalities
    .map((modality) => ({
      modality,
      both: new Map(kinds.flatMap((kind) => pair(kind, overlap(modality, kind)))),
    }))
    .sort((a, b) => position(a.modality) - position(b.modality))
  return { total, rows, kinds }
})

function pair(kind: UsageUnit, both: UsageUnit | undefined): [UsageUnit, UsageUnit][] {
  return both === undefined ? [] : [[kind, both]]
}

function position(modality: UsageUnit): number {
  return ORDER.findIndex((name) => modality.includes(`_${name}_`))
}
