/** An event as it waits: its text is what is sent, on every attempt and after every restart. */
export interface QueuedEvent {
  /** The event's idempotency key. */
  readonly id: string
  /** The event as JSON. */
  readonly text: string
}

/** Keeps the events of a queue. Every method may be asynchronous. */
export interface QueueStore {
  /** Returns what an earlier run left, oldest first. Called once, before the other methods. */
  load(): readonly QueuedEvent[] | Promise<readonly QueuedEvent[]>
  /** Keeps events. One with an id that is kept already replaces it. */
  append(events: readonly QueuedEvent[]): void | Promise<void>
  /** Forgets events that were delivered, dropped or rejected. */
  remove(ids: readonly string[]): void | Promise<void>
  /** Keeps an event that the server refuses for good, with the reason, where a person finds it. */
  reject?(event: QueuedEvent, reason: string): void | Promise<void>
  /** Waits until everything appended is safe from a loss of power. */
  sync?(): Promise<void>
  /** Frees what the store holds; the events stay. */
  close?(): void | Promise<void>
}
