import { bounded } from './bounded.ts'
import { parsed, type Reading } from './reading.ts'

/**
 * Reads a stream of server-sent events and relays the chunks unchanged and immediately. There is one exception. If only
 * the gateway requested the usage report, and not the client, the event with the report is removed. For this, an
 * unfinished line is held back until its last byte arrives, as soon as the usage report can follow (`ended`). An event
 * whose JSON has several lines is then held back until its end.
 */
export class Lines {
  private readonly reading: Reading
  private readonly cuts: boolean
  private readonly decoder = new TextDecoder('latin1')
  /** The part of an unfinished line that has arrived. */
  private begun = ''
  /** The data of an unfinished event, if its JSON has several lines. */
  private data: string | undefined
  /** The chunks that are held back: those of `begun`, and of the lines of `data`. Undefined if all were relayed. */
  private held: Uint8Array[] | undefined
  /** Whether the last line was a usage report to remove. The blank line after the report is also removed. */
  private inReport = false
  /** Whether the stream has a carriage return. A stream without one is searched only for line feeds. */
  private hasCr = false
  /** Whether `begun` ends with a carriage return. To read its last character would copy the whole line. */
  private atCr = false
  /** Whether the stream has ended. */
  private isOver = false
  /** The line breaks that the last relayed event lacks. */
  missing: '' | '\n' | '\n\n' = ''

  constructor(reading: Reading, cuts: boolean) {
    this.reading = reading
    this.cuts = cuts
  }

  /** Reads a chunk and returns the bytes to relay to the client. */
  pass(chunk: Uint8Array): readonly Uint8Array[] {
    const piece = this.decoder.decode(chunk)
    this.hasCr ||= piece.includes('\r')
    const text = this.begun + piece
    // Only the new bytes are searched for a line break. If every chunk caused a search or a copy of the whole line, a
    // line of many megabytes would take quadratic time.
    if (!piece.includes('\n') && !piece.includes('\r') && !this.atCr && this.isBegun) {
      return this.continued(text, chunk)
    }
    const bytes = this.held ? Buffer.concat([...this.held, chunk]) : chunk
    const kept: Uint8Array[] = []
    /**
     * Positions in `text`: `before` is the first of `bytes`, `from` is the first byte that is not relayed yet, `at` is
     * the beginning of the current line, and `start` of its event, if the event has several lines. Positions in earlier
     * lines are negative.
     */
    const before = text.length - bytes.length
    let from = before
    let at = 0
    let start = this.held ? before : Number.NEGATIVE_INFINITY
    this.held = undefined
    const searched = Math.max(0, this.begun.length - 1)
    for (let end = this.breakIn(text, searched); end !== -1; end = this.breakIn(text, at)) {
      const begin = this.data === undefined ? at : start
      const isReport = this.read(text.slice(at, end))
      if (this.data !== undefined) start = begin
      at = text.startsWith('\r\n', end) ? end + 2 : end + 1
      // A report whose first bytes were already relayed is not removed.
      if (isReport && begin >= before) {
        if (begin > from) kept.push(bytes.subarray(from - before, begin - before))
        from = at
      }
    }
    const rest = text.slice(at)
    this.begun = bounded(rest)
    this.atCr = rest.endsWith('\r')
    const open = this.data === undefined ? at : start
    // A line that is too long is not held back, and neither is a blank line, except after a report.
    const isOpen = this.data !== undefined || this.inReport || rest !== '\r'
    const waits =
      this.cuts && this.reading.ended && isOpen && open < text.length && open >= before && this.begun === rest
    const to = waits ? open : text.length
    if (waits) this.held = [bytes.slice(open - before)]
    if (from === before && to === text.length && kept.length === 0) return [bytes]
    if (to > from) kept.push(bytes.subarray(from - before, to - before))
    return kept
  }

  /** Whether the next bytes continue a line whose bytes were held back or relayed, or cannot begin a report. */
  private get isBegun(): boolean {
    const mayBegin = this.cuts && this.reading.ended && this.data === undefined
    return this.held !== undefined || this.begun !== '' || !mayBegin
  }

  /** Adds a chunk without a line break to the unfinished line. `text` is the line with the chunk. */
  private continued(text: string, chunk: Uint8Array): readonly Uint8Array[] {
    const { held } = this
    this.begun = bounded(text)
    held?.push(chunk)
    if (held && this.begun === text) return []
    this.held = undefined
    return held ?? [chunk]
  }

  /**
   * Reads the last line if it has no line break, and returns the bytes that were held back. Some providers end a stream
   * without a line break.
   */
  end(): readonly Uint8Array[] {
    const rest = this.held ?? []
    this.held = undefined
    this.isOver = true
    const { begun } = this
    const ends = this.atCr
    let isReport = begun !== '' && this.read(ends ? begun.slice(0, -1) : begun)
    if (begun !== '' && !ends) this.missing = '\n\n'
    if (this.data !== undefined) isReport = this.takeData(this.data)
    if (isReport) this.missing = ''
    return isReport ? [] : rest
  }

  /** Counts the output in the last event, if the stream was interrupted within this event. */
  interrupt(): void {
    const { data = '', begun } = this
    this.reading.takeInterrupted(data + begun)
    this.data = undefined
    this.begun = ''
  }

  /**
   * Returns the position of the next line break; -1 if there is none. A carriage return at the end of the text is not
   * returned, because a line feed can follow.
   */
  private breakIn(text: string, from: number): number {
    const lf = text.indexOf('\n', from)
    const cr = this.hasCr ? text.indexOf('\r', from) : -1
    if (cr === -1 || (lf !== -1 && lf < cr)) return lf
    return cr === text.length - 1 ? -1 : cr
  }

  /** Reads a line. Returns true if the line belongs to a usage report that must be removed, or ends such a report. */
  private read(line: string): boolean {
    const endsReport = this.inReport && line === ''
    this.inReport = false
    if (!endsReport) this.missing = line === '' ? '' : '\n'
    if (line === '' && this.data !== undefined) return this.takeData(this.data)
    if (!line.startsWith('data:')) return endsReport
    const data = line.slice('data:'.length)
    if (this.data !== undefined || !isComplete(data)) {
      this.data = bounded(this.data === undefined ? data : `${this.data}\n${data}`)
      return false
    }
    this.inReport = this.takeData(data)
    return this.inReport
  }

  /** Reads the data of an event. Returns true if it is a usage report that must be removed. */
  private takeData(data: string): boolean {
    this.data = undefined
    // A provider can end a stream within an event.
    if (this.isOver && data.trim().startsWith('{') && !parsed(data)) this.reading.takeInterrupted(data)
    else this.reading.take(data)
    const isReport = this.cuts && this.reading.isReport(data)
    if (isReport) this.missing = ''
    return isReport
  }
}

/**
 * Returns whether a line contains the whole data of its event. It does not if it begins a JSON text that it does not
 * end. The other lines are read at once and not at the end of the event, which an interrupted stream can lack.
 */
function isComplete(data: string): boolean {
  const text = data.trim()
  if (text.startsWith('{')) return text.endsWith('}')
  return !text.startsWith('[') || text.endsWith(']')
}
