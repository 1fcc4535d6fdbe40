import { allProviders, findProvider } from '../catalogue/catalogue.ts'
import { plainName } from '../catalogue/modifiers.ts'
import { providerName } from '../catalogue/provider-name.ts'
import type { RuleMatch } from './definition.ts'

/**
 * The compiled conditions of a rule. Of all rules that match an event, the most specific rule determines the charge.
 * Within one field, a name is more specific than a prefix, a longer prefix is more specific than a shorter prefix, and
 * `*` is the least specific. Rules are compared by feature first, then by provider, then by model. A rule for a feature
 * therefore precedes a rule for the model that the feature uses. Two rules are ambiguous if all their conditions are
 * equal, or differ only in prefixes of equal length that match the two names of one provider.
 *
 * Features are compared case-sensitively. Providers are compared without case and separators, and all aliases of a
 * provider in the catalogue are equal. Models are compared without case, as in the catalogue.
 */
export interface CompiledMatch {
  readonly feature: Pattern
  readonly provider: Pattern
  readonly model: Pattern
}

interface Pattern {
  readonly kind: 'name' | 'beginning' | 'any'
  readonly text: string
}

/** The fields of an event that are compared with rules. */
export interface Subject {
  readonly feature: string | undefined
  readonly provider: string | undefined
  /**
   * The provider's name as it is spelled in records. A prefix in a rule also matches this spelling, because a customer
   * can copy the prefix from a record.
   */
  readonly recorded_provider: string | undefined
  readonly model: string | undefined
}

export const DIMENSIONS = ['feature', 'provider', 'model'] as const
export type Dimension = (typeof DIMENSIONS)[number]

export function compileMatch(match: RuleMatch): CompiledMatch {
  return {
    feature: readPattern('feature', match.feature),
    provider: readPattern('provider', match.provider),
    model: readPattern('model', match.model),
  }
}

/** Returns an error if a pattern contains `*` before its end; undefined if the pattern is valid. */
export function patternProblem(pattern: string): string | undefined {
  const star = pattern.indexOf('*')
  if (star !== -1 && star !== pattern.length - 1) return 'may have * only at its end'
  return undefined
}

/** Returns a text that identifies a match. Two matches have the same text only if all their conditions are equal. */
export function matchText({ feature, provider, model }: CompiledMatch): string {
  return JSON.stringify([feature, provider, model].flatMap(({ kind, text }) => [kind, text]))
}

/**
 * Returns texts that identify the events of a match. Two matches are ambiguous if they have a text in common. A prefix
 * of a provider with two names has a further text, because the id and the name in records have different prefixes.
 */
export function ambiguityTexts(match: CompiledMatch): string[] {
  const { provider } = match
  const texts = [matchText(match)]
  if (provider.kind !== 'beginning') return texts
  for (const names of twoNames()) {
    if (!names.some((name) => fits(provider, name))) continue
    texts.push(JSON.stringify([matchText({ ...match, provider: ANY }), provider.text.length, ...names]))
  }
  return texts
}

/** Returns the id and the name in records of each provider whose names differ. */
function twoNames(): string[][] {
  return allProviders()
    .map((provider) => [plainName(provider.id), plainName(providerName(provider))])
    .filter(([id, recorded]) => id !== recorded)
}

/**
 * Compares the specificity of two matches, as a sort function. Returns a negative number if `a` is more specific than
 * `b`.
 */
export function compareSpecificity(a: CompiledMatch, b: CompiledMatch): number {
  return (
    rank(b.feature) - rank(a.feature) || rank(b.provider) - rank(a.provider) || rank(b.model) - rank(a.model)
  )
}

export function matchesSubject(match: CompiledMatch, subject: Subject): boolean {
  return (
    fits(match.feature, subject.feature) &&
    fits(match.model, subject.model) &&
    (fits(match.provider, subject.provider) ||
      (match.provider.kind === 'beginning' && fits(match.provider, subject.recorded_provider)))
  )
}

/** The feature, provider and model of an event. */
export interface Described {
  readonly feature_id?: string | undefined
  readonly provider?: string | undefined
  readonly model?: string | undefined
}

export function subjectOf({ feature_id, provider, model }: Described): Subject {
  return {
    feature: feature_id,
    provider: provider === undefined ? undefined : providerText(provider),
    recorded_provider: provider === undefined ? undefined : plainName(provider),
    model: model?.toLowerCase(),
  }
}

function readPattern(dimension: Dimension, written: string | undefined): Pattern {
  if (written === undefined) return ANY
  const beginning = written.endsWith('*')
  const text = normalize[dimension](beginning ? written.slice(0, -1) : written, beginning)
  if (!beginning) return { kind: 'name', text }
  return text === '' ? ANY : { kind: 'beginning', text }
}

const ANY: Pattern = { kind: 'any', text: '' }

const normalize: Record<Dimension, (text: string, beginning: boolean) => string> = {
  feature: (text) => text,
  provider: (text, beginning) => (beginning ? plainName(text) : providerText(text)),
  model: (text) => text.toLowerCase(),
}

/** Returns a normalized provider name. All names and aliases of a provider in the catalogue give the same text. */
function providerText(name: string): string {
  return plainName(findProvider(name)?.id ?? name)
}

/** The rank of an exact name, which is higher than the length of any prefix. */
const NAME_RANK = Number.MAX_SAFE_INTEGER

function rank({ kind, text }: Pattern): number {
  return kind === 'name' ? NAME_RANK : text.length
}

function fits({ kind, text }: Pattern, value: string | undefined): boolean {
  if (kind === 'any') return true
  if (value === undefined) return false
  return kind === 'name' ? value === text : value.startsWith(text)
}
