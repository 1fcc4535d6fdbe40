import { isRecord } from '../../ledger/model/json.ts'
import type { Dialect } from '../../provider-keys/providers.ts'
import type { MeteredApi } from '../dialect.ts'

/** The usage that a stream of one API reports in its lines of data. Lines stay text until the usage is needed. */
export interface Reading {
  /** Takes the text of a line, as Latin-1. */
  take(data: string): void
  /** Whether the provider has reported the usage of the whole answer. */
  readonly complete: boolean
  /** Whether the answer has ended, so that only its usage may follow. */
  readonly ended: boolean
  /** Whether a line is the usage report that only the gateway requested. */
  isReport(data: string): boolean
  /** The last state that the provider reported, in the form of its whole answer; undefined for none. */
  reported(): Readonly<Record<string, unknown>> | undefined
  readonly delivered: Delivered
}

/** The output of a stream, counted from its lines. */
export interface Delivered {
  /** Lines with output. */
  readonly pieces: number
  /** Bytes of output, as JSON text. */
  readonly bytes: number
}

/** Bytes of output of a token. A provider sends at least one token a line. */
const BYTES_A_TOKEN = 4

/** Estimates the delivered output tokens. */
export function deliveredTokens({ pieces, bytes }: Delivered): number {
  return Math.max(pieces, Math.ceil(bytes / BYTES_A_TOKEN))
}

/** Counts the texts of some fields in a line, without parsing it. */
class OutputCount implements Delivered {
  pieces = 0
  bytes = 0
  private readonly pattern: RegExp

  constructor(fields: string) {
    this.pattern = new RegExp(`"(?:${fields})"\\s*:\\s*"([^"\\\\]*(?:\\\\.[^"\\\\]*)*)"`, 'g')
  }

  take(data: string): void {
    this.pattern.lastIndex = 0
    let bytes = 0
    for (let found = this.pattern.exec(data); found; found = this.pattern.exec(data)) {
      bytes += found[1]?.length ?? 0
    }
    if (bytes === 0) return
    this.pieces += 1
    this.bytes += bytes
  }
}

const HAS_USAGE = /"usage"\s*:\s*\{/
const NO_CHOICES = /"choices"\s*:\s*\[\s*\]/
const FINISH = /"finish_reason"\s*:\s*"/

class ChatReading implements Reading {
  readonly delivered = new OutputCount('content|reasoning_content|reasoning|arguments|refusal')
  private last: string | undefined
  private hasReport = false
  private finished = false

  take(data: string): void {
    this.delivered.take(data)
    if (FINISH.test(data)) this.finished = true
    if (!HAS_USAGE.test(data)) return
    this.last = data
    this.hasReport = NO_CHOICES.test(data)
  }

  get complete(): boolean {
    return this.last !== undefined && (this.finished || this.hasReport)
  }

  get ended(): boolean {
    return this.finished
  }

  isReport(data: string): boolean {
    return HAS_USAGE.test(data) && NO_CHOICES.test(data)
  }

  reported() {
    return parsed(this.last)
  }
}

const RESPONSE_END = /"response\.(?:completed|incomplete|failed)"/

class ResponsesReading implements Reading {
  readonly delivered = new OutputCount('delta')
  readonly isReport = never
  private last: string | undefined

  take(data: string): void {
    if (RESPONSE_END.test(data)) this.last = data
    else this.delivered.take(data)
  }

  get complete(): boolean {
    return this.last !== undefined && HAS_USAGE.test(this.last)
  }

  get ended(): boolean {
    return this.last !== undefined
  }

  reported() {
    if (!this.complete) return undefined
    const response = parsed(this.last)?.response
    return isRecord(response) ? response : undefined
  }
}

const STOP = /"stop_reason"\s*:\s*"/
const START = /"type"\s*:\s*"message_start"/

/** `message_start` has the exact input; `message_delta` repeats the totals so far, which replace the earlier ones. */
class MessagesReading implements Reading {
  readonly delivered = new OutputCount('text|thinking|partial_json')
  readonly isReport = never
  private start: string | undefined
  private delta: string | undefined

  take(data: string): void {
    // The event is sent once. It is found by its type, because a tool may have any name.
    if (this.start === undefined && START.test(data)) this.start = data
    else if (data.includes('"message_delta"') && HAS_USAGE.test(data)) this.delta = data
    else this.delivered.take(data)
  }

  get complete(): boolean {
    return this.delta !== undefined && STOP.test(this.delta)
  }

  get ended(): boolean {
    return this.complete
  }

  reported() {
    const message = parsed(this.start)?.message
    const delta = parsed(this.delta)?.usage
    if (!isRecord(message)) return isRecord(delta) ? { usage: delta } : undefined
    return { ...message, usage: { ...recordOf(message.usage), ...known(recordOf(delta)) } }
  }
}

const FINISH_REASON = /"finishReason"\s*:\s*"/

/** Every chunk has the totals so far. The last totals count. */
class GenerateReading implements Reading {
  readonly delivered = new OutputCount('text')
  readonly isReport = never
  private last: string | undefined
  private finished = false

  take(data: string): void {
    this.delivered.take(data)
    if (FINISH_REASON.test(data)) this.finished = true
    if (data.includes('"usageMetadata"')) this.last = data
  }

  get complete(): boolean {
    return this.finished && this.last !== undefined
  }

  get ended(): boolean {
    return this.finished
  }

  reported() {
    return parsed(this.last)
  }
}

/** Streams of speech and transcriptions end with an event that contains the usage. */
class EventReading implements Reading {
  readonly delivered = new OutputCount('delta|audio|b64_json')
  readonly isReport = never
  private last: string | undefined

  take(data: string): void {
    if (HAS_USAGE.test(data)) this.last = data
    else this.delivered.take(data)
  }

  get complete(): boolean {
    return this.last !== undefined
  }

  get ended(): boolean {
    return this.complete
  }

  reported() {
    return parsed(this.last)
  }
}

export function readingOf(api: MeteredApi): Reading {
  switch (api) {
    case 'chat':
      return new ChatReading()
    case 'responses':
      return new ResponsesReading()
    case 'messages':
      return new MessagesReading()
    case 'generate':
    case 'embed':
      return new GenerateReading()
    default:
      return new EventReading()
  }
}

/** The text of an answer that is not a stream, for an estimate of an answer without usage. */
export function deliveredText(dialect: Dialect, text: string): Delivered {
  const count = new OutputCount(dialect === 'openai' ? 'content|text|arguments|refusal' : 'text|thinking')
  count.take(text)
  return count
}

function never(): boolean {
  return false
}

function parsed(data: string | undefined): Readonly<Record<string, unknown>> | undefined {
  if (data === undefined) return undefined
  try {
    const value: unknown = JSON.parse(data)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {}
}

/** A null in a later report does not replace an earlier number. */
function known(usage: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== null))
}
