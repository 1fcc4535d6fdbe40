import type { FieldError } from '../../ledger/model/refusal.ts'

/**
 * Parses multipart forms (RFC 2046, RFC 7578) chunk by chunk, while they are relayed. Parsers of forms differ in what
 * they tolerate, and a field that only the provider's parser finds could change the price of the call. Therefore, a
 * form that two parsers could read differently is refused.
 */

/** The fields that the gateway reads. A form can contain each of them only once. */
const READ_FIELDS = ['model', 'response_format', 'file'] as const

type ReadField = (typeof READ_FIELDS)[number]

/** The maximum length of the value of a field that is read, in bytes. */
const MAX_VALUE_BYTES = 255
const MAX_HEADER_BYTES = 4 * 1024
/** The maximum length of the white space after the boundary in a delimiter line, in bytes. */
const MAX_PADDING_BYTES = 64
const MAX_PARTS = 100

const CR = 0x0d
const BLANK_LINE = '\r\n\r\n'
/** The characters that RFC 2046 allows in a boundary. */
const BOUNDARY = /^[\w'()+,./:=? -]{0,69}[\w'()+,./:=?-]$/
const HEADER = /^([!-9;-~]+):[ \t]*([\t -~\x80-\xff]*)$/
const PARAMETER = /[ \t]*;[ \t]*([\w!#$&+.^`|~*-]+)=(?:"((?:[^"\\]|\\.)*)"|([^ \t";,]+))/y
/** The encodings of a part that do not change its bytes. */
const UNCHANGED = /^(?:7bit|8bit|binary)?\s*$/i

/** Returns the boundary in the header `Content-Type`; undefined if the header has no valid boundary, or two. */
export function boundaryOf(content_type: string): string | undefined {
  const boundary = parametersOf(content_type.trim(), 'multipart/form-data')?.get('boundary')
  return boundary !== undefined && BOUNDARY.test(boundary) ? boundary : undefined
}

/**
 * Reads the chunks of a form. Keeps the names of the parts, the beginnings of the values in `READ_FIELDS`, and the bytes
 * that were not read yet: at most the headers of one part or one delimiter. `name` is the name of the current part.
 * `rest` has the unread bytes. At first, they are a line break that is not in the body. With it, the first delimiter does not differ from the others, which begin with a line break. `lead` is the
 * number of bytes in `rest` that do not belong to the content of the current part.
 */
export class FormReader {
  /** The reason why the form must be refused. After a problem, the following chunks are ignored. */
  problem: FieldError | undefined
  private readonly delimiter: Buffer
  private readonly onFile: (bytes: Uint8Array) => void
  private readonly names = new Set<string>()
  private readonly values = new Map<string, string>()
  private state: 'preamble' | 'delimiter' | 'headers' | 'part' | 'epilogue' = 'preamble'
  private parts = 0
  private name = ''
  private value = ''
  private rest = Buffer.from('\r\n')
  private lead = 2

  /** `onFile` gets the content of the part `file`, in pieces. */
  constructor(boundary: string, onFile: (bytes: Uint8Array) => void) {
    this.delimiter = Buffer.from(`\n--${boundary}`)
    this.onFile = onFile
  }

  /** Returns the value of a field; undefined until its part was read completely. */
  get(name: Exclude<ReadField, 'file'>): string | undefined {
    return this.values.get(name)
  }

  /** Returns whether the headers of a part with this name were read. */
  has(name: string): boolean {
    return this.names.has(name)
  }

  take(chunk: Uint8Array): void {
    if (this.problem) return
    let data = Buffer.concat([this.rest, chunk])
    for (let used = this.step(data); used !== undefined; used = this.step(data)) data = data.subarray(used)
    // The rest is copied, so that the memory of the chunk can be freed.
    this.rest = Buffer.from(data)
  }

  /** Reads the beginning of `data`. Returns the number of bytes that were read; undefined if more bytes are needed. */
  private step(data: Buffer): number | undefined {
    if (this.problem) return undefined
    if (this.state === 'delimiter') return this.readDelimiter(data)
    return this.state === 'headers' ? this.readHeaders(data) : this.readContent(data)
  }

  private readContent(data: Buffer): number | undefined {
    const at = data.indexOf(this.delimiter)
    if (at < 0) {
      // The last bytes can be the beginning of a delimiter.
      const read = Math.max(0, data.length - this.delimiter.length)
      this.pass(data, read)
      return read > 0 ? read : undefined
    }
    const isFirst = this.state === 'preamble'
    if (data[at - 1] !== CR || this.state === 'epilogue' || (!isFirst && at - 1 < this.lead)) {
      return this.fail('', 'contains a line that begins with the boundary but is not a delimiter line')
    }
    this.pass(data, at - 1)
    if (this.state === 'part') this.endPart()
    this.state = 'delimiter'
    return at + this.delimiter.length
  }

  /** Passes the bytes of `data` before `end` to the reader of the current part. */
  private pass(data: Buffer, end: number): void {
    const start = Math.min(this.lead, end)
    this.lead -= start
    if (this.state !== 'part' || start === end) return
    if (this.name === 'file') this.onFile(data.subarray(start, end))
    else if (isRead(this.name)) {
      const room = MAX_VALUE_BYTES + 1 - this.value.length
      this.value += data.toString('latin1', start, Math.min(end, start + room))
    }
  }

  private endPart(): void {
    if (this.name === 'model' && !/^[ -~\x80-\xff]{1,255}$/.test(this.value)) {
      this.fail('/model', 'must be the name of a model, of 1 to 255 characters')
    } else if (isRead(this.name)) this.values.set(this.name, this.value)
  }

  /** Reads the rest of a delimiter line, after the boundary. */
  private readDelimiter(data: Buffer): number | undefined {
    if (data.length < 2) return undefined
    if (data.toString('latin1', 0, 2) === '--') {
      this.state = 'epilogue'
      return 2
    }
    const end = data.indexOf('\r\n')
    if (end < 0 && data.length <= MAX_PADDING_BYTES) return undefined
    if (end < 0 || end > MAX_PADDING_BYTES || !/^[ \t]*$/.test(data.toString('latin1', 0, end))) {
      return this.fail('', 'contains a line that begins with the boundary but is not a delimiter line')
    }
    this.parts += 1
    if (this.parts > MAX_PARTS) return this.fail('', `must have at most ${MAX_PARTS} parts`)
    this.state = 'headers'
    return end + 2
  }

  private readHeaders(data: Buffer): number | undefined {
    const end = data.indexOf(BLANK_LINE)
    if (end < 0 && data.length <= MAX_HEADER_BYTES) return undefined
    const read = end < 0 || end > MAX_HEADER_BYTES ? undefined : headersOf(data.toString('latin1', 0, end))
    const name = read && nameOf(read.get('content-disposition'))
    if (!read || name === undefined) {
      return this.fail(
        '',
        `contains a part without valid headers of at most ${MAX_HEADER_BYTES} bytes, or without a name`,
      )
    }
    if (isRead(name)) {
      if (this.names.has(name)) return this.fail(`/${name}`, 'must be sent only once')
      if (!UNCHANGED.test(read.get('content-transfer-encoding') ?? '')) {
        return this.fail(`/${name}`, 'must be sent without a Content-Transfer-Encoding')
      }
    }
    this.names.add(name)
    this.name = name
    this.value = ''
    this.state = 'part'
    // The last line break stays in `rest`, so that a delimiter that follows it immediately is found and refused.
    this.lead = 2
    return end + 2
  }

  private fail(path: string, message: string): undefined {
    this.problem = { path, message }
  }
}

function isRead(name: string): name is ReadField {
  return READ_FIELDS.some((field) => field === name)
}

/** Returns the headers of a part by their names in lower case; undefined if a header is invalid or is repeated. */
function headersOf(text: string): ReadonlyMap<string, string> | undefined {
  const headers = new Map<string, string>()
  for (const line of text.split('\r\n')) {
    const [, name, value] = HEADER.exec(line) ?? []
    if (name === undefined || value === undefined || headers.has(name.toLowerCase())) return undefined
    headers.set(name.toLowerCase(), value.trim())
  }
  return headers
}

/**
 * Returns the name of a part; undefined if the part has no name, or a name that some parsers decode, for example
 * `name*=UTF-8''model`.
 */
function nameOf(disposition: string | undefined): string | undefined {
  const parameters = disposition === undefined ? undefined : parametersOf(disposition, 'form-data')
  if (!parameters || [...parameters.keys()].some((key) => key.startsWith('name*'))) return undefined
  const name = parameters.get('name')
  return name === undefined || /[\\%]/.test(name) ? undefined : name
}

/**
 * Returns the parameters of a header that begins with `type`, by their names in lower case. Returns undefined if the
 * header is invalid, or if it repeats a parameter.
 */
function parametersOf(header: string, type: string): ReadonlyMap<string, string> | undefined {
  if (header.slice(0, type.length).toLowerCase() !== type) return undefined
  const parameters = new Map<string, string>()
  for (let at = type.length; at < header.length; at = PARAMETER.lastIndex) {
    PARAMETER.lastIndex = at
    const [, key = '', quoted, token] = PARAMETER.exec(header) ?? []
    const name = key.toLowerCase()
    if (name === '' || parameters.has(name)) return undefined
    parameters.set(name, quoted ?? token ?? '')
  }
  return parameters
}
