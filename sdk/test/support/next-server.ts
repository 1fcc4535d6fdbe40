/** The work that runs after the answer of a route handler. */
export const afterwards: Promise<unknown>[] = []

/** A test double of `after` from `next/server`. Runs the work immediately. */
export function after(work: () => Promise<unknown>): void {
  afterwards.push(work())
}
