import type { AlertRules, AlertState, AlertType } from '../model/alerts.ts'

/**
 * Decides when an alert fires. An alert fires once when its value passes the threshold. It fires again only after the
 * value was beyond `rearm_at`, on the other side of the threshold, or in a new window. An alert whose value varies
 * around the threshold therefore fires once.
 */

type Direction = 'down' | 'up'

/** Returns the direction in which a value passes the threshold. */
export function directionOf(type: AlertType): Direction {
  return type === 'balance_below' || type === 'runway_below' ? 'down' : 'up'
}

/**
 * Reports whether the value is past the threshold. A value equal to the threshold is past it only for an alert on a
 * limit.
 */
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
 * Returns the effect of a value on an alert. An armed alert does not fire during its cooldown. If its value is still
 * past the threshold after the cooldown, the next change or check fires the alert.
 */
export function step(rules: AlertRules, state: AlertState, value: number, at_ms: number): Step {
  if (state.fired) {
    return isSafe(rules, value) ? { kind: 'arms', state: { ...state, fired: false } } : NOTHING
  }
  if (!isPast(rules, value)) return NOTHING
  if (state.fired_at_ms !== null && at_ms < state.fired_at_ms + rules.cooldown_ms) return NOTHING
  return { kind: 'fires', state: { ...state, fired: true, fired_at_ms: at_ms } }
}

/**
 * Returns the default of `rearm_at`. It differs from the threshold by a tenth of the threshold, on the side where the
 * alert does not fire.
 */
export function defaultRearm(type: AlertType, threshold: number): number {
  const tenth = Math.ceil(threshold / 10)
  return directionOf(type) === 'down' ? threshold + tenth : threshold - tenth
}
