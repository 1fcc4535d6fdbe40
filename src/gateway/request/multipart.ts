/** The reader of audio uploads. It relays them as they arrive, and reads the few fields that affect the price. */

export const MAX_MULTIPART_BYTES = 25 * 1024 * 1024
/**
 * The number of bytes of an upload that are read before it is priced. A field after the file is read while it is
 * relayed.
 */
const HEAD_BYTES = 64 * 1024
/**
 * The number of bytes that two searches share. It is larger than the headers of a field and the name of a model
 * together.
 */
const OVERLAP = 1024

export interface Upload {
  readonly kind: 'upload'
  /** Returns the model; undefined until its field was read. */
  readonly model: () => string | undefined
  /** Whether the field `stream` in the first bytes is `true`. */
  readonly stream: boolean
  /** The declared length of the body, or the maximum length if none is declared. */
  readonly bytes: number
  /** The first bytes, as Latin-1. */
  readonly head: string
  /** Returns the body with its declared length. The stream fails if it is longer than the maximum. */
  readonly body: () => ReadableStream<Uint8Array>
}

/**
 * Reads the beginning of an upload. Returns `too_large` if the declared length is too large, and `unsupported` if the
 * body is not a form.
 */
export async function readUpload(request: Request): Promise<Upload | 'too_large' | 'unsupported'> {
  const type = request.headers.get('Content-Type') ?? ''
  const announced = request.headers.get('Content-Length')
  const length = announced === null ? undefined : Number(announced)
  if (!/^multipart\/form-data\s*;.*boundary=/i.test(type) || !request.body) return 'unsupported'
  if (length !== undefined && !(length <= MAX_MULTIPART_BYTES)) return 'too_large'
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader()
  const fields = new Fields()
  const chunks: Uint8Array[] = []
  let read = 0
  while (read < HEAD_BYTES) {
    const { done, value } = await reader.read()
    if (done) break
    chunks.push(value)
    read += value.length
    fields.take(value)
  }
  const head = new TextDecoder('latin1').decode(Buffer.concat(chunks).subarray(0, HEAD_BYTES))
  return {
    kind: 'upload',
    model: () => fields.model,
    stream: /name="stream"\r\n(?:[^\r\n]+\r\n)*\r\ntrue\r\n/.test(head),
    bytes: length ?? MAX_MULTIPART_BYTES,
    head,
    body: () => bodyOf(chunks, reader, fields, length),
  }
}

function bodyOf(
  head: readonly Uint8Array[],
  reader: ReadableStreamDefaultReader<Uint8Array>,
  fields: Fields,
  length: number | undefined,
): ReadableStream<Uint8Array> {
  const { readable, writable } =
    length === undefined ? new IdentityTransformStream() : new FixedLengthStream(length)
  // A provider that refuses an upload stops reading it. This is not a failure of the gateway. The provider's answer
  // follows.
  send(head, reader, fields, writable.getWriter()).catch(() => {})
  return readable
}

async function send(
  head: readonly Uint8Array[],
  reader: ReadableStreamDefaultReader<Uint8Array>,
  fields: Fields,
  writer: WritableStreamDefaultWriter<Uint8Array>,
): Promise<void> {
  let sent = 0
  const pass = async (chunk: Uint8Array) => {
    sent += chunk.length
    if (sent > MAX_MULTIPART_BYTES) throw new Error(`the upload has more than ${MAX_MULTIPART_BYTES} bytes`)
    await writer.write(chunk)
  }
  try {
    for (const chunk of head) await pass(chunk)
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      fields.take(next.value)
      await pass(next.value)
    }
    await writer.close()
  } catch (error) {
    await Promise.allSettled([reader.cancel(), writer.abort(error)])
  }
}

const MODEL = /name="?model"?\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]{1,255})\r\n/

/** Finds the field `model` in the bytes of a form while they are relayed. */
class Fields {
  model: string | undefined
  private readonly decoder = new TextDecoder('latin1')
  private last = ''

  take(chunk: Uint8Array): void {
    if (this.model !== undefined) return
    const text = this.last + this.decoder.decode(chunk)
    this.model = MODEL.exec(text)?.[1]
    this.last = text.slice(-OVERLAP)
  }
}
