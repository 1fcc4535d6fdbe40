import { isRecord } from '../../ledger/model/json.ts'
import type { Dialect } from '../../provider-keys/providers.ts'
import type { MeteredApi } from '../dialect.ts'
import { ChatReading } from './chat-reading.ts'
import { type Delivered, MEDIA, OutputCount, textsOf } from './delivered.ts'
import { Searches } from './grounding.ts'
import { HAS_USAGE, type Json, listOf, parsed, Reading, recordOf } from './reading.ts'

const RESPONSE_END = /"response\.(?:completed|incomplete|failed)"/
const DELTA = textsOf('delta')
const SEALED = textsOf('encrypted_content')
/** The pattern of the type of an event about an image, or about an output item that can be an image. */
const IMAGE_EVENT = /"response\.(?:image_generation_call\.(?:partial_image|completed)|output_item\.done)"/
const IMAGE_CALL = /"type"\s*:\s*"image_generation_call"/g
const IMAGE_RESULT = /"result"\s*:\s*"/
const ITEM_ID = /"(?:item_)?id"\s*:\s*"([^"\\]{1,200})"/
const FIRST_PART = /"partial_image_index"\s*:\s*0\b/
/** The maximum number of images whose ids are compared. No response has more images. */
const MAX_IMAGE_IDS = 1_000

class ResponsesReading extends Reading {
  readonly delivered = new OutputCount('delta')
  private last: string | undefined
  /** The ids of the counted images. An image has several events: one for each preview, and one for its end. */
  private readonly images = new Set<string>()

  protected read(data: string): void {
    if (RESPONSE_END.test(data)) this.last = data
    else if (data.includes('audio.delta"')) this.delivered.addAudio(data, DELTA)
    else if (IMAGE_EVENT.test(data)) this.takeItem(data)
    else if (data.includes('"response.web_search_call.in_progress"')) this.delivered.searches += 1
    else if (data.includes('"response.file_search_call.in_progress"')) this.delivered.file_searches += 1
    else this.delivered.text(data)
  }

  private takeItem(data: string): void {
    const is_preview = data.includes('.partial_image"')
    const is_image = is_preview || data.includes('"response.image_generation_call.completed"')
    if (is_preview) this.delivered.partial_images += 1
    if (is_image || (data.includes('"image_generation_call"') && IMAGE_RESULT.test(data))) {
      this.addImage(data, is_preview)
    } else this.delivered.addSealed(data, SEALED)
  }

  /** Counts an image once. Without an id, a preview with the index zero begins an image. */
  private addImage(data: string, is_preview: boolean): void {
    const id = ITEM_ID.exec(data)?.[1]
    const is_new =
      id === undefined
        ? this.delivered.images === 0 || (is_preview && FIRST_PART.test(data))
        : !this.images.has(id) && this.images.size < MAX_IMAGE_IDS
    if (id !== undefined && is_new) this.images.add(id)
    if (is_new) this.delivered.images += 1
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
const TOOL_USE = /"type"\s*:\s*"server_tool_use"/
const WEB_SEARCH = /"name"\s*:\s*"web_search"/
const SIGNATURE = textsOf('signature')
const REDACTED = textsOf('data')
const COMPACTED = textsOf('content')

/**
 * Reads a stream of Anthropic's Messages API. `message_start` has the exact input tokens. Each `message_delta` has the
 * totals so far, which replace the totals of earlier events.
 */
class MessagesReading extends Reading {
  readonly delivered = new OutputCount('text|thinking|partial_json')
  private start: string | undefined
  private delta: string | undefined

  protected read(data: string): void {
    // `message_start` is sent once. The pattern includes `"type"`, because a tool can also have the name
    // `message_start`.
    if (this.start === undefined && START.test(data)) this.start = data
    else if (data.includes('"message_delta"') && HAS_USAGE.test(data)) this.delta = data
    else if (data.includes('"signature_delta"')) this.delivered.addSealed(data, SIGNATURE)
    else if (data.includes('"redacted_thinking"')) this.delivered.addSealed(data, REDACTED)
    else if (data.includes('"compaction_delta"')) this.delivered.addTexts(data, COMPACTED)
    else if (data.includes('"content_block_start"') && TOOL_USE.test(data) && WEB_SEARCH.test(data)) {
      this.delivered.searches += 1
    } else this.delivered.text(data)
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
    return { ...message, usage: { ...recordOf(message.usage), ...reportedIn(recordOf(delta)) } }
  }
}

const FINISH_REASON = /"finishReason"\s*:\s*"/
const INLINE_DATA = /"inline_?[dD]ata"/
const IMAGE_PART = /"mime_?[tT]ype"\s*:\s*"image\//g

/** Reads a stream of Gemini. Every chunk has the totals so far, so the usage of the last chunk is used. */
class GenerateReading extends Reading {
  readonly delivered = new OutputCount('text|code|output')
  private readonly searches = new Searches()
  private last: string | undefined
  private finished = false

  protected read(data: string): void {
    this.delivered.text(data)
    if (data.includes('"functionCall"')) this.delivered.addText(callsIn(data))
    if (INLINE_DATA.test(data)) {
      const images = data.match(IMAGE_PART)?.length ?? 0
      this.delivered.images += images
      if (images === 0) this.delivered.addAudio(data, MEDIA)
    }
    if (data.includes('"groundingMetadata"')) this.searches.add(data)
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
    const last = parsed(this.last)
    return last && this.searches.addTo(last)
  }
}

/**
 * Reads a stream of the APIs for images, speech or transcriptions. The last event of these streams contains the usage.
 */
class EventReading extends Reading {
  readonly delivered = new OutputCount('delta')
  private last: string | undefined
  private speaks = false
  private finished_images = 0

  protected read(data: string): void {
    if (HAS_USAGE.test(data)) this.last = data
    else if (data.includes('"speech.audio.delta"')) this.speaks = true
    else if (data.includes('.partial_image"')) {
      this.delivered.partial_images += 1
      this.delivered.images = Math.max(this.delivered.images, 1)
    } else {
      this.delivered.text(data)
      this.finished_images += data.match(IMAGE)?.length ?? 0
      this.delivered.images = Math.max(this.delivered.images, this.finished_images)
    }
  }

  override get refused(): boolean {
    return super.refused && !this.speaks
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

/** The pattern of a finished image, in an event of a stream or in a response that is not a stream. */
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

/**
 * Counts the text of a response that is not a stream. The count is used to estimate the usage if the response reports
 * none.
 */
export function deliveredText(dialect: Dialect, text: string): Delivered {
  const count = new OutputCount(
    dialect === 'openai' ? 'content|reasoning_content|text|arguments|input|refusal' : 'text|thinking',
  )
  count.text(text)
  if (dialect === 'openai') count.images = text.match(IMAGE_CALL)?.length ?? 0
  return count
}

/**
 * Returns the length of the function calls in a line, as JSON. The line must be parsed, because Gemini sends the
 * arguments of function calls as objects. If it cannot be parsed, because it was interrupted, all of it from the first
 * call on is counted.
 */
function callsIn(data: string): number {
  try {
    const event: unknown = JSON.parse(data)
    const candidates = listOf(isRecord(event) ? event.candidates : undefined)
    const parts = candidates.flatMap((candidate) => listOf(recordOf(recordOf(candidate).content).parts))
    const calls = parts.map((part) => recordOf(part).functionCall).filter((call) => call !== undefined)
    return calls.reduce<number>((bytes, call) => bytes + JSON.stringify(call).length, 0)
  } catch {
    return data.length - data.indexOf('"functionCall"')
  }
}

const INPUT_COUNTS = ['input_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens']

/**
 * Returns the counts of a later report that replace those of an earlier one. Counts that are null are not reported. If
 * all counts of the input are zero, they are not reported either: SGLang sends such zeros.
 */
function reportedIn(usage: Json): Json {
  const has_input = INPUT_COUNTS.some((name) => Number(usage[name]) > 0)
  return Object.fromEntries(
    Object.entries(usage).filter(
      ([name, value]) => value !== null && (has_input || !INPUT_COUNTS.includes(name)),
    ),
  )
}
