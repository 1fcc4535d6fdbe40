import { isRecord } from '../../ledger/model/json.ts'
import type { Dialect } from '../../provider-keys/providers.ts'
import type { MeteredApi } from '../dialect.ts'
import { subtitlesEnd } from '../request/audio.ts'
import type { UploadedAudio } from '../request/upload.ts'
import type { Used } from '../settlement.ts'
import { bounded, withoutLongStrings } from './bounded.ts'
import { type Delivered, isNothing, NOTHING } from './delivered.ts'
import { Elements } from './elements.ts'
import { Lines } from './lines.ts'
import { isError, modelOf, parsed, type Reading } from './reading.ts'
import { deliveredText, readingOf } from './readings.ts'

/** The properties of a call and its response that determine how the response is read. */
export interface ResponseFormat {
  readonly api: MeteredApi
  readonly dialect: Dialect
  /** The content type of the response; empty if the response has none. */
  readonly type: string
  /** Whether the usage report is removed, because only the gateway requested it. */
  readonly cuts: boolean
  /** The upload to which the response belongs; undefined if the call has none. */
  readonly upload: UploadedAudio | undefined
}

type Read = Omit<Used, 'why'>

/**
 * Reads a response while it is relayed. The first byte that is not white space selects the format, because some
 * providers send JSON to a call that requested a stream, or send a stream or JSON under another content type.
 */
export class ResponseReader {
  private readonly format: ResponseFormat
  private readonly reading: Reading
  private parts: Parts | undefined

  constructor(format: ResponseFormat) {
    this.format = format
    this.reading = readingOf(format.api)
    // Audio can begin with any byte.
    if (format.api === 'speech' && !/text|json/.test(format.type)) this.parts = new Unread()
  }

  /** Reads a chunk and returns the bytes to relay to the client. */
  pass(chunk: Uint8Array): readonly Uint8Array[] {
    if (this.parts) return this.parts.pass(chunk)
    const at = chunk.findIndex((byte) => !BLANK.has(byte))
    if (at === -1) return [chunk]
    this.parts = this.partsFrom(chunk[at])
    if (at === 0) return this.parts.pass(chunk)
    return [chunk.subarray(0, at), ...this.parts.pass(chunk.subarray(at))]
  }

  /** Returns the bytes that are still held back when the response ends. */
  end(): readonly Uint8Array[] {
    return this.parts?.end() ?? []
  }

  /** Counts the output in the last event, if the response was interrupted within this event. */
  interrupt(): void {
    this.parts?.interrupt()
  }

  /**
   * Returns the line breaks that a comment at the end of a stream of server-sent events needs before it; undefined if
   * the response is no such stream.
   */
  get missing(): string | undefined {
    return this.parts instanceof Lines ? this.parts.missing : undefined
  }

  /** The output so far. A response that is a single JSON object is counted only by `used`. */
  get delivered(): Delivered {
    return this.reading.delivered
  }

  /** Returns the usage that the response has reported so far, and its output. */
  used(): Read {
    const { parts, reading } = this
    if (parts instanceof Page || (!parts && isPage(this.format.type, ''))) return PAGE
    if (parts instanceof Whole) return wholeUsage(this.format, parts.text)
    const { complete, delivered, model, refused } = reading
    return { reported: reading.reported(), complete, delivered, model, refused }
  }

  private partsFrom(byte = 0): Parts {
    const { type, cuts } = this.format
    const first = String.fromCharCode(byte)
    if (isPage(type, first)) return new Page()
    if (first === '[' || (first === '{' && /ndjson|jsonl/.test(type))) return new Elements(this.reading)
    return first === '{' ? new Whole() : new Lines(this.reading, cuts)
  }
}

interface Parts {
  pass(chunk: Uint8Array): readonly Uint8Array[]
  end(): readonly Uint8Array[]
  interrupt(): void
}

/** A response whose content is not read, such as audio, which contains no usage. */
class Unread implements Parts {
  pass(chunk: Uint8Array): readonly Uint8Array[] {
    return [chunk]
  }

  end(): readonly Uint8Array[] {
    return []
  }

  interrupt(): void {}
}

class Page extends Unread {}

/** A response that is a single JSON object. */
class Whole extends Unread {
  text = ''
  private readonly decoder = new TextDecoder('latin1')

  override pass(chunk: Uint8Array): readonly Uint8Array[] {
    this.text = bounded(this.text + this.decoder.decode(chunk))
    return [chunk]
  }
}

/** The bytes that can precede a response: white space, and the three bytes of a byte order mark. */
const BLANK: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf])
/** The pattern of the same bytes at the beginning of a text that is decoded as Latin-1. */
const LEADING_BLANK = /^[ \t\n\r\u00ef\u00bb\u00bf]+/

/**
 * Returns whether a response is an HTML page. Such a page does not come from the provider, but from a proxy between the
 * gateway and the provider. JSON and streams with the content type of HTML come from the provider.
 */
function isPage(type: string, start: string): boolean {
  return type.includes('text/html') && (start === '' || start.startsWith('<'))
}

const PAGE: Read = {
  reported: undefined,
  complete: false,
  delivered: NOTHING,
  model: undefined,
  refused: true,
}

/** The pattern of the beginning of a stream of server-sent events. */
const EVENTS = /^(?:data|event|id|retry)?:/

/** Returns the usage of a whole response to a call that requested no stream. */
export function usageIn(format: ResponseFormat, bytes: Uint8Array): Read {
  const text = new TextDecoder('latin1').decode(bytes).replace(LEADING_BLANK, '')
  if (isPage(format.type, text)) return PAGE
  // The text of a transcription can begin as the text of an event does.
  if (format.api === 'transcriptions' || !EVENTS.test(text)) return wholeUsage(format, text)
  const reader = new ResponseReader(format)
  reader.pass(bytes)
  reader.end()
  return reader.used()
}

/**
 * The length in bytes above which long strings, such as images in base64, are removed before a response is parsed. The
 * parsed strings would take as much memory as the response itself.
 */
const LONG_RESPONSE = 1024 * 1024

/** The APIs whose responses have no text to estimate. */
const WITHOUT_TEXT: ReadonlySet<MeteredApi> = new Set(['images', 'embeddings', 'embed'])

/**
 * Returns the usage that the text of a response reports. Also returns the output in the text, for an estimate if the
 * report is not complete or cannot be read.
 */
function wholeUsage({ api, dialect, upload }: ResponseFormat, text: string): Read {
  const reported = parsed(text.length > LONG_RESPONSE ? withoutLongStrings(text) : text)
  const hasUsage = isRecord(reported?.usage) || isRecord(reported?.usageMetadata)
  // The field `data` has the images of a response. It is empty if the provider has filtered all of them.
  const data = reported?.data
  const is_empty = api === 'images' && Array.isArray(data) && data.length === 0
  const failed = !hasUsage && (is_empty || (isError(reported) && data === undefined))
  // A response with images, or with the duration of a transcription, can be charged without a usage report.
  const complete =
    reported !== undefined &&
    !failed &&
    (hasUsage || api === 'images' || (api === 'transcriptions' && reported.duration !== undefined))
  // Images are counted by the request, and embeddings have no output. Both can be long.
  const delivered = complete && WITHOUT_TEXT.has(api) ? NOTHING : deliveredText(dialect, text)
  return {
    reported: complete ? reported : undefined,
    complete,
    delivered,
    subtitles_ms: upload?.subtitles ? subtitlesEnd(text) : undefined,
    model: reported && modelOf(reported),
    refused: failed && isNothing(delivered),
  }
}
