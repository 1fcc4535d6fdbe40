import type { AlertRules, AlertState, AlertType } from '../model/alerts.ts'

/**
 * Decides when an alert fires, except an alert on expiring lots. An alert fires once when its value passes the
 * threshold. It can fire again only after it is armed again: by a value beyond `rearm_at`, which is at the threshold or
 * on its other side, or by the start of a new window. A value that varies around the threshold without passing
 * `rearm_at` therefore fires the alert only once in a window.
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
 * Returns whether a value fires an alert, arms it, or does nothing. An armed alert does not fire during its cooldown.
 * If its value is still past the threshold after the cooldown, the next change of the wallet or limit, or the next
 * check by the alarm, fires the alert.
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
 * Returns the default of `rearm_at`. It differs from the threshold by a tenth of the threshold, rounded up, on the side
 * where the alert does not fire.
 */
export function defaultRearm(type: AlertType, threshold: number): number {
  const tenth = Math.ceil(threshold / 10)
  return directionOf(type) === 'down' ? threshold + tenth : threshold - tenth
}
