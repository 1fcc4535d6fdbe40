import type { Rational, UnitPrices } from '../../src/pricing/catalogue/notation.ts'
import { fields } from '../../src/pricing/catalogue/notation.ts'
import { readPeriods } from '../../src/pricing/catalogue/period.ts'
import { formatDecimal } from '../../src/pricing/money.ts'
import { USAGE_UNITS, type UsageUnit } from '../../src/pricing/units.ts'

/**
 * The reference mix: a million input tokens, half of them read from a cache, and a quarter of a million output
 * tokens.
 */
const MIX: readonly (readonly [unit: UsageUnit, otherwise: UsageUnit | undefined, quantity: number])[] = [
  ['input_tokens', undefined, 500_000],
  ['cache_read_tokens', 'input_tokens', 500_000],
  ['output_tokens', undefined, 250_000],
]

export interface Changes {
  readonly added: readonly string[]
  readonly gone: readonly string[]
  readonly dearer: readonly Moved[]
  readonly cheaper: readonly Moved[]
  /** The models whose prices have changed, but not their cost of the reference mix, or that have no such cost. */
  readonly others: readonly string[]
}

interface Moved {
  readonly model: string
  readonly before: bigint
  readonly after: bigint
}

/**
 * Compares the committed catalogue with a newly built one. Compares the cost of the reference mix at the prices that
 * apply at `at_ms`.
 */
export function changesBetween(committed: string, built: string, at_ms: number): Changes {
  const before = linesOf(committed)
  const after = linesOf(built)
  const dearer: Moved[] = []
  const cheaper: Moved[] = []
  const others: string[] = []
  for (const [model, list] of after) {
    const earlier = before.get(model)
    if (earlier === undefined || earlier === list) continue
    const [was, is] = [mixOf(earlier, at_ms), mixOf(list, at_ms)]
    if (was === undefined || is === undefined || was === is) others.push(model)
    else if (is > was) dearer.push({ model, before: was, after: is })
    else cheaper.push({ model, before: was, after: is })
  }
  const byEffect = (a: Moved, b: Moved) => (ratio(a) === ratio(b) ? 0 : ratio(a) < ratio(b) ? 1 : -1)
  return {
    added: [...after.keys()].filter((model) => !before.has(model)),
    gone: [...before.keys()].filter((model) => !after.has(model)),
    dearer: dearer.sort(byEffect),
    cheaper: cheaper.sort(byEffect),
    others,
  }
}

/** Returns the changes as Markdown, for the terminal and for a pull request. */
export function describeChanges({ added, gone, dearer, cheaper, others }: Changes): string {
  const all = added.length + gone.length + dearer.length + cheaper.length + others.length
  if (all === 0) return 'No price has changed.\n'
  return [
    '# Changes of the catalogue',
    '',
    'Cost in USD of the reference mix: 1,000,000 input tokens, half of them read from a cache, and 250,000 output tokens.',
    movedTable('Dearer', dearer),
    movedTable('Cheaper', cheaper),
    names('New', added),
    names('Gone', gone),
    names('Changed without an effect on the reference mix', others),
    '',
  ].join('\n')
}

function linesOf(catalogue: string): Map<string, string> {
  const { providers }: { providers: readonly { readonly id: string; readonly models: readonly string[] }[] } =
    JSON.parse(catalogue)
  return new Map(
    providers.flatMap(({ id, models }) =>
      models.map((line) => {
        const [model = '', , , list = ''] = fields(line)
        return [`${id}/${model}`, list] as const
      }),
    ),
  )
}

const MICRO_DECIMALS = 6

/** Returns the cost of the reference mix in micro-USD; undefined for a model that is not priced by token. */
function mixOf(list: string, at_ms: number): bigint | undefined {
  const { prices } = readPeriods(list)(at_ms)
  let micro = 0n
  for (const [unit, otherwise, quantity] of MIX) {
    const price = priceOf(prices, unit) ?? (otherwise && priceOf(prices, otherwise))
    if (price === undefined) return undefined
    const scaled = price.numerator * BigInt(quantity) * 10n ** BigInt(MICRO_DECIMALS)
    micro += scaled / (price.denominator * BigInt(USAGE_UNITS[unit].per))
  }
  return micro
}

function priceOf(prices: UnitPrices, unit: UsageUnit): Rational | undefined {
  return prices.get(unit)?.base
}

/**
 * Returns the size of the change in percent of the earlier cost, without a sign; 1,000,000 if the earlier cost is zero.
 */
function ratio({ before, after }: Moved): bigint {
  return before === 0n ? 1_000_000n : ((after > before ? after - before : before - after) * 100n) / before
}

function movedTable(title: string, moved: readonly Moved[]): string {
  if (moved.length === 0) return ''
  const rows = moved.map((one) => {
    const [before, after] = [one.before, one.after].map((micro) => formatDecimal(micro, MICRO_DECIMALS))
    return `| ${one.model} | ${before} | ${after} | ${one.after > one.before ? '+' : '-'}${ratio(one)} % |`
  })
  return [
    '',
    `## ${title}: ${moved.length}`,
    '',
    '| model | before | after | |',
    '| --- | ---: | ---: | ---: |',
    ...rows,
  ].join('\n')
}

function names(title: string, models: readonly string[]): string {
  return models.length === 0 ? '' : `\n## ${title}: ${models.length}\n\n${models.join(', ')}`
}
