/** What runs after the answer of a route handler. */
export const afterwards: Promise<unknown>[] = []

/** Stands for `after` of `next/server`: runs work once the answer is on its way. */
export function after(work: () => Promise<unknown>): void {
  afterwards.push(work())
}
