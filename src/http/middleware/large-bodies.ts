/** The size above which a body needs reserved memory, in bytes. Other bodies are processed without waiting. */
export const LARGE_BYTES = 256 * 1024

/**
 * The maximum total size of the large bodies that an isolate processes at the same time, in bytes. All requests share
 * the 128 MB of the isolate, and a body takes about ten times its size in memory until its request is handled.
 */
const MAX_BYTES_AT_ONCE = 5 * 1024 * 1024

const MAX_WAIT_MS = 10_000
/**
 * The time after which reserved memory counts as free. This is necessary because the runtime cancels a request without
 * notice when its client disconnects. Such a request cannot release its memory.
 */
const MAX_HELD_MS = 30_000
/**
 * The time after which a waiting request checks for free memory even if no other request wakes it. A request that was
 * cancelled does not wake others.
 */
const LOOKS_AFTER_MS = 1_000

interface Place {
  bytes: number
  readonly since_ms: number
}

const places = new Set<Place>()

/** The functions that wake the waiting requests, in the order in which the requests arrived. */
const waiting: (() => void)[] = []

/** The memory that is reserved for one body. */
export interface Room {
  /**
   * Adjusts the reserved memory after the body was read: it is twice the size if the body has two-byte characters. The
   * reserved memory can then exceed the maximum, so that later bodies wait longer.
   */
  weigh(bytes: Uint8Array): void
  /** Frees the reserved memory above `bytes` bytes, for a body that was smaller than expected. */
  shrinkTo(bytes: number): void
  leave(): void
}

const NO_ROOM_NEEDED: Room = { weigh: () => {}, shrinkTo: () => {}, leave: () => {} }

/**
 * Reserves memory for a body of `bytes` bytes, if the body is large. Waits until enough memory is free. Returns
 * undefined if `MAX_WAIT_MS` passes before enough memory is free.
 */
export async function roomFor(bytes: number): Promise<Room | undefined> {
  if (bytes <= LARGE_BYTES) return NO_ROOM_NEEDED
  const until_ms = Date.now() + MAX_WAIT_MS
  let place = waiting.length === 0 ? takePlace(bytes) : undefined
  for (let at = waiting.length; !place; place = takePlace(bytes)) {
    if (Date.now() >= until_ms) return undefined
    at = await turn(at)
  }
  return roomOf(place)
}

function roomOf(place: Place): Room {
  // The next waiting request is also woken, because there can be enough memory for it, too.
  wakeNext()
  return {
    weigh: (read) => {
      if (hasTwoByteLetters(read)) place.bytes = 2 * read.length
    },
    shrinkTo: (bytes) => {
      place.bytes = Math.min(place.bytes, bytes)
      wakeNext()
    },
    leave: () => {
      places.delete(place)
      wakeNext()
    },
  }
}

/**
 * Waits in the queue at position `at` until another request wakes this request or the timer fires. Returns the last
 * position in the queue; 0 if the request was woken. The timer is necessary because a cancelled request does not wake
 * others, and because the runtime cancels a request that waits only for a promise of another request.
 */
async function turn(at: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>()
  waiting.splice(at, 0, resolve)
  const timer = setTimeout(resolve, LOOKS_AFTER_MS)
  await promise
  clearTimeout(timer)
  const last = waiting.indexOf(resolve)
  if (last < 0) return 0
  waiting.splice(last, 1)
  return last
}

function wakeNext(): void {
  waiting.shift()?.()
}

/** Reserves memory for a body. Returns undefined if not enough memory is free. */
function takePlace(bytes: number): Place | undefined {
  if (!hasRoom(bytes)) return undefined
  const place = { bytes, since_ms: Date.now() }
  places.add(place)
  return place
}

/**
 * The lowest first byte of a character above U+00FF in UTF-8. If a string contains such a character, each of its
 * characters takes two bytes in memory.
 */
const FIRST_OF_TWO_BYTE_LETTERS = 0xc4

function hasTwoByteLetters(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte >= FIRST_OF_TWO_BYTE_LETTERS) return true
  return false
}

function hasRoom(bytes: number): boolean {
  let taken = 0
  for (const place of places) {
    if (Date.now() - place.since_ms > MAX_HELD_MS) places.delete(place)
    else taken += place.bytes
  }
  return taken === 0 || taken + bytes <= MAX_BYTES_AT_ONCE
}
