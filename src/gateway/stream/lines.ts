import type { Reading } from './readings.ts'

/**
 * Reads the lines of a stream of server-sent events. Chunks are relayed unchanged and immediately. If the gateway
 * requested a usage report that the client did not request, the event of that report is removed. Only in that case,
 * an unfinished line after the end of the answer is held back until its remaining bytes arrive.
 */
export class Lines {
  private readonly reading: Reading
  private readonly cuts: boolean
  private readonly decoder = new TextDecoder('latin1')
  /** The beginning of an unfinished line. */
  private begun = ''
  /** Bytes of `begun` that were not relayed yet. */
  private held: Uint8Array | undefined
  /** Whether the last line was a report. The blank line after it is removed too. */
  private inReport = false

  constructor(reading: Reading, cuts: boolean) {
    this.reading = reading
    this.cuts = cuts
  }

  /** Reads a chunk and returns the bytes to pass on. */
  pass(chunk: Uint8Array): readonly Uint8Array[] {
    const piece = this.decoder.decode(chunk)
    // Searches only the new bytes. A search of the whole line for each of its chunks would take quadratic time for a
    // line of many megabytes.
    if (!piece.includes('\n') && !this.held && !(this.cuts && this.reading.ended)) {
      this.begun = this.begun.length + piece.length > MAX_LINE ? '' : this.begun + piece
      return [chunk]
    }
    const bytes = this.held ? joined(this.held, chunk) : chunk
    const before = this.held ? 0 : this.begun.length
    this.held = undefined
    const text = this.begun + piece
    const kept: Uint8Array[] = []
    /** The positions in `text` of the first byte that is not relayed yet, and of the current line. */
    let from = before
    let at = 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', at)) {
      const isReport = this.read(text.slice(at, text[end - 1] === '\r' ? end - 1 : end))
      // Bytes that were already relayed cannot be removed.
      if (isReport && at >= before) {
        if (at > from) kept.push(bytes.subarray(from - before, at - before))
        from = end + 1
      }
      at = end + 1
    }
    this.begun = text.length - at > MAX_LINE ? '' : text.slice(at)
    const waits = this.cuts && this.begun !== '' && at >= before && this.reading.ended
    const to = waits ? at : text.length
    if (waits) this.held = bytes.slice(at - before)
    if (from === 0 && before === 0 && to === text.length) return [bytes]
    if (to > from) kept.push(bytes.subarray(from - before, to - before))
    return kept
  }

  /** Returns the bytes of an unfinished last line. Some providers end their last line without a line break. */
  end(): readonly Uint8Array[] {
    const rest = this.held
    this.held = undefined
    const isReport = this.begun !== '' && this.read(this.begun)
    return rest && !isReport ? [rest] : []
  }

  /** Reads a line. Returns true if it belongs to a removed report. */
  private read(line: string): boolean {
    const endsReport = this.inReport && line === ''
    this.inReport = false
    if (!line.startsWith('data:')) return endsReport
    const data = line.slice('data:'.length)
    this.reading.take(data)
    this.inReport = this.cuts && this.reading.isReport(data)
    return this.inReport
  }
}

/** The maximum length of a line. A longer line is relayed but not read. */
const MAX_LINE = 16 * 1024 * 1024

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
