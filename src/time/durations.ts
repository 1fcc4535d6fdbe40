/** The lengths of time units. In UTC, every hour, day and week has the same length. */
export const MINUTE_MS = 60_000
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS
export const WEEK_MS = 7 * DAY_MS

export function earliest(times: readonly (number | null)[]): number | null {
  let first: number | null = null
  for (const time of times) if (time !== null && (first === null || time < first)) first = time
  return first
}

/** The result of work that missed its deadline. */
export const LATE = Symbol('late')

/**
 * Returns the result of the work, or `LATE` if the work does not end within `timeout_ms`. Late work continues, and its
 * result is ignored. Rejects if the work fails in time.
 */
export function withDeadline<T>(work: Promise<T>, timeout_ms: number): Promise<T | typeof LATE> {
  // `Promise.race` in an async function makes seven promises instead of two. The difference is 6 to 9 % of the CPU
  // time of a request.
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(LATE), timeout_ms)
    work.then(
      (result) => {
        clearTimeout(timer)
        resolve(result)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}
