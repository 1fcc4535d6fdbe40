/** The length of a large body. The Worker always reads smaller bodies immediately. */
const LARGE_BYTES = 256 * 1024

/**
 * The bytes of large bodies that an isolate works on at once. From its text to its answer a body takes about ten times
 * its bytes of memory, and an isolate of 128 MB is shared.
 */
const MAX_BYTES_AT_ONCE = 5 * 1024 * 1024

const MAX_WAIT_MS = 10_000
/** A request whose client has disconnected is cancelled without notice. After this time, its room is free again. */
const MAX_HELD_MS = 30_000
/**
 * A waiting request checks for room by itself after this time, because the request that was woken last may have been
 * cancelled.
 */
const LOOKS_AFTER_MS = 1_000

interface Place {
  bytes: number
  readonly since_ms: number
}

const places = new Set<Place>()

/** Wakes the waiting requests in the order of their arrival. */
const waiting: (() => void)[] = []

/** The memory reserved for a body. */
export interface Room {
  /**
   * Reserves the memory that the body's characters occupy, once it is read. The body keeps its room if it needs more
   * than was reserved; later bodies wait longer.
   */
  weigh(bytes: Uint8Array): void
  leave(): void
}

const NO_ROOM_NEEDED: Room = { weigh: () => {}, leave: () => {} }

/** Waits until there is room for a body; undefined if the time runs out first. */
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
  // There may be room for the next one, too.
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
 * Waits in the queue until another request leaves, and returns its last position: the first one if it was
 * woken. The timer belongs to this request, so that the runtime does not take the request for one that waits
 * for nothing.
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

/** Takes a place for a body; undefined if there is no room. */
function takePlace(bytes: number): Place | undefined {
  if (!hasRoom(bytes)) return undefined
  const place = { bytes, since_ms: Date.now() }
  places.add(place)
  return place
}

/** The first byte of letters above U+00FF, in UTF-8: with one of them, each letter of a string takes two bytes. */
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
