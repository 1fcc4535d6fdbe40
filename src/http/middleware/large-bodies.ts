/** The length above which a body needs reserved memory. The Worker reads smaller bodies immediately. */
const LARGE_BYTES = 256 * 1024

/**
 * The maximum size of all large bodies that an isolate processes at once. A body takes about ten times its size in
 * memory until it is answered, and all requests share the isolate's 128 MB.
 */
const MAX_BYTES_AT_ONCE = 5 * 1024 * 1024

const MAX_WAIT_MS = 10_000
/**
 * The time after which reserved memory is free again. A request whose client has disconnected is cancelled without
 * notice and cannot release its memory.
 */
const MAX_HELD_MS = 30_000
/**
 * The time after which a waiting request checks for free memory without being woken. The request that should have
 * woken it may have been cancelled.
 */
const LOOKS_AFTER_MS = 1_000

interface Place {
  bytes: number
  readonly since_ms: number
}

const places = new Set<Place>()

/** The functions that wake the waiting requests, in the order of arrival. */
const waiting: (() => void)[] = []

/** The memory reserved for a body. */
export interface Room {
  /**
   * Sets the reserved memory to the size of the body's characters, after the body is read. The body may then use more
   * than the maximum. In this case, later bodies wait longer.
   */
  weigh(bytes: Uint8Array): void
  leave(): void
}

const NO_ROOM_NEEDED: Room = { weigh: () => {}, leave: () => {} }

/** Reserves memory for a body. Waits until enough memory is free; undefined if the maximum time is over. */
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
  // There may also be memory for the next waiting request.
  wakeNext()
  return {
    weigh: (read) => {
      if (hasTwoByteLetters(read)) place.bytes = 2 * read.length
    },
    leave: () => {
      places.delete(place)
      wakeNext()
    },
  }
}

/**
 * Waits in the queue until another request leaves or the timer ends. Returns the last position of this request, which
 * is 0 if it was woken. The timer belongs to this request. Without a timer, the runtime would cancel the request,
 * because none of its own work is pending.
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

/** Reserves memory for a body; undefined if not enough memory is free. */
function takePlace(bytes: number): Place | undefined {
  if (!hasRoom(bytes)) return undefined
  const place = { bytes, since_ms: Date.now() }
  places.add(place)
  return place
}

/**
 * The lowest first byte in UTF-8 of letters above U+00FF. If a string has such a letter, each letter takes two bytes.
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
