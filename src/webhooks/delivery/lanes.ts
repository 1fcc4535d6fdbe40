/** Runs tasks concurrently. Limits the number of running tasks, both in total and for each key. */
export class Lanes {
  private readonly waiting: { readonly key: string; readonly start: () => void }[] = []
  private readonly running = new Map<string, number>()
  private total = 0
  private readonly limits: { readonly all: number; readonly of_key: number }

  constructor(limits: { readonly all: number; readonly of_key: number }) {
    this.limits = limits
  }

  /**
   * Runs a task when the limits allow it, and returns its result. If `close` is called before the task begins, the
   * returned promise never settles.
   */
  run<T>(key: string, task: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const start = () => {
        this.count(key, 1)
        task()
          .then(resolve, reject)
          .finally(() => {
            this.count(key, -1)
            this.startNext()
          })
      }
      this.waiting.push({ key, start })
      this.startNext()
    })
  }

  /** Removes the tasks that have not begun. Running tasks continue. */
  close(): void {
    this.waiting.length = 0
  }

  private startNext(): void {
    while (this.total < this.limits.all) {
      const next = this.waiting.findIndex(({ key }) => (this.running.get(key) ?? 0) < this.limits.of_key)
      const [found] = next < 0 ? [] : this.waiting.splice(next, 1)
      if (!found) return
      found.start()
    }
  }

  private count(key: string, change: 1 | -1): void {
    this.total += change
    this.running.set(key, (this.running.get(key) ?? 0) + change)
  }
}
