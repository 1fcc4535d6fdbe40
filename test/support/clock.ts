import { inject } from 'vitest'
import { realDate } from './real-time.ts'

/**
 * Shifts the clock of each test file if the environment variable CLOCK contains a time. The file starts at this time,
 * and the clock continues from there. Tests, the Worker and its objects share one global `Date`, so all of them use the
 * shifted time. Alarms and timers of the platform use the real time. Servers in other processes, and the test files
 * that use such servers, also use the real time.
 */
const clock = inject('clock')

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
    /** The time at which the clock of each test file starts, in ISO 8601; null for the real time. */
    readonly clock: string | null
  }
}
