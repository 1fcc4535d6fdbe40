/**
 * Reads a whole body; undefined if it is longer than `max_bytes`. Uses the reader of the stream, because a `for
 * await` over a stream of the runtime takes 300 us longer for one chunk.
 */
export async function readUpTo(
  body: ReadableStream<Uint8Array> | null,
  max_bytes: number,
): Promise<Uint8Array | undefined> {
  if (!body) return new Uint8Array()
  const reader = body.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    length += next.value.length
    if (length > max_bytes) {
      await reader.cancel()
      return undefined
    }
    chunks.push(next.value)
  }
  const [only] = chunks
  return only && chunks.length === 1 ? only : Buffer.concat(chunks)
}
