import { isRecord } from '../../ledger/model/json.ts'
import type { Dialect } from '../../provider-keys/providers.ts'
import type { MeteredApi } from '../dialect.ts'
import { type Delivered, OutputCount, textsOf } from './delivered.ts'

/**
 * The usage that a stream of one API reports in its data lines. Lines with usage are parsed only when the usage is
 * needed.
 */
export interface Reading {
  /** Reads the text of a line, decoded as Latin-1. */
  take(data: string): void
  /** Whether the provider has reported the usage of the whole answer. */
  readonly complete: boolean
  /** Whether the answer has ended. Only its usage may follow. */
  readonly ended: boolean
  /** Reports whether a line is the usage report that only the gateway requested. */
  isReport(data: string): boolean
  /**
   * Returns the last state that the provider reported, in the form of its whole answer; undefined if it reported
   * none.
   */
  reported(): Readonly<Record<string, unknown>> | undefined
  readonly delivered: Delivered
}

const HAS_USAGE = /"usage"\s*:\s*\{/
const NO_CHOICES = /"choices"\s*:\s*\[\s*\]/
const FINISH = /"finish_reason"\s*:\s*"/
/** Matches the base64 text of audio in chat completions and of media of Gemini. */
const MEDIA = textsOf('data')
const IMAGE_URL = /"url"\s*:\s*"data:image\//g

class ChatReading implements Reading {
  readonly delivered = new OutputCount('content|reasoning_content|reasoning|arguments|refusal|transcript')
  private last: string | undefined
  private hasReport = false
  private finished = false

  take(data: string): void {
    this.delivered.text(data)
    if (data.includes('"audio"')) this.delivered.addAudio(data, MEDIA)
    if (data.includes('"images"')) this.delivered.images += data.match(IMAGE_URL)?.length ?? 0
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
const DELTA = textsOf('delta')
const SEALED = textsOf('encrypted_content')
const FIRST_PART = /"partial_image_index"\s*:\s*0\b/

class ResponsesReading implements Reading {
  readonly delivered = new OutputCount('delta')
  readonly isReport = never
  private last: string | undefined

  take(data: string): void {
    if (RESPONSE_END.test(data)) this.last = data
    else if (data.includes('audio.delta"')) this.delivered.addAudio(data, DELTA)
    else if (data.includes('"response.image_generation_call.partial_image"')) {
      this.delivered.partial_images += 1
      // The index begins at zero for each image.
      if (FIRST_PART.test(data) || this.delivered.images === 0) this.delivered.images += 1
    } else if (data.includes('"response.web_search_call.in_progress"')) this.delivered.searches += 1
    else if (data.includes('"response.output_item.done"')) this.delivered.addSealed(data, SEALED)
    else this.delivered.text(data)
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
const SEARCH = /"type"\s*:\s*"server_tool_use".*"name"\s*:\s*"web_search"/
const SIGNATURE = textsOf('signature')
const REDACTED = textsOf('data')

/**
 * Reads a stream of messages of Anthropic. `message_start` has the exact input. Each `message_delta` has the totals
 * so far, which replace the earlier totals.
 */
class MessagesReading implements Reading {
  readonly delivered = new OutputCount('text|thinking|partial_json')
  readonly isReport = never
  private start: string | undefined
  private delta: string | undefined

  take(data: string): void {
    // The event is sent once. It is identified by its type, because a tool may have the same name.
    if (this.start === undefined && START.test(data)) this.start = data
    else if (data.includes('"message_delta"') && HAS_USAGE.test(data)) this.delta = data
    else if (data.includes('"signature_delta"')) this.delivered.addSealed(data, SIGNATURE)
    else if (data.includes('"redacted_thinking"')) this.delivered.addSealed(data, REDACTED)
    else if (data.includes('"content_block_start"') && SEARCH.test(data)) this.delivered.searches += 1
    else this.delivered.text(data)
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
const INLINE_DATA = /"inline_?[dD]ata"/
const IMAGE_PART = /"mime_?[tT]ype"\s*:\s*"image\//g

/** Reads a stream of Gemini. Every chunk has the totals so far, so the last totals are used. */
class GenerateReading implements Reading {
  readonly delivered = new OutputCount('text|code|output')
  readonly isReport = never
  private last: string | undefined
  private finished = false

  take(data: string): void {
    this.delivered.text(data)
    if (data.includes('"functionCall"')) this.delivered.addText(callsIn(data))
    if (INLINE_DATA.test(data)) {
      const images = data.match(IMAGE_PART)?.length ?? 0
      this.delivered.images += images
      if (images === 0) this.delivered.addAudio(data, MEDIA)
    }
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

/** Reads a stream of images, speech or a transcription. Its last event contains the usage. */
class EventReading implements Reading {
  readonly delivered = new OutputCount('delta')
  readonly isReport = never
  private last: string | undefined

  take(data: string): void {
    if (HAS_USAGE.test(data)) this.last = data
    else if (data.includes('.partial_image"')) {
      this.delivered.partial_images += 1
      this.delivered.images = Math.max(this.delivered.images, 1)
    } else {
      this.delivered.text(data)
      this.delivered.images += data.match(IMAGE)?.length ?? 0
    }
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

/** Matches a finished image, in an event or in an answer that is not a stream. */
const IMAGE = /"(?:b64_json|url)"\s*:\s*"/g

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

/** Reads the output of an answer that is not a stream, for an estimate of an answer without usage. */
export function deliveredText(dialect: Dialect, text: string): Delivered {
  const count = new OutputCount(dialect === 'openai' ? 'content|text|arguments|refusal' : 'text|thinking')
  count.text(text)
  return count
}

/** Returns the length of the function calls in a line, as JSON. Gemini sends their arguments as objects. */
function callsIn(data: string): number {
  const candidates = parsed(data)?.candidates
  let bytes = 0
  for (const candidate of listOf(candidates)) {
    for (const part of listOf(recordOf(recordOf(candidate).content).parts)) {
      const { functionCall } = recordOf(part)
      if (functionCall !== undefined) bytes += JSON.stringify(functionCall).length
    }
  }
  return bytes
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
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

/** Removes nulls, so that a null in a later report does not replace an earlier number. */
function known(usage: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== null))
}
