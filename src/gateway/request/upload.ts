import { Chunks } from '../../http/read-up-to.ts'
import { withDeadline } from '../../time/durations.ts'
import { AUDIO_BYTES_A_SECOND, AudioMeter } from './audio.ts'
import { type BodyProblem, declaredLength } from './body.ts'
import { boundaryOf, FormReader } from './multipart.ts'

/** Reads audio uploads. Relays an upload while it arrives, and reads only the form fields that affect the price. */

export const MAX_UPLOAD_BYTES = 25 * 1024 * 1024
/**
 * The minimum number of bytes of an upload that are read before the call is priced. If the form field `model` is in
 * later bytes, it is read while the upload is relayed.
 */
const HEAD_BYTES = 64 * 1024
/** The maximum number of bytes that are read from a refused upload, and the maximum time for it. */
const MAX_DISCARDED_BYTES = 64 * 1024
const DISCARD_MS = 1_000
/** The fields with which some providers accept audio that is not in the form. */
const REFERENCES = ['url', 'file_url', 'file_id']

/** The values of an upload that affect the price of the call. They can change while the upload is relayed. */
export interface UploadedAudio {
  /** The value of the form field `model`; undefined until the field was read. */
  readonly model: string | undefined
  /** Whether the response is requested as subtitles, which contain times. */
  readonly subtitles: boolean
  /** The largest possible size of the audio in bytes: that of the body, or the maximum if the size is unknown. */
  readonly most_audio_bytes: number
  /** The lowest expected number of bytes per second of the audio. */
  readonly lowest_rate: number
  /** The duration of the audio that was relayed so far, in milliseconds. */
  readonly ms: number
  /** Whether `ms` was measured and not estimated. */
  readonly exact: boolean
  /** Whether the whole upload was relayed to the provider. */
  readonly complete: boolean
}

export interface Upload extends UploadedAudio {
  /** The declared length of the body in bytes, or the maximum length if no length is declared. */
  readonly most_bytes: number
  /** The first `HEAD_BYTES` bytes of the body, decoded as Latin-1. */
  readonly head: string
  /**
   * Returns the body as a stream, with the declared length if there is one. If the model is read only while the upload
   * is relayed, calls `admitModel`, and relays the rest only if it returns true. The stream never ends if the upload is
   * broken.
   */
  readonly body: (admitModel: () => Promise<boolean>) => ReadableStream<Uint8Array>
  /**
   * Aborts if the upload cannot be relayed completely: it has a problem, its model is refused, or its client
   * disconnected. The request to the provider must then be aborted. Otherwise, the provider could receive a part of the
   * upload as a whole request.
   */
  readonly broken: AbortSignal
  /** The problem of a broken upload; undefined if there is none so far. */
  readonly problem: BodyProblem | undefined
}

/**
 * Reads the beginning of an upload. Returns a problem if the body is not a form that can be relayed. The rest of the
 * upload can still have a problem.
 */
export async function readUpload({ headers, body }: Request): Promise<Upload | BodyProblem> {
  const type = headers.get('Content-Type') ?? ''
  const encoding = headers.get('Content-Encoding') ?? 'identity'
  if (!/^multipart\/form-data\s*(?:;|$)/i.test(type) || encoding !== 'identity' || !body) {
    return { kind: 'unsupported' }
  }
  const boundary = boundaryOf(type)
  if (boundary === undefined) {
    return {
      kind: 'invalid',
      error: { path: '', message: 'must have one valid boundary in its Content-Type' },
    }
  }
  const length = declaredLength(headers)
  if (length !== undefined && !(length <= MAX_UPLOAD_BYTES)) return { kind: 'too_large' }
  const upload = new RelayedUpload(body, boundary, length)
  await upload.readHead()
  return upload.problem ?? upload
}

class RelayedUpload implements Upload {
  head = ''
  complete = false
  problem: BodyProblem | undefined
  private readonly form: FormReader
  private readonly audio = new AudioMeter()
  private readonly length: number | undefined
  private bytes = 0
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>
  private beginning: Uint8Array = new Uint8Array()
  private readonly breaking = new AbortController()

  constructor(body: ReadableStream<Uint8Array>, boundary: string, length: number | undefined) {
    this.form = new FormReader(boundary, (bytes) => this.audio.take(bytes))
    this.reader = body.getReader()
    this.length = length
  }

  get model(): string | undefined {
    return this.form.get('model')
  }

  get subtitles(): boolean {
    return ['srt', 'vtt'].includes(this.form.get('response_format') ?? '')
  }

  get most_audio_bytes(): number {
    return this.isReference ? MAX_UPLOAD_BYTES : this.most_bytes
  }

  get lowest_rate(): number {
    return this.isReference ? AUDIO_BYTES_A_SECOND : this.audio.lowest_rate
  }

  get ms(): number {
    if (!this.isReference && this.form.has('file')) return this.audio.ms
    return ((this.isReference ? MAX_UPLOAD_BYTES : this.bytes) / AUDIO_BYTES_A_SECOND) * 1_000
  }

  get exact(): boolean {
    return !this.isReference && this.audio.exact
  }

  private get isReference(): boolean {
    return REFERENCES.some((name) => this.form.has(name))
  }

  get most_bytes(): number {
    return this.length ?? MAX_UPLOAD_BYTES
  }

  get broken(): AbortSignal {
    return this.breaking.signal
  }

  async readHead(): Promise<void> {
    const chunks = new Chunks()
    while (this.bytes < HEAD_BYTES && !this.problem) {
      const chunk = await this.read()
      if (!chunk) break
      chunks.add(chunk)
    }
    if (this.problem) await this.discarded()
    this.beginning = chunks.joined()
    this.head = new TextDecoder('latin1').decode(this.beginning.subarray(0, HEAD_BYTES))
  }

  body(admitModel: () => Promise<boolean>): ReadableStream<Uint8Array> {
    const { readable, writable } =
      this.length === undefined ? new IdentityTransformStream() : new FixedLengthStream(this.length)
    // An error is ignored here. A provider that refuses an upload stops reading it, which makes the write fail. The
    // client gets the provider's response.
    this.relay(writable.getWriter(), admitModel).catch(() => this.reader.cancel().catch(() => {}))
    return readable
  }

  /** Returns the next chunk; undefined at the end of the body. Throws if the client disconnects. */
  private async read(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.reader.read()
    if (done) return undefined
    this.bytes += value.length
    this.form.take(value)
    const error = this.form.problem
    if (this.bytes > MAX_UPLOAD_BYTES) this.problem = { kind: 'too_large' }
    else if (error) this.problem = { kind: 'invalid', error }
    return value
  }

  /**
   * Waits until the end of a refused upload was read, within limits. If the response is sent before the end of the
   * upload, the runtime can close the connection, and the client does not get the response.
   */
  private async discarded(): Promise<void> {
    await withDeadline(this.discard(), DISCARD_MS).catch(() => {})
  }

  private async discard(): Promise<void> {
    for (let left = MAX_DISCARDED_BYTES; left >= 0; ) {
      const { done, value } = await this.reader.read()
      if (done) return
      left -= value.length
    }
  }

  private async relay(
    writer: WritableStreamDefaultWriter<Uint8Array>,
    admitModel: () => Promise<boolean>,
  ): Promise<void> {
    let isKnown = this.model !== undefined
    const next = () =>
      this.read().catch((error: unknown) => {
        this.breaking.abort()
        throw error
      })
    await writer.write(this.beginning)
    for (let chunk = await next(); chunk; chunk = await next()) {
      const isFound = !isKnown && this.model !== undefined
      isKnown ||= isFound
      if (this.problem || (isFound && !(await admitModel()))) {
        await this.discarded()
        this.breaking.abort()
        throw new Error('the upload is refused')
      }
      await writer.write(chunk)
    }
    await writer.close()
    this.complete = true
  }
}
