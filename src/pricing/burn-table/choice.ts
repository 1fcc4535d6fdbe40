import { findProvider } from '../catalogue/catalogue.ts'
import { plainName } from '../catalogue/modifiers.ts'
import type { RuleMatch } from './definition.ts'

/**
 * Which rule of a burn table an event falls under: the most specific that matches. In one dimension a name is more
 * specific than a beginning, a longer beginning more than a shorter, and anything more than `*`. Between rules the
 * feature decides first, then the provider, then the model: what a customer says of its own product comes before
 * what it says of whose model runs behind it. So two rules are undecided only when they match the very same events.
 *
 * Features are compared as they are. Providers ignore case and separators, and a name may be any alias of the
 * catalogue's; models ignore case, as the catalogue does.
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

/** What an event says of itself, as rules compare it. */
export interface Subject {
  readonly feature: string | undefined
  readonly provider: string | undefined
  /** The provider as records spell it, which is where the beginning of a name may be from, too. */
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

/** What is wrong with a pattern; undefined when nothing is. */
export function patternProblem(pattern: string): string | undefined {
  const star = pattern.indexOf('*')
  if (star !== -1 && star !== pattern.length - 1) return 'may have * only at its end'
  return undefined
}

/** The same text for two matches exactly when they match the same events. */
export function matchText({ feature, provider, model }: CompiledMatch): string {
  return JSON.stringify([feature, provider, model].flatMap(({ kind, text }) => [kind, text]))
}

/** Negative when `a` is more specific than `b`: rules sorted by this are tried in order. */
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

/** What an event says of what it was for and who did it. */
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

/** One spelling for all names of a provider of the catalogue. */
function providerText(name: string): string {
  return plainName(findProvider(name)?.id ?? name)
}

/** Above every length of a beginning. */
const NAME_RANK = Number.MAX_SAFE_INTEGER

function rank({ kind, text }: Pattern): number {
  return kind === 'name' ? NAME_RANK : text.length
}

function fits({ kind, text }: Pattern, value: string | undefined): boolean {
  if (kind === 'any') return true
  if (value === undefined) return false
  return kind === 'name' ? value === text : value.startsWith(text)
}
