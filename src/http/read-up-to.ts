/** A wait in the middle of a body. Once the body exceeds `bytes` bytes, it is read on only if `wait` returns true. */
export interface Pause {
  readonly bytes: number
  readonly wait: () => Promise<boolean>
}

/**
 * Reads a whole body. Returns undefined if the body is longer than `max_bytes`, or if `pause` stops it. Uses the reader
 * of the stream, because a `for await` loop over a stream of the runtime takes 300 us longer for a body with one chunk.
 */
export async function readUpTo(
  body: ReadableStream<Uint8Array> | null,
  max_bytes: number,
  pause?: Pause,
): Promise<Uint8Array | undefined> {
  if (!body) return new Uint8Array()
  const reader = body.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    const before = length
    length += next.value.length
    const pauses = pause !== undefined && before <= pause.bytes && length > pause.bytes
    if (length > max_bytes || (pauses && !(await pause.wait()))) {
      await reader.cancel()
      return undefined
    }
    chunks.push(next.value)
  }
  const [only] = chunks
  return only && chunks.length === 1 ? only : Buffer.concat(chunks)
}
