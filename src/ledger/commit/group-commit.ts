import type { Draft } from './draft.ts'

/** A request's work on a draft: validates, then changes; returns what the request is answered. */
export type Apply<T> = (draft: Draft) => T

interface Waiting {
  /** How much of a group the request fills: see `weightOf`. */
  readonly weight: number
  /** Applies the request; the returned function answers it, once the commit has succeeded. */
  readonly apply: (draft: Draft) => () => void
  readonly fail: (error: unknown) => void
}

/** A commit takes no more than this, so that one transaction and its journal rows stay small. */
const MAX_GROUP_WEIGHT = 4_000

/** The most that may wait. Past it, the ledger answers `overloaded` at once, to bound latency and memory. */
const MAX_WAITING_WEIGHT = 20_000

/** Returns the weight of a waiting request: its events, or its kilobytes of JSON if those are more. */
export function weightOf(json_length: number, events = 1): number {
  return Math.max(events, Math.ceil(json_length / 1024))
}

/**
 * Requests that arrive together share one commit. They are gathered by a 0 ms timer: measured, that doubles what one
 * object can do and costs nothing when a request is alone (a microtask gathers none, 2 ms is slower with few callers).
 */
export class GroupCommit {
  private waiting: Waiting[] = []
  private waitingWeight = 0
  private scheduled = false

  private readonly commit: (change: (draft: Draft) => void) => void

  /**
   * `commit` applies the function to a new draft and makes it durable, or throws and leaves no trace: then its requests
   * are tried again. So it must not throw once it is durable.
   */
  constructor(commit: (change: (draft: Draft) => void) => void) {
    this.commit = commit
  }

  hasRoom(weight: number): boolean {
    return this.waitingWeight + weight <= MAX_WAITING_WEIGHT
  }

  submit<T>(weight: number, apply: Apply<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.waiting.push({
        weight,
        apply: (draft) => {
          const answer = apply(draft)
          return () => resolve(answer)
        },
        fail: reject,
      })
      this.waitingWeight += weight
      this.schedule()
    })
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    setTimeout(() => {
      this.scheduled = false
      this.run(this.takeGroup())
      if (this.waiting.length > 0) this.schedule()
    }, 0)
  }

  private takeGroup(): Waiting[] {
    let weight = 0
    const open = this.waiting.findIndex((request, index) => {
      weight += request.weight
      return index > 0 && weight > MAX_GROUP_WEIGHT
    })
    const group = this.waiting.splice(0, open === -1 ? this.waiting.length : open)
    for (const request of group) this.waitingWeight -= request.weight
    return group
  }

  /** If the shared commit fails, each request is tried alone once, so that none fails because of another. */
  private run(group: readonly Waiting[]): void {
    let answers: readonly (() => void)[] = []
    try {
      this.commit((draft) => {
        answers = group.map((request) => request.apply(draft))
      })
    } catch (error) {
      const [only, ...others] = group
      if (only && others.length === 0) only.fail(error)
      else for (const request of group) this.run([request])
      return
    }
    // Durable: nothing from here on may reach the retry above, which would burn twice.
    for (const answer of answers) answer()
  }
}
