import { inject } from 'vitest'

/**
 * Shifts the clock of a test file when CLOCK names a moment: the file starts at that moment, and time runs on from there.
 * Tests, the Worker and its objects share one global `Date`, so all of them see the shifted time. Alarms and timers of
 * the platform keep the real one.
 */
const clock = inject('clock')

/** Survives where test files share a worker, so that shifts do not add up. */
const REAL_DATE = Symbol.for('openmonetize.real-date')

function realDate(): DateConstructor {
  const kept: unknown = Reflect.get(globalThis, REAL_DATE)
  if (kept === undefined) Reflect.set(globalThis, REAL_DATE, Date)
  return kept === undefined ? Date : Object(kept)
}

if (clock !== null) {
  const RealDate = realDate()
  const shift_ms = RealDate.parse(clock) - RealDate.now()
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [target.now() + shift_ms] : args, newTarget),
    apply: (target) => new target(target.now() + shift_ms).toString(),
    get: (target, property, receiver) =>
      property === 'now' ? () => target.now() + shift_ms : Reflect.get(target, property, receiver),
  })
}

declare module 'vitest' {
  interface ProvidedContext {
    /** The moment at which each test file starts, in ISO 8601; null for the real time. */
    readonly clock: string | null
  }
}
