/** The name of the real clock. Test files that share a worker keep it, so that shifts of the clock do not add up. */
const REAL_DATE = Symbol.for('openmonetize.real-date')

/** The platform's own `Date`, even if the clock of the test file is shifted. */
export function realDate(): DateConstructor {
  const kept: unknown = Reflect.get(globalThis, REAL_DATE)
  if (kept === undefined) Reflect.set(globalThis, REAL_DATE, Date)
  return kept === undefined ? Date : Object(kept)
}

/** Ends the shift of the clock: a test that talks to a server in another process shares the server's time. */
export function useRealTime(): void {
  globalThis.Date = realDate()
}
