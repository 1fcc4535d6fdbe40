/**
 * Measures the duration of audio while it is relayed, for a response that reports no usage. WAV, MP3, and Opus in Ogg
 * or WebM are measured as a decoder reads them: from the format of the samples, or from the header of each frame or
 * packet. A file cannot be shorter than measured without losing audio. The duration of other audio is estimated from
 * its size.
 */

/**
 * The assumed number of bytes per second of audio that is not measured. It is the lowest usual bit rate of speech, so
 * that a low bit rate does not make a call cheaper than it is at the provider.
 */
export const AUDIO_BYTES_A_SECOND = 2_000

/** The maximum number of bytes without a frame in an MP3 file, such as tags. After them, the rest is not measured. */
const MAX_LOST_BYTES = 64 * 1024
const MAX_CHANNELS = 32
const MAX_SAMPLE_RATE = 768_000

type Format = 'new' | 'wav' | 'samples' | 'mp3' | 'ogg' | 'webm' | 'other'

/**
 * Measures an audio file. `byte_rate` is the number of bytes per second of a WAV file; undefined for other audio, or
 * until the header was read. `unmeasured` is the number of bytes whose duration is estimated. `rest` has the bytes that
 * were not read yet: less than a header, or less than a page of Ogg, which has at most 64 KB. `skipped` is the number of
 * following bytes that need not be read. `packets` is the number of packets of the current Ogg stream, of which the
 * first two are headers. `isOpus` is true if the header of a WebM file names Opus.
 */
export class AudioMeter {
  private byte_rate: number | undefined
  private format: Format = 'new'
  private bytes = 0
  private measured_ms = 0
  private unmeasured = 0
  private lost = 0
  private rest: Buffer = Buffer.alloc(0)
  private skipped = 0
  private packets = 0
  private isOpus = false

  /** The duration so far in milliseconds. */
  get ms(): number {
    const unmeasured = this.measured_ms > 0 ? this.unmeasured : this.bytes
    return this.measured_ms + (unmeasured / AUDIO_BYTES_A_SECOND) * 1_000
  }

  /** Whether the duration was measured and not estimated. */
  get exact(): boolean {
    return this.measured_ms > 0 && this.unmeasured === 0
  }

  /**
   * The lowest number of bytes per second that is expected for the whole file. Only a WAV file can raise it, because
   * the bit rate of other formats can decrease in later bytes.
   */
  get lowest_rate(): number {
    if (this.byte_rate !== undefined) return this.byte_rate
    return this.ms > 0 ? Math.min(AUDIO_BYTES_A_SECOND, (this.bytes / this.ms) * 1_000) : AUDIO_BYTES_A_SECOND
  }

  take(chunk: Uint8Array): void {
    this.bytes += chunk.length
    const from = Math.min(this.skipped, chunk.length)
    this.skipped -= from
    let data = Buffer.concat([this.rest, chunk.subarray(from)])
    for (let used = this.step(data); used !== undefined; used = this.step(data)) {
      this.skipped = Math.max(0, used - data.length)
      data = data.subarray(used)
    }
    this.rest = Buffer.from(data)
  }

  /**
   * Reads the beginning of `data`. Returns the number of bytes that were read or can be skipped; undefined if more
   * bytes are needed.
   */
  private step(data: Buffer): number | undefined {
    if (data.length === 0) return undefined
    switch (this.format) {
      case 'new':
        return data.length < 12 ? undefined : this.start(data)
      case 'wav':
        return this.readChunk(data)
      case 'samples':
        this.measured_ms += (data.length / (this.byte_rate ?? AUDIO_BYTES_A_SECOND)) * 1_000
        return data.length
      case 'mp3':
        return this.readFrame(data)
      case 'ogg':
        return this.readPage(data)
      case 'webm':
        return this.readElement(data)
      case 'other':
        this.unmeasured += data.length
        return data.length
    }
  }

  private start(data: Buffer): number {
    const magic = data.toString('latin1', 0, 12)
    if (/^RIFF.{4}WAVE/s.test(magic)) return this.become('wav', 12)
    if (data.readUInt32BE() === EBML) return this.become('webm', 0)
    if (magic.startsWith('OggS')) return this.become('ogg', 0)
    // The size of an ID3 tag has seven bits in each byte.
    const [a = 0, b = 0, c = 0, d = 0] = data.subarray(6, 10)
    if (magic.startsWith('ID3')) return this.become('mp3', 10 + ((a << 21) | (b << 14) | (c << 7) | d))
    return this.become(frameOf(data) ? 'mp3' : 'other', 0)
  }

  private become(format: Format, used: number): number {
    this.format = format
    return used
  }

  /** Reads a chunk of a WAV file. */
  private readChunk(data: Buffer): number | undefined {
    if (data.length < 8) return undefined
    const id = data.toString('latin1', 0, 4)
    if (id === 'data') return this.become(this.byte_rate === undefined ? 'other' : 'samples', 8)
    const size = data.readUInt32LE(4)
    if (id === 'fmt ') {
      if (data.length < Math.min(8 + size, 48)) return undefined
      this.byte_rate = byteRateOf(data.subarray(8, 8 + size))
      if (this.byte_rate === undefined) return this.become('other', 0)
    }
    return 8 + size + (size % 2)
  }

  /** Reads a frame of an MP3 file. */
  private readFrame(data: Buffer): number | undefined {
    if (data.length < 4) return undefined
    const frame = frameOf(data)
    if (frame) {
      this.measured_ms += frame.ms
      return frame.bytes
    }
    const next = data.indexOf(0xff, 1)
    const used = next < 0 ? data.length : next
    this.lost += used
    return this.lost > MAX_LOST_BYTES ? this.become('other', 0) : used
  }

  /** Reads an element of a WebM file. */
  private readElement(data: Buffer): number | undefined {
    if (data.length < 12) return undefined
    const element = elementOf(data)
    if (!element || element.id === ENCODINGS) return this.become('other', 0)
    const { id, size, header } = element
    if (PARENTS.has(id)) return header
    if (size === undefined) return this.become('other', 0)
    if (id === CODEC) {
      if (size > MAX_CODEC_BYTES) return this.become('other', 0)
      if (data.length < header + size) return undefined
      this.isOpus = data.toString('latin1', header, header + size) === 'A_OPUS'
      if (!this.isOpus) return this.become('other', 0)
    } else if (id === SIMPLE_BLOCK || id === BLOCK) {
      if (data.length < header + Math.min(size, 6)) return undefined
      // A block begins with its track in one byte, its time in two bytes and its flags. The flags 6 mean several
      // packets.
      const [track = 0, , , flags = 0] = data.subarray(header, header + size)
      if (!this.isOpus || track < 0x80 || flags & 6) return this.become('other', 0)
      this.measured_ms += packetMs(data.subarray(header + 4, header + size))
    }
    return header + size
  }

  /** Reads a page of an Ogg file. */
  private readPage(data: Buffer): number | undefined {
    if (data.length < 27) return undefined
    if (data.toString('latin1', 0, 4) !== 'OggS') return this.become('other', 0)
    const segments = data.subarray(27, 27 + data.readUInt8(26))
    const page = 27 + data.readUInt8(26) + segments.reduce((sum, bytes) => sum + bytes, 0)
    if (data.length < page) return undefined
    const flags = data.readUInt8(5)
    if (flags & 2) this.packets = 0
    let isStart = !(flags & 1)
    let at = 27 + segments.length
    for (const bytes of segments) {
      if (isStart) {
        const packet = data.subarray(at, at + bytes)
        if (this.packets === 0 && packet.toString('latin1', 0, 8) !== 'OpusHead')
          return this.become('other', 0)
        if (this.packets > 1) this.measured_ms += packetMs(packet)
        this.packets += 1
      }
      at += bytes
      isStart = bytes < 255
    }
    return page
  }
}

/** The ids of the elements of WebM that are read. All others are skipped. */
const EBML = 0x1a45dfa3
const CODEC = 0x86
const SIMPLE_BLOCK = 0xa3
const BLOCK = 0xa1
/** The encodings of a track, such as a compression. They change the first byte of a packet. */
const ENCODINGS = 0x6d80
/** The elements whose children are read: segment, cluster, tracks, track entry and block group. */
const PARENTS: ReadonlySet<number> = new Set([0x18538067, 0x1f43b675, 0x1654ae6b, 0xae, 0xa0])
const MAX_CODEC_BYTES = 64

/**
 * Returns the id, the size and the length of the header of a WebM element. The size is undefined if it is not known in
 * the file. Returns undefined if the header is invalid. `data` must have at least 12 bytes.
 */
function elementOf(data: Buffer) {
  const id_bytes = Math.clz32(data.readUInt8()) - 23
  const size_bytes = id_bytes > 4 ? 9 : Math.clz32(data.readUInt8(id_bytes)) - 23
  if (size_bytes > 8) return undefined
  let size = data.readUInt8(id_bytes) & (0xff >> size_bytes)
  let isUnknown = size === 0xff >> size_bytes
  for (const byte of data.subarray(id_bytes + 1, id_bytes + size_bytes)) {
    size = size * 256 + byte
    isUnknown &&= byte === 0xff
  }
  return {
    id: data.readUIntBE(0, id_bytes),
    size: isUnknown ? undefined : size,
    header: id_bytes + size_bytes,
  }
}

/** The bit rates of MPEG-1 and MPEG-2 Layer III, in kbit/s, by their index from 1 to 14. */
const BIT_RATES = [
  [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
]
const SAMPLE_RATES = [44_100, 48_000, 32_000]

/** Returns the duration and the length of the MP3 frame at the beginning of `data`; undefined if there is none. */
function frameOf(data: Buffer): { readonly ms: number; readonly bytes: number } | undefined {
  const [sync = 0, version = 0, rates = 0] = data
  // The layer is the third one. The version is 3 for MPEG-1, 2 for MPEG-2 and 0 for MPEG-2.5.
  if (sync !== 0xff || (version & 0xe6) !== 0xe2 || (version & 0x18) === 0x08) return undefined
  const isFirst = (version & 0x18) === 0x18
  const kbits = BIT_RATES[isFirst ? 0 : 1]?.[(rates >> 4) - 1]
  const base = SAMPLE_RATES[(rates >> 2) & 3]
  if (kbits === undefined || base === undefined) return undefined
  const sample_rate = isFirst ? base : (version & 0x18) === 0x10 ? base / 2 : base / 4
  const samples = isFirst ? 1152 : 576
  const bytes = Math.floor(((samples / 8) * kbits * 1_000) / sample_rate) + ((rates >> 1) & 1)
  return { ms: (samples / sample_rate) * 1_000, bytes }
}

/** Returns the number of bytes per second for the format chunk of a WAV file; undefined if the audio is compressed. */
function byteRateOf(format: Buffer): number | undefined {
  if (format.length < 16) return undefined
  const tag = format.readUInt16LE(0)
  // The extensible format has the actual tag at its byte 24.
  const code = tag === 0xfffe && format.length >= 26 ? format.readUInt16LE(24) : tag
  const [channels, sample_rate, bits] = [
    format.readUInt16LE(2),
    format.readUInt32LE(4),
    format.readUInt16LE(14),
  ]
  // 1 and 3 are samples as integers and as floats; 6 and 7 are A-law and mu-law.
  if (![1, 3, 6, 7].includes(code) || channels > MAX_CHANNELS || sample_rate > MAX_SAMPLE_RATE)
    return undefined
  const rate = channels * sample_rate * Math.ceil(bits / 8)
  return rate > 0 && bits <= 64 ? rate : undefined
}

/** The durations of the frames of an Opus packet, by the low bits of its configuration, in milliseconds. */
const SILK_MS = [10, 20, 40, 60]
const HYBRID_MS = [10, 20, 10, 20]
const CELT_MS = [2.5, 5, 10, 20]
const MAX_PACKET_MS = 120

/** Returns the duration of an Opus packet in milliseconds (RFC 6716, section 3.1). */
function packetMs(packet: Buffer): number {
  const [toc, count = 0] = packet
  if (toc === undefined) return 0
  const configuration = toc >> 3
  const ms = configuration < 12 ? SILK_MS : configuration < 16 ? HYBRID_MS : CELT_MS
  const code = toc & 3
  const frames = code === 0 ? 1 : code < 3 ? 2 : count & 0x3f
  return Math.min(MAX_PACKET_MS, frames * (ms[configuration & 3] ?? 0))
}

const CUE_END = /^[\d:]+[.,]\d{3} --> (?:(\d{1,4}):)?(\d\d):(\d\d)[.,](\d{3})/gm

/** Returns the end of the last cue in subtitles (SRT or WebVTT) in milliseconds; undefined if they have no cue. */
export function subtitlesEnd(text: string): number | undefined {
  let end_ms: number | undefined
  for (const [, hours = '0', minutes, seconds, ms] of text.matchAll(CUE_END)) {
    const at_ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000 + Number(ms)
    end_ms = Math.max(end_ms ?? 0, at_ms)
  }
  return end_ms
}
