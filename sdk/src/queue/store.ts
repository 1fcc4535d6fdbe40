/** A waiting event. Its text is sent unchanged on every attempt and after every restart. */
export interface QueuedEvent {
  /** The event's idempotency key. */
  readonly id: string
  /** The event as JSON. */
  readonly text: string
}

/** Keeps the events of a queue. Every method may be asynchronous. */
export interface QueueStore {
  /** Returns the events that an earlier run left, oldest first. Called once, before the other methods. */
  load(): readonly QueuedEvent[] | Promise<readonly QueuedEvent[]>
  /** Keeps events. One with an existing id replaces the earlier one. */
  append(events: readonly QueuedEvent[]): void | Promise<void>
  /** Removes events that were delivered, dropped or rejected. */
  remove(ids: readonly string[]): void | Promise<void>
  /** Keeps a permanently refused event, with the reason, for a person to inspect. */
  reject?(event: QueuedEvent, reason: string): void | Promise<void>
  /** Waits until everything appended is safe from a loss of power. */
  sync?(): Promise<void>
  /** Releases the store's resources; the events stay. */
  close?(): void | Promise<void>
}
