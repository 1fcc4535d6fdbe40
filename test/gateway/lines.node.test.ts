import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bounded } from '../../src/gateway/stream/bounded.ts'
import { Elements } from '../../src/gateway/stream/elements.ts'
import { Lines } from '../../src/gateway/stream/lines.ts'
import { readingOf } from '../../src/gateway/stream/readings.ts'

const event = (value: object) => `data: ${JSON.stringify(value)}`
const word = (content: string) =>
  event({ choices: [{ delta: { content }, finish_reason: null }], usage: null })
const STOP = event({ choices: [{ delta: {}, finish_reason: 'stop' }], usage: null })
const REPORT = event({ choices: [], usage: { prompt_tokens: 5, completion_tokens: 7 } })

/** Returns a fast-check arbitrary that splits a text into pieces of random sizes. */
const pieces = (text: string) =>
  fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 100 }).map((sizes) => {
    const bytes = new TextEncoder().encode(text)
    const cut: Uint8Array[] = []
    let at = 0
    for (const size of sizes) {
      if (at >= bytes.length) break
      cut.push(bytes.slice(at, at + size))
      at += size
    }
    if (at < bytes.length) cut.push(bytes.slice(at))
    return cut
  })

function textOf(chunks: readonly Uint8Array[]): string {
  return Buffer.concat(chunks).toString()
}

describe.each([
  ['\n', '\n\n'],
  ['\r\n', '\r\n\r\n'],
  ['\r', '\r\r'],
])('lines that end with %j', (_, end) => {
  const words = ['Hello ', 'äöü ', '漢字 ', '"quoted\\" ', 'usage '].map(word)
  const before = [...words, STOP].map((line) => line + end).join('')
  const text = `: a comment${end}${before}${REPORT}${end}data: [DONE]${end}`

  it('pass unchanged, in pieces of any size, and are all read', () => {
    fc.assert(
      fc.property(pieces(text), (chunks) => {
        const reading = readingOf('chat')
        const lines = new Lines(reading, false)
        expect(chunks.flatMap((chunk) => lines.pass(chunk))).toEqual(chunks)
        expect(lines.end()).toEqual([])
        expect(reading.complete).toBe(true)
        expect(reading.reported()).toMatchObject({ usage: { completion_tokens: 7 } })
        expect(reading.delivered.pieces).toBe(5)
      }),
    )
  })

  it('lose only the report that was requested', () => {
    fc.assert(
      fc.property(pieces(text), (chunks) => {
        const lines = new Lines(readingOf('chat'), true)
        const passed = chunks.flatMap((chunk) => lines.pass(chunk))
        expect(textOf([...passed, ...lines.end()])).toBe(text.replace(REPORT + end, ''))
      }),
    )
  })

  it('wait only after the end of the completion', () => {
    const lines = new Lines(readingOf('chat'), true)
    const half = new TextEncoder().encode(`${words[0]}${end}data: {"choi`)
    expect(textOf(lines.pass(half))).toBe(textOf([half]))
  })
})

it.each(['\n', '\r\n', '\r'])(
  'an event of several data lines is read, and its report is removed: %j',
  (end) => {
    const lined = (line: string) => {
      const json = JSON.stringify(JSON.parse(line.slice('data: '.length)), null, 1)
      return `${json.replaceAll(/^/gm, 'data: ').replaceAll('\n', end)}${end}${end}`
    }
    const before = ['Hello ', 'you'].map((text) => lined(word(text))).join('') + lined(STOP)
    const text = `${before}${lined(REPORT)}data: [DONE]${end}${end}`
    fc.assert(
      fc.property(pieces(text), fc.boolean(), (chunks, cuts) => {
        const reading = readingOf('chat')
        const lines = new Lines(reading, cuts)
        const passed = [...chunks.flatMap((chunk) => lines.pass(chunk)), ...lines.end()]
        expect(textOf(passed)).toBe(cuts ? text.replace(lined(REPORT), '') : text)
        expect(reading.reported()).toMatchObject({ usage: { completion_tokens: 7 } })
        expect(reading.delivered.pieces).toBe(2)
        expect(lines.missing).toBe('')
      }),
    )
  },
)

it.each([
  ['\n\n', ''],
  ['\r\n\r\n', ''],
  ['\r\r', ''],
  ['\n', '\n'],
  ['\r', '\n'],
  ['', '\n\n'],
])('a stream that ends with %j lacks %j', (end, missing) => {
  for (const cuts of [true, false]) {
    const lines = new Lines(readingOf('chat'), cuts)

    for (const byte of new TextEncoder().encode(`${STOP}${end}`)) lines.pass(new Uint8Array([byte]))
    lines.end()
    expect(lines.missing).toBe(missing)
  }
})

it('a last line without an end is passed on, unless it is the report', () => {
  const encode = (text: string) => new TextEncoder().encode(text)
  const lines = new Lines(readingOf('chat'), true)
  const passed = [...lines.pass(encode(`${STOP}\n\ndata: [DO`)), ...lines.pass(encode('NE]')), ...lines.end()]
  expect(textOf(passed)).toBe(`${STOP}\n\ndata: [DONE]`)
  const reported = new Lines(readingOf('chat'), true)
  expect(textOf([...reported.pass(encode(`${STOP}\n\n${REPORT}`)), ...reported.end()])).toBe(`${STOP}\n\n`)
})

it('the elements of an array are read in any pieces', () => {
  const element = (count: number) => ({
    text: '}{"\\',
    usageMetadata: { candidatesTokenCount: count },
    finishReason: 'STOP',
  })
  const text = `[${[1, 2, 3].map((count) => JSON.stringify(element(count), null, 1)).join(',\r\n')}]`
  fc.assert(
    fc.property(pieces(text), (chunks) => {
      const reading = readingOf('generate')
      const elements = new Elements(reading)
      expect(chunks.flatMap((chunk) => elements.pass(chunk))).toEqual(chunks)
      expect(reading.reported()).toEqual(element(3))
      expect(reading.complete).toBe(true)
    }),
  )
})

it('a line or an element of more than 16 MB is relayed, and its usage is read', () => {
  const usage = { input_tokens: 22, output_tokens: 4_160 }
  const response = {
    service_tier: 'flex',
    output: [{ type: 'message', text: '"quoted\\" '.repeat(50_000) }],
    result: 'A'.repeat(17_000_000),
    usage,
  }
  const text = JSON.stringify({ type: 'response.completed', response })
  const chunksOf = (whole: string) =>
    whole.match(/[\s\S]{1,65537}/g)?.map((piece) => Buffer.from(piece)) ?? []
  const reading = readingOf('responses')
  const lines = new Lines(reading, true)
  const chunks = chunksOf(`data: ${text}\n\n`)
  expect(textOf(chunks.flatMap((chunk) => lines.pass(chunk)))).toBe(`data: ${text}\n\n`)
  expect(reading.complete).toBe(true)
  expect(reading.reported()).toMatchObject({ service_tier: 'flex', output: [{ type: 'message' }], usage })

  const gemini = {
    data: 'A'.repeat(17_000_000),
    finishReason: 'STOP',
    usageMetadata: { promptTokenCount: 5 },
  }
  const whole = readingOf('generate')
  const elements = new Elements(whole)
  for (const chunk of chunksOf(`[${JSON.stringify(gemini)}]`)) elements.pass(chunk)
  expect(whole.reported()).toMatchObject({ usageMetadata: { promptTokenCount: 5 } })
})

it('a long line that is held back takes linear time', () => {
  const reading = readingOf('chat')
  const lines = new Lines(reading, true)
  const begin = `${STOP}\n\ndata: {"choices":[{"delta":{"content":"`
  const chunks = [begin, ...Array.from({ length: 4_000 }, () => 'A'.repeat(4_000)), '"}}]}\n\n']
  const start_ms = performance.now()
  const passed = chunks.flatMap((chunk) => lines.pass(Buffer.from(chunk)))
  expect(performance.now() - start_ms).toBeLessThan(5_000)
  expect(passed).toHaveLength(2)
  expect(textOf(passed)).toBe(chunks.join(''))
  expect(reading.delivered.bytes).toBe(16_000_000)
})

describe('a stream that ends within an event', () => {
  const usage = { input_tokens: 700, output_tokens: 1 }
  const started = event({ type: 'message_start', message: { usage } })
  const text = event({ type: 'content_block_delta', delta: { type: 'text_delta', text: 'x'.repeat(400) } })
  const delta = { stop_reason: 'end_turn', stop_sequence: null }
  const last = event({ type: 'message_delta', delta, usage: { output_tokens: 100 } })

  it.each(['end', 'interrupt'] as const)('has no complete report: %s', (ending) => {
    for (let length = 0; length <= last.length; length++) {
      const reading = readingOf('messages')
      const lines = new Lines(reading, false)
      lines.pass(Buffer.from(`${started}\n\n${text}\n\n${last.slice(0, length)}`))
      lines[ending]()
      const isWhole = ending === 'end' && length === last.length
      expect(reading.complete).toBe(isWhole)
      expect(reading.reported()).toMatchObject({ usage: isWhole ? { output_tokens: 100 } : usage })
      expect(reading.delivered.bytes).toBe(400)
    }
  })

  it('keeps its last report', () => {
    const report = (completion_tokens: number) =>
      event({ choices: [{ delta: { content: 'x' } }], usage: { prompt_tokens: 5, completion_tokens } })
    const reading = readingOf('chat')
    const lines = new Lines(reading, true)
    lines.pass(Buffer.from(`${report(1)}\n\n${report(2).slice(0, -3)}`))
    lines.end()
    expect(reading.reported()).toMatchObject({ usage: { completion_tokens: 1 } })
    expect(reading.delivered.pieces).toBe(2)
  })
})

it('a JSON text that is too long loses only its long strings, wherever it is cut', () => {
  const escapes = String.raw`\"\\\\\n\\`
  for (let length = 0; length <= escapes.length; length++) {
    const begun = bounded(`{"model":"m","data":"${'x'.repeat(2 ** 24)}${escapes.slice(0, length)}`)
    expect(begun.length).toBeLessThan(100)
    expect(JSON.parse(`${begun}${escapes.slice(length)}","usage":{}}`)).toMatchObject({
      model: 'm',
      usage: {},
    })
  }
  expect(bounded('x'.repeat(2 ** 24 + 1))).toBe('')
})
