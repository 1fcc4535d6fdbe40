import { describe, expect, it } from 'vitest'
import { AudioMeter, subtitlesEnd } from '../../src/gateway/request/audio.ts'

/** Measures audio in pieces of `size` bytes. */
function measured(audio: Buffer, size = audio.length): AudioMeter {
  const meter = new AudioMeter()
  for (let at = 0; at < audio.length; at += size) meter.take(audio.subarray(at, at + size))
  return meter
}

function numbers(...values: readonly (readonly [number, number])[]) {
  return Buffer.concat(
    values.map(([value, bytes]) => {
      const buffer = Buffer.alloc(bytes)
      buffer.writeUIntLE(value, 0, bytes)
      return buffer
    }),
  )
}

const chunk = (id: string, content: Buffer) =>
  Buffer.concat([Buffer.from(id), numbers([content.length, 4]), content])

/** Returns the chunk with the format of a WAV file. The declared byte rate is wrong, and must not be used. */
const format = (code: number, channels: number, rate: number, bits: number, more = Buffer.alloc(0)) =>
  chunk(
    'fmt ',
    Buffer.concat([numbers([code, 2], [channels, 2], [rate, 4], [1e9, 4], [4, 2], [bits, 2]), more]),
  )

const wav = (...chunks: Buffer[]) =>
  Buffer.concat([Buffer.from('RIFF'), numbers([0, 4]), Buffer.from('WAVE'), ...chunks])

const PCM = format(1, 1, 16_000, 16)
const EXTENSIBLE = format(
  0xfffe,
  2,
  8_000,
  16,
  numbers([22, 2], [16, 2], [0, 4], [1, 2], [0, 6], [0, 6], [0, 2]),
)
const SECOND = chunk('data', Buffer.alloc(32_000))

/** Returns `count` frames of an MP3 file: 417 bytes of MPEG-1 with 128 kbit/s at 44.1 kHz, which last 26.12 ms. */
const mp3 = (count: number) =>
  Buffer.concat(
    Array.from({ length: count }, () =>
      Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x64]), Buffer.alloc(413, 1)]),
    ),
  )
const TAG = Buffer.concat([Buffer.from('ID3\x04\0\0\0\0\x02\x05', 'latin1'), Buffer.alloc(261, 0xff)])

/** Returns a page of an Ogg file. A packet of more than 254 bytes has several segments. */
function page(flags: number, packets: readonly Buffer[], isCut = false): Buffer {
  const segments = packets.flatMap(({ length }) => [
    ...new Uint8Array(Math.floor(length / 255)).fill(255),
    length % 255,
  ])
  if (isCut) segments.pop()
  const head = Buffer.concat([
    Buffer.from('OggS\0'),
    numbers([flags, 1], [0, 6], [0, 6], [0, 6], [0, 2]),
    Buffer.from([segments.length]),
  ])
  return Buffer.concat([head, Buffer.from(segments), ...packets])
}

const HEADS = Buffer.concat([page(2, [Buffer.from('OpusHead')]), page(0, [Buffer.from('OpusTags')])])
/** A packet with one frame of 20 ms, and a packet with six frames of 10 ms. */
const SHORT = Buffer.from([0x08, 1, 2])
const PACKETS = [SHORT, Buffer.concat([Buffer.from([0x93, 0x06]), Buffer.alloc(600)])]

/** Returns an element of a WebM file. Its size is unknown if it is open. */
const element = (id: string, content: Uint8Array, isOpen = false) =>
  Buffer.concat([
    Buffer.from(id, 'hex'),
    Buffer.from(isOpen ? [0xff] : [0x40 | (content.length >> 8), content.length]),
    content,
  ])
const codec = (name: string, more = Buffer.alloc(0)) =>
  element('1654ae6b', element('ae', Buffer.concat([element('86', Buffer.from(name)), more])))
const block = (packet: Uint8Array, flags = 0x80) =>
  element('a3', Buffer.concat([Buffer.from([0x81, 0, 0, flags]), packet]))
const webm = (tracks: Buffer, ...blocks: Buffer[]) =>
  Buffer.concat([
    element('1a45dfa3', Buffer.alloc(31)),
    element(
      '18538067',
      Buffer.concat([
        tracks,
        element('1f43b675', Buffer.concat([element('e7', Buffer.alloc(1)), ...blocks]), true),
      ]),
      true,
    ),
  ])
const GROUP = element(
  'a0',
  element('a1', Buffer.concat([Buffer.from([0x81, 0, 0, 0]), SHORT, Buffer.alloc(20)])),
)

describe('the duration of audio', () => {
  it.each([
    ['WAV', wav(PCM, SECOND), 1_000],
    ['WAV with other chunks', wav(chunk('JUNK', Buffer.alloc(29)), Buffer.alloc(1), PCM, SECOND), 1_000],
    ['WAV in the extensible format', wav(EXTENSIBLE, SECOND), 1_000],
    ['MP3', mp3(100), 2_612.24],
    [
      'MP3 with tags and lost bytes',
      Buffer.concat([TAG, mp3(50), Buffer.alloc(200, 0xff), mp3(50)]),
      2_612.24,
    ],
    ['Ogg with Opus', Buffer.concat([HEADS, page(0, PACKETS), page(0, PACKETS)]), 160],
    ['WebM with Opus', webm(codec('A_OPUS'), ...PACKETS.map((packet) => block(packet)), GROUP), 100],
    [
      'Ogg with a packet on two pages',
      Buffer.concat([
        HEADS,
        page(0, [Buffer.concat([SHORT, Buffer.alloc(252)])], true),
        page(1, [Buffer.alloc(3), ...PACKETS]),
      ]),
      100,
    ],
  ] as const)('of %s is measured, in pieces of many sizes', (_, audio, ms) => {
    for (const size of [1, 2, 3, 7, 12, 28, 100, 417, 1_000, audio.length]) {
      const meter = measured(audio, size)
      expect([meter.ms, meter.exact]).toEqual([expect.closeTo(ms, 1), true])
    }
  })

  it.each([
    ['no format', Buffer.alloc(2_000)],
    ['few bytes', Buffer.from('RIFF')],
    ['compressed WAV', wav(format(2, 1, 16_000, 4), SECOND)],
    ['WAV with an impossible rate', wav(format(1, 1, 1e9, 16), SECOND)],
    ['WAV without a format', wav(SECOND)],
    ['Ogg with another codec', page(2, [Buffer.from('\x01vorbis')])],
    ['WebM with another codec', webm(codec('A_VORBIS'), block(Buffer.alloc(90)))],
    [
      'WebM with an encoding',
      webm(codec('A_OPUS', element('6d80', Buffer.alloc(9))), block(Buffer.alloc(90))),
    ],
    ['WebM with laces', webm(codec('A_OPUS'), block(Buffer.alloc(90), 0x86))],
    ['invalid WebM', Buffer.concat([webm(codec('A_OPUS')), Buffer.alloc(90)])],
    ['a tag without audio', TAG],
    [
      'a tag that is longer than the file',
      Buffer.concat([Buffer.from('ID3\x04\0\0\x7f\x7f\x7f\x7f', 'latin1'), mp3(50)]),
    ],
  ])('of %s is estimated from its size', (_, audio) => {
    for (const size of [1, 5, 100, audio.length]) {
      const meter = measured(audio, size)
      expect([meter.ms, meter.exact, meter.lowest_rate]).toEqual([
        expect.closeTo(audio.length / 2, 0),
        false,
        expect.closeTo(2_000),
      ])
    }
  })

  it('of a file that stops being MP3 is measured and estimated', () => {
    const meter = measured(Buffer.concat([mp3(100), Buffer.alloc(70_000), Buffer.alloc(200_000)]), 1_000)
    expect([meter.ms, meter.exact]).toEqual([expect.closeTo(2_612 + 102_232, -3), false])
  })
})

it('the lowest rate is that of WAV, and below the usual rates for other audio only', () => {
  expect(measured(wav(PCM, SECOND)).lowest_rate).toBe(32_000)
  expect(measured(mp3(100)).lowest_rate).toBe(2_000)
  expect(
    measured(
      Buffer.concat([
        HEADS,
        page(
          0,
          Array.from({ length: 200 }, () => Buffer.from([0x18, 1])),
        ),
      ]),
    ).lowest_rate,
  ).toBeLessThan(100)
  expect(new AudioMeter().lowest_rate).toBe(2_000)
})

it.each([
  ['1\n00:00:00,000 --> 00:00:02,000\nHello\n\n2\n00:00:02,000 --> 01:02:03,456\nWorld\n', 3_723_456],
  ['WEBVTT\r\n\r\n00:00.000 --> 00:02.500 align:start\r\nHello\r\n', 2_500],
  ['1\n00:00:00,000 --> 00:00:09,000\n00:00:00,000 --> 00:00:01,000\n', 9_000],
  ['Hello 00:00:00,000 --> 00:00:01,000', undefined],
  ['', undefined],
])('the subtitles %j end at %s ms', (text, ms) => {
  expect(subtitlesEnd(text)).toBe(ms)
})
