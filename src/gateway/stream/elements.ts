import type { Reading } from './readings.ts'

/**
 * Reads the elements of a JSON array while the array is relayed. Gemini streams an array to clients that do not
 * request events.
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
    if (this.depth > 0) this.begun = (this.begun + text.slice(start)).slice(0, MAX_ELEMENT)
    return [chunk]
  }

  end(): readonly Uint8Array[] {
    return []
  }
}

const MAX_ELEMENT = 16 * 1024 * 1024
