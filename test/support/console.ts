import { vi } from 'vitest'

const METHODS = ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const

/** Records the console output of the Worker, in order, and does not print it. */
export function listenToConsole(): {
  readonly lines: readonly string[]
  readonly records: () => Record<string, unknown>[]
  readonly clear: () => void
} {
  const lines: string[] = []
  for (const method of METHODS) {
    vi.spyOn(console, method).mockImplementation((...said: unknown[]) => {
      lines.push(said.map(String).join(' '))
    })
  }
  return {
    lines,
    records: () =>
      lines.map((line) => {
        const record: unknown = JSON.parse(line)
        if (typeof record !== 'object' || record === null) throw new Error(`not a record: ${line}`)
        return { ...record }
      }),
    clear: () => {
      lines.length = 0
    },
  }
}
