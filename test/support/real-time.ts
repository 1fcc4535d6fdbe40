/**
 * The global key of the real `Date`. All test files in a process share it, so that shifts of the clock do not add up.
 */
const REAL_DATE = Symbol.for('openmonetize.real-date')

/** Returns the real `Date`, even if the clock of the test file is shifted (`clock.ts`). */
export function realDate(): DateConstructor {
  const kept: unknown = Reflect.get(globalThis, REAL_DATE)
  if (kept === undefined) Reflect.set(globalThis, REAL_DATE, Date)
  return kept === undefined ? Date : Object(kept)
}

/**
 * Ends the shift of the clock. Tests of a server in another process need this, because that server uses the real time.
 */
export function useRealTime(): void {
  globalThis.Date = realDate()
}
