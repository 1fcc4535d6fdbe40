import { USAGE_UNITS, type UsageUnit } from '../units.ts'
import { type Match, matches, readMatch } from './match.ts'
import { fields, type Rational, readRational, words } from './notation.ts'

/** The factor of a service tier or a region on the prices of some models: `batch | 0.5 | tokens | ^gpt-5`. */
export interface Modifier {
  readonly names: readonly string[]
  readonly factor: Rational
  readonly families: ReadonlySet<string>
  readonly match: Match
}

export function readModifier(line: string): Modifier {
  const [names = '', factor = '', families = '', rules = ''] = fields(line)
  return {
    names: words(names).map(plainName),
    factor: readRational(factor),
    families: new Set(words(families)),
    match: readMatch(rules, ''),
  }
}

/** Returns the first modifier with the name that matches the model. */
export function findModifier(
  modifiers: readonly Modifier[],
  name: string,
  model: string,
): Modifier | undefined {
  return modifiers.find(({ names, match }) => names.includes(name) && fitsModel(match, model))
}

function fitsModel(match: Match, model: string): boolean {
  return (match.exact.length === 0 && match.patterns.length === 0) || matches(match, model)
}

/** Returns the product of the factors that apply to a unit; undefined if none does. */
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

/** Normalises names of providers, tiers and regions, which ignore case and separators: `Data_Zone` is `data-zone`. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '')
}
