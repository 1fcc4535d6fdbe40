import type { AlertRules, AlertState, AlertType } from '../model/alerts.ts'

/**
 * The edge of an alert: it fires once as its value passes the threshold, and again only after the value has been beyond `rearm_at`
 * on the other side. A wallet that hovers at its threshold fires once.
 */

type Direction = 'down' | 'up'

/** The direction in which a value passes the threshold. */
export function directionOf(type: AlertType): Direction {
  return type === 'balance_below' || type === 'runway_below' ? 'down' : 'up'
}

/** Whether the value is past the threshold: below it, above it, or for a limit at or above it. */
export function isPast({ type, threshold }: Pick<AlertRules, 'type' | 'threshold'>, value: number): boolean {
  if (type === 'limit_used') return value >= threshold
  return directionOf(type) === 'down' ? value < threshold : value > threshold
}

function isSafe({ type, rearm_at }: AlertRules, value: number): boolean {
  return directionOf(type) === 'down' ? value > rearm_at : value < rearm_at
}

export type Step =
  | { readonly kind: 'fires' | 'arms'; readonly state: AlertState }
  | { readonly kind: 'nothing' }

const NOTHING: Step = { kind: 'nothing' }

/**
 * Returns the effect of a value on an alert. Within the cooldown it stays armed, so a value that is still past the threshold
 * fires at the first change after it.
 */
export function step(rules: AlertRules, state: AlertState, value: number, at_ms: number): Step {
  if (state.fired) {
    return isSafe(rules, value) ? { kind: 'arms', state: { ...state, fired: false } } : NOTHING
  }
  if (!isPast(rules, value)) return NOTHING
  if (state.fired_at_ms !== null && at_ms < state.fired_at_ms + rules.cooldown_ms) return NOTHING
  return { kind: 'fires', state: { ...state, fired: true, fired_at_ms: at_ms } }
}

/** The default of `rearm_at`: a tenth past the threshold. */
export function defaultRearm(type: AlertType, threshold: number): number {
  const tenth = Math.ceil(threshold / 10)
  return directionOf(type) === 'down' ? threshold + tenth : threshold - tenth
}
