import { setTimeout as sleep } from 'node:timers/promises'

/** Smaller bodies are always read at once. */
const LARGE_BYTES = 256 * 1024

/**
 * The bytes of large bodies that an isolate works on at once. From its text to its answer a body takes about ten times
 * its bytes of memory, and an isolate of 128 MB is shared.
 */
const MAX_BYTES_AT_ONCE = 5 * 1024 * 1024

const POLL_MS = 10
const MAX_WAIT_MS = 10_000
/** A request whose client has gone is cancelled without notice: its place is free again after this time. */
const MAX_HELD_MS = 30_000

interface Place {
  readonly bytes: number
  readonly since_ms: number
}

const places = new Set<Place>()

/** Waits until there is room for a body. Returns the function that gives it back; undefined if there is none in time. */
export async function roomFor(bytes: number): Promise<(() => void) | undefined> {
  if (bytes <= LARGE_BYTES) return () => {}
  const until_ms = Date.now() + MAX_WAIT_MS
  // A timer of its own request: a promise that another request resolves may be dropped with that request.
  while (!hasRoom(bytes)) {
    if (Date.now() >= until_ms) return undefined
    await sleep(POLL_MS)
  }
  const place = { bytes, since_ms: Date.now() }
  places.add(place)
  return () => places.delete(place)
}

function hasRoom(bytes: number): boolean {
  let taken = 0
  for (const place of places) {
    if (Date.now() - place.since_ms > MAX_HELD_MS) places.delete(place)
    else taken += place.bytes
  }
  return taken === 0 || taken + bytes <= MAX_BYTES_AT_ONCE
}
