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
  bytes: number
  readonly since_ms: number
}

const places = new Set<Place>()

/** The room of a body. */
export interface Room {
  /**
   * Reserves the memory that the body's characters occupy, once it is read. It keeps its room, and later bodies wait
   * for more.
   */
  weigh(bytes: Uint8Array): void
  leave(): void
}

const NO_ROOM_NEEDED: Room = { weigh: () => {}, leave: () => {} }

/** Waits until there is room for a body; undefined if there is none in time. */
export async function roomFor(bytes: number): Promise<Room | undefined> {
  if (bytes <= LARGE_BYTES) return NO_ROOM_NEEDED
  const until_ms = Date.now() + MAX_WAIT_MS
  // A timer of its own request: a promise that another request resolves may be dropped with that request.
  while (!hasRoom(bytes)) {
    if (Date.now() >= until_ms) return undefined
    await sleep(POLL_MS)
  }
  const place = { bytes, since_ms: Date.now() }
  places.add(place)
  return {
    weigh: (read) => {
      if (hasTwoByteLetters(read)) place.bytes = 2 * read.length
    },
    leave: () => {
      places.delete(place)
    },
  }
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
