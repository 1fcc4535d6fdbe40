import type { Event } from '../types.ts'
import type { QueuedEvent } from './store.ts'

export interface Waiting extends QueuedEvent {
  text: string
  readonly bytes: number
  /** Whether the event was delivered, dropped or rejected. A settled event is removed when it is first in the list. */
  settled: boolean
  /**
   * Whether the queue set the timestamp. If the server refuses it because this machine's clock is wrong, the queue
   * omits it.
   */
  retimable: boolean
}

/** The queued events in the order in which they were tracked. Adding and removing take amortized constant time. */
export class WaitingList {
  bytes = 0
  #events: Waiting[] = []
  #head = 0
  /** The number of settled events after the first unsettled event. */
  #settledAhead = 0

  get size(): number {
    return this.#events.length - this.#head - this.#settledAhead
  }

  add(event: Waiting): void {
    this.#events.push(event)
    this.bytes += event.bytes
  }

  /** Inserts the events of an earlier run before all others. Skips events that are already in the list. */
  addBefore(events: readonly QueuedEvent[]): void {
    const known = new Set(this.#events.map(({ id }) => id))
    const left = events
      .filter(({ id }) => !known.has(id))
      .map(({ id, text }) => ({ id, text, bytes: byteLength(text), settled: false, retimable: false }))
    for (const { bytes } of left) this.bytes += bytes
    this.#events = [...left, ...this.#events.slice(this.#head)]
    this.#head = 0
  }

  /**
   * Returns the first events: at most `most` events, and at most `bytes` in total. If the first event alone is larger,
   * returns only that event.
   */
  first(most: number, bytes: number): Waiting[] {
    const events: Waiting[] = []
    let sum = 0
    for (let at = this.#head; at < this.#events.length && events.length < most; at++) {
      const event = this.#events[at]
      if (event === undefined || event.settled) continue
      sum += event.bytes + 1
      if (sum > bytes && events.length > 0) break
      events.push(event)
    }
    return events
  }

  /** Removes events from the list. Returns the events that the list still contained. */
  settle(events: readonly Waiting[]): Waiting[] {
    const left = events.filter(({ settled }) => !settled)
    for (const event of left) {
      event.settled = true
      this.bytes -= event.bytes
    }
    this.#settledAhead += left.length
    while (this.#events[this.#head]?.settled) {
      this.#head++
      this.#settledAhead--
    }
    if (this.#head === this.#events.length || (this.#head > 1_000 && this.#head * 2 > this.#events.length)) {
      this.#events = this.#events.slice(this.#head)
      this.#head = 0
    }
    return left
  }
}

/**
 * Returns an event in its queued form. Adds `id` as the idempotency key if the event has no key, and `now` as the
 * timestamp if it has no timestamp. Throws if the event cannot be written as a JSON object.
 */
export function waitingEvent(event: Event, id: string, now: number): Waiting {
  const { idempotency_key: own, timestamp } = event
  const hasKey = typeof own === 'string' && own !== ''
  const retimable = timestamp === undefined || timestamp === null
  const sent = (hasKey || own === undefined) && timestamp !== null ? event : without(event)
  const text = JSON.stringify(sent)
  if (text?.charAt(0) !== '{') throw new TypeError('not an object')
  // Appends the fields to the text, which avoids a copy of the event object.
  const added = [
    ...(retimable ? [`"timestamp":"${isoTime(now)}"`] : []),
    ...(hasKey ? [] : [`"idempotency_key":"${id}"`]),
  ].join()
  const full = added === '' ? text : `${text.slice(0, -1)}${text === '{}' ? '' : ','}${added}}`
  return { id: hasKey ? own : id, text: full, bytes: byteLength(full), settled: false, retimable }
}

/** Returns a copy of the event. Omits its idempotency key and its timestamp if they are empty. */
function without(event: Event): Event {
  const { idempotency_key: key, timestamp, ...rest } = event
  return { ...rest, ...(key ? { idempotency_key: key } : {}), ...(timestamp ? { timestamp } : {}) }
}

/** Removes the timestamp of an event. The server then uses the time at which it receives the event. */
export function leaveOutTime(event: Waiting): void {
  const { timestamp: _, ...rest }: Event = JSON.parse(event.text)
  event.text = JSON.stringify(rest)
  event.retimable = false
}

let iso_ms = 0
let iso_text = ''

/** Returns a time as an ISO 8601 text. Caches the last text, because many events are tracked in one millisecond. */
function isoTime(now: number): string {
  if (now !== iso_ms) {
    iso_ms = now
    iso_text = new Date(now).toISOString()
  }
  return iso_text
}

const encoder = new TextEncoder()

function byteLength(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is all of ASCII.
  return /^[\x00-\x7f]*$/.test(text) ? text.length : encoder.encode(text).length
}
