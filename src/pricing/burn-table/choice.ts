import { findProvider } from '../catalogue/catalogue.ts'
import { plainName } from '../catalogue/modifiers.ts'
import type { RuleMatch } from './definition.ts'

/**
 * The choice of a burn table's rule for an event: the most specific rule that matches. In one dimension a name is
 * more specific than a prefix, a longer prefix more than a shorter one, and anything more than `*`. Between rules the
 * feature decides first, then the provider, then the model: a customer's statement about its own product takes
 * precedence over one about the model behind it. So only two rules that match the same events are ambiguous.
 *
 * Features are case-sensitive. Providers ignore case and separators, and may be named by any alias of the catalogue;
 * models ignore case, as in the catalogue.
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

/** The fields of an event that rules compare. */
export interface Subject {
  readonly feature: string | undefined
  readonly provider: string | undefined
  /** The provider as spelled in records, because a prefix may be copied from there. */
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

/** Returns the fault of a pattern; undefined if it is valid. */
export function patternProblem(pattern: string): string | undefined {
  const star = pattern.indexOf('*')
  if (star !== -1 && star !== pattern.length - 1) return 'may have * only at its end'
  return undefined
}

/** Returns a key that is equal for two matches exactly if they match the same events. */
export function matchText({ feature, provider, model }: CompiledMatch): string {
  return JSON.stringify([feature, provider, model].flatMap(({ kind, text }) => [kind, text]))
}

/** Compares specificity: negative if `a` is more specific than `b`. Rules are tried in this order. */
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

/** Returns one spelling for all names of a provider of the catalogue. */
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
