/** The tasks that a route handler passes to `after`. */
export const afterwards: Promise<unknown>[] = []

/** A test double of `after` from `next/server`. It runs the task immediately, and not after the response. */
export function after(work: () => Promise<unknown>): void {
  afterwards.push(work())
}
