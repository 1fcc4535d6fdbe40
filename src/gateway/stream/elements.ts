import { bounded } from './bounded.ts'
import type { Reading } from './reading.ts'

/**
 * Reads the elements of a JSON array while the array is relayed. Gemini streams its response as an array if the client
 * does not request server-sent events.
 */
export class Elements {
  private readonly reading: Reading
  private readonly decoder = new TextDecoder('latin1')
  private begun = ''
  private depth = 0
  private inString = false
  private escaped = false

  constructor(reading: Reading) {
    this.reading = reading
  }

  pass(chunk: Uint8Array): readonly Uint8Array[] {
    const text = this.decoder.decode(chunk)
    let start = 0
    for (let at = 0; at < text.length; at++) {
      const sign = text[at]
      if (this.inString) {
        if (this.escaped) this.escaped = false
        else if (sign === '\\') this.escaped = true
        else if (sign === '"') this.inString = false
      } else if (sign === '"') this.inString = true
      else if (sign === '{') {
        if (this.depth === 0) start = at
        this.depth += 1
      } else if (sign === '}') {
        this.depth -= 1
        if (this.depth === 0) {
          this.reading.take(this.begun + text.slice(start, at + 1))
          this.begun = ''
        }
      }
    }
    if (this.depth > 0) this.begun = bounded(this.begun + text.slice(start))
    return [chunk]
  }

  end(): readonly Uint8Array[] {
    this.interrupt()
    return []
  }

  interrupt(): void {
    this.reading.takeInterrupted(this.begun)
    this.begun = ''
  }
}
