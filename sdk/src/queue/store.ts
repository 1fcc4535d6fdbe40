/** An event that is not delivered yet. Every attempt sends the stored text, also after a restart. */
export interface QueuedEvent {
  /** The event's idempotency key. */
  readonly id: string
  /** The event as JSON. */
  readonly text: string
}

/** The storage of a queue's events. Every method may be asynchronous. */
export interface QueueStore {
  /** Returns the stored events of an earlier run, oldest first. The queue calls it once, before the other methods. */
  load(): readonly QueuedEvent[] | Promise<readonly QueuedEvent[]>
  /** Stores events. An event with an existing id replaces the stored event. */
  append(events: readonly QueuedEvent[]): void | Promise<void>
  /** Removes events that were delivered, dropped or rejected. */
  remove(ids: readonly string[]): void | Promise<void>
  /** Stores a permanently refused event and the reason, for later inspection. */
  reject?(event: QueuedEvent, reason: string): void | Promise<void>
  /** Writes all appended events to durable storage. Resolves after the write. */
  sync?(): Promise<void>
  /** Releases the store's resources. Keeps its events. */
  close?(): void | Promise<void>
}
