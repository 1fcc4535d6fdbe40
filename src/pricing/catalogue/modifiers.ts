import { USAGE_UNITS, type UsageUnit } from '../units.ts'
import { type Match, matches, readFamilyMatch } from './match.ts'
import { fields, type Rational, readRational, words } from './notation.ts'
import { readConditions } from './period.ts'

/**
 * A factor that multiplies the prices of some models in a service tier or a region. The catalogue writes it as `batch |
 * 0.5 | tokens | ^gpt-5`: the names, the factor, the families of units, and the models. A condition on the time can
 * follow, as in `fast | 6 | tokens | =claude-opus-4-6 | ..2026-06-29`.
 */
export interface Modifier {
  readonly names: readonly string[]
  readonly factor: Rational
  readonly families: ReadonlySet<string>
  readonly match: Match
  readonly holds: (at_ms: number) => boolean
}

export function readModifier(line: string): Modifier {
  const [names = '', factor = '', families = '', rules = '', when = ''] = fields(line)
  return {
    names: words(names).map(plainName),
    factor: readRational(factor),
    families: new Set(words(families)),
    match: readFamilyMatch(rules),
    holds: when === '' ? () => true : readConditions(when),
  }
}

/**
 * Returns the first modifier with this name that is in force and matches one of the model's names; undefined if there
 * is none.
 */
export function findModifier(
  modifiers: readonly Modifier[],
  name: string,
  models: readonly string[],
  at_ms: number,
): Modifier | undefined {
  return modifiers.find(
    ({ names, match, holds }) =>
      names.includes(name) && holds(at_ms) && models.some((model) => fitsModel(match, model)),
  )
}

function fitsModel(match: Match, model: string): boolean {
  return (match.exact.length === 0 && match.patterns.length === 0) || matches(match, model)
}

/** Returns the product of the factors that apply to a unit; undefined if no factor applies. */
export function factorOf(modifiers: readonly Modifier[], unit: UsageUnit): Rational | undefined {
  let product: Rational | undefined
  for (const { factor, families } of modifiers) {
    if (!families.has(USAGE_UNITS[unit].family)) continue
    product =
      product === undefined
        ? factor
        : {
            numerator: product.numerator * factor.numerator,
            denominator: product.denominator * factor.denominator,
          }
  }
  return product
}

/**
 * Returns the normalised name of a provider, service tier or region: lower-case letters and digits only. `Data_Zone`
 * and `data-zone` both give `datazone`.
 */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '')
}
