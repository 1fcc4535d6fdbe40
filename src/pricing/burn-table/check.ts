import { findProvider, nearestProviders } from '../catalogue/catalogue.ts'
import { ambiguityTexts, compileMatch, DIMENSIONS, patternProblem } from './choice.ts'
import {
  type BurnRule,
  type BurnTableDefinition,
  QUANTITY_DECIMALS,
  type RuleMatch,
  readDecimal,
  type Tiered,
} from './definition.ts'
import { unitProblem } from './units.ts'

/** An error in the definition of a burn table. `path` is a JSON Pointer to the invalid value. */
export interface DefinitionProblem {
  readonly path: string
  readonly message: string
}

export type DefinitionCheck =
  | { readonly kind: 'sound' }
  | { readonly kind: 'invalid'; readonly problems: readonly DefinitionProblem[] }
  | { readonly kind: 'ambiguous'; readonly detail: string }

/**
 * Finds the errors that the schema of a definition does not find: invalid conditions, units and tiers of rules, and
 * ambiguous rules.
 */
export function checkBurnTable({ rules }: BurnTableDefinition): DefinitionCheck {
  const problems = rules.flatMap((rule, index) =>
    ruleProblems(rule).map(({ path, message }) => ({ path: `/rules/${index}${path}`, message })),
  )
  if (problems.length > 0) return { kind: 'invalid', problems }
  const pairs = ambiguousPairs(rules)
  return pairs.length === 0 ? { kind: 'sound' } : { kind: 'ambiguous', detail: describe(pairs, rules) }
}

function ruleProblems(rule: BurnRule): DefinitionProblem[] {
  return [...matchProblems(rule.match), ...methodProblems(rule)]
}

function matchProblems(match: RuleMatch): DefinitionProblem[] {
  return DIMENSIONS.flatMap((dimension) => {
    const written = match[dimension]
    if (written === undefined) return []
    const message =
      patternProblem(written) ?? (dimension === 'provider' ? providerProblem(written) : undefined)
    return message === undefined ? [] : [{ path: `/match/${dimension}`, message }]
  })
}

/**
 * Returns an error if the provider in a condition is unknown; otherwise undefined. No event can name an unknown
 * provider, so the rule would never match.
 */
function providerProblem(written: string): string | undefined {
  if (written.endsWith('*') || findProvider(written)) return undefined
  const nearest = nearestProviders(written)
  return `is not a known provider.${nearest.length === 0 ? '' : ` Did you mean ${nearest.join(', ')}?`}`
}

function methodProblems(rule: BurnRule): DefinitionProblem[] {
  switch (rule.method) {
    case 'cost_plus':
      return []
    case 'per_unit':
      return Object.keys(rule.rates).flatMap((unit) => unitProblems(unit, `/rates/${escapePointer(unit)}`))
    case 'flat':
      return rule.unit === undefined ? [] : unitProblems(rule.unit, '/unit')
    case 'package':
      return unitProblems(rule.unit, '/unit')
    case 'tiered':
      return [...unitProblems(rule.unit, '/unit'), ...tierProblems(rule)]
  }
}

function unitProblems(unit: string, path: string): DefinitionProblem[] {
  const message = unitProblem(unit)
  return message === undefined ? [] : [{ path, message }]
}

function tierProblems({ tiers }: Tiered): DefinitionProblem[] {
  const problems: DefinitionProblem[] = []
  let before = 0n
  tiers.forEach(({ up_to }, index) => {
    const path = `/tiers/${index}/up_to`
    if (up_to === null) {
      if (index < tiers.length - 1)
        problems.push({ path, message: 'must be a number: only the last tier has null' })
      return
    }
    const end = readDecimal(up_to, QUANTITY_DECIMALS)
    if (end <= before)
      problems.push({ path, message: 'must be above 0 and above the up_to of the previous tier' })
    if (index === tiers.length - 1) problems.push({ path, message: 'must be null in the last tier' })
    before = end
  })
  return problems
}

interface Pair {
  readonly first: number
  readonly second: number
}

/** Finds pairs of ambiguous rules, between which specificity does not decide. */
function ambiguousPairs(rules: readonly BurnRule[]): Pair[] {
  const firstWith = new Map<string, number>()
  return rules.flatMap(({ match }, second) => {
    const texts = ambiguityTexts(compileMatch(match))
    const first = texts.map((text) => firstWith.get(text)).find((index) => index !== undefined)
    if (first !== undefined) return [{ first, second }]
    for (const text of texts) firstWith.set(text, second)
    return []
  })
}

const MAX_PAIRS_NAMED = 5

function describe(pairs: readonly Pair[], rules: readonly BurnRule[]): string {
  const named = pairs
    .slice(0, MAX_PAIRS_NAMED)
    .map(
      ({ first, second }) =>
        `rules[${first}] ${JSON.stringify(rules[first]?.match)} and rules[${second}] ${JSON.stringify(rules[second]?.match)}`,
    )
  const more = pairs.length > MAX_PAIRS_NAMED ? `, and other pairs (${pairs.length - MAX_PAIRS_NAMED})` : ''
  return `Ambiguous rules match the same events: ${named.join('; ')}${more}. Keep one rule of each pair.`
}

function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
