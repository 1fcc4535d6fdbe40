/** The work that runs after the answer of a route handler. */
export const afterwards: Promise<unknown>[] = []

/** A double of `after` of `next/server`. Runs the work at once. */
export function after(work: () => Promise<unknown>): void {
  afterwards.push(work())
}
