/**
 * The key under which the real `Date` is kept. Test files in the same worker share it, so that shifts of the clock do
 * not add up.
 */
const REAL_DATE = Symbol.for('openmonetize.real-date')

/** Returns the real `Date`, even if the clock of the test file is shifted. */
export function realDate(): DateConstructor {
  const kept: unknown = Reflect.get(globalThis, REAL_DATE)
  if (kept === undefined) Reflect.set(globalThis, REAL_DATE, Date)
  return kept === undefined ? Date : Object(kept)
}

/** Ends the shift of the clock, for a test that uses a server in another process, which has the real time. */
export function useRealTime(): void {
  globalThis.Date = realDate()
}
