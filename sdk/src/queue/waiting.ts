import type { Event } from '../types.ts'
import type { QueuedEvent } from './store.ts'

export interface Waiting extends QueuedEvent {
  text: string
  readonly bytes: number
  /** Delivered or given up: the event leaves the list once it is the first. */
  settled: boolean
  /** Whether the queue set the timestamp, and so may omit it when this machine's clock is wrong. */
  retimable: boolean
}

/** Events in the order in which they were tracked. Adding and taking cost the same for any number of events. */
export class WaitingList {
  bytes = 0
  #events: Waiting[] = []
  #head = 0
  /** Settled events that are not yet first in the list. */
  #settledAhead = 0

  get size(): number {
    return this.#events.length - this.#head - this.#settledAhead
  }

  add(event: Waiting): void {
    this.#events.push(event)
    this.bytes += event.bytes
  }

  /** Puts the events of an earlier run before all others. Skips events that the list already has. */
  addBefore(events: readonly QueuedEvent[]): void {
    const known = new Set(this.#events.map(({ id }) => id))
    const left = events
      .filter(({ id }) => !known.has(id))
      .map(({ id, text }) => ({ id, text, bytes: byteLength(text), settled: false, retimable: false }))
    for (const { bytes } of left) this.bytes += bytes
    this.#events = [...left, ...this.#events.slice(this.#head)]
    this.#head = 0
  }

  /** Returns the first events, up to a number and a size; a larger event is returned alone. */
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

  /** Removes events; returns the ones that the list still had. */
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
 * Writes an event as it is sent on every attempt: with an idempotency key and a time, its own or the given ones. Throws
 * when it cannot be written as JSON.
 */
export function waitingEvent(event: Event, id: string, now: number): Waiting {
  const { idempotency_key: own, timestamp } = event
  const hasKey = typeof own === 'string' && own !== ''
  const retimable = timestamp === undefined || timestamp === null
  const sent = (hasKey || own === undefined) && timestamp !== null ? event : without(event)
  const text = JSON.stringify(sent)
  if (text?.charAt(0) !== '{') throw new TypeError('an event is an object')
  // Appended at the end, which avoids a copy of the whole event.
  const added = [
    ...(retimable ? [`"timestamp":"${isoTime(now)}"`] : []),
    ...(hasKey ? [] : [`"idempotency_key":"${id}"`]),
  ].join()
  const full = added === '' ? text : `${text.slice(0, -1)}${text === '{}' ? '' : ','}${added}}`
  return { id: hasKey ? own : id, text: full, bytes: byteLength(full), settled: false, retimable }
}

/** Removes a key that is undefined or null, and a time that is null. */
function without(event: Event): Event {
  const { idempotency_key: key, timestamp, ...rest } = event
  return { ...rest, ...(key ? { idempotency_key: key } : {}), ...(timestamp ? { timestamp } : {}) }
}

/** Leaves out the time of an event, so that the server dates it. */
export function leaveOutTime(event: Waiting): void {
  const { timestamp: _, ...rest }: Event = JSON.parse(event.text)
  event.text = JSON.stringify(rest)
  event.retimable = false
}

let iso_ms = 0
let iso_text = ''

/** Returns a time as text. Caches the last text, because many events are tracked within one millisecond. */
function isoTime(now: number): string {
  if (now !== iso_ms) {
    iso_ms = now
    iso_text = new Date(now).toISOString()
  }
  return iso_text
}

const encoder = new TextEncoder()

function byteLength(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII.
  return /^[\x00-\x7f]*$/.test(text) ? text.length : encoder.encode(text).length
}
