import { findProvider } from '../catalogue/catalogue.ts'
import { plainName } from '../catalogue/modifiers.ts'
import type { RuleMatch } from './definition.ts'

/**
 * The compiled conditions of a rule. The most specific rule that matches an event charges it. Within one field, a
 * name is more specific than a prefix, a longer prefix is more specific than a shorter prefix, and `*` is the least
 * specific. Rules are compared by feature first, then by provider, then by model: a customer's rule for its own
 * product precedes a rule for the model behind the product. Two rules are therefore ambiguous only if they match the
 * same events.
 *
 * Features are case-sensitive. Providers ignore case and separators, and may have any alias of the catalogue. Models
 * ignore case, as in the catalogue.
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
   * The provider's name as records spell it. A prefix in a rule matches this spelling too, because it may be copied
   * from a record.
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

/** Returns the error in a pattern; undefined if the pattern is valid. */
export function patternProblem(pattern: string): string | undefined {
  const star = pattern.indexOf('*')
  if (star !== -1 && star !== pattern.length - 1) return 'may have * only at its end'
  return undefined
}

/** Returns a key. Two matches have the same key only if they match the same events. */
export function matchText({ feature, provider, model }: CompiledMatch): string {
  return JSON.stringify([feature, provider, model].flatMap(({ kind, text }) => [kind, text]))
}

/**
 * Compares specificity. Returns a negative number if `a` is more specific than `b`. Rules are tried in this order.
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

/** Returns the same text for all names and aliases of a provider of the catalogue. */
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
