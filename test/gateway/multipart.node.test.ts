import fc from 'fast-check'
import { describe, expect, inject, it } from 'vitest'
import { boundaryOf, FormReader } from '../../src/gateway/request/multipart.ts'

const { seed, runs } = inject('fuzz')
const options = { numRuns: runs ?? 1000, ...(seed !== undefined && { seed }) }

const part = (name: string, value: string) =>
  `--XX\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
const MODEL = part('model', 'whisper-1')
const END = '--XX--\r\n'

/** Reads a form in pieces of `size` bytes. */
function read(text: string, size = text.length): FormReader {
  const form = new FormReader('XX', () => {})
  const bytes = Buffer.from(text, 'latin1')
  for (let at = 0; at < bytes.length; at += size) form.take(bytes.subarray(at, at + size))
  return form
}

describe('a field of a form', () => {
  it.each([
    ['in the first part', MODEL + END],
    ['after a file', part('file', '\0--X\r\n-') + MODEL + END],
    ['after a preamble, in a form without an end', `about\r\n${MODEL}--XX`],
    ['after white space in the delimiter line', MODEL.replace('--XX', '--XX \t') + END],
    [
      'with an unquoted name, between other headers',
      `--XX\r\nContent-Type: text/plain\r\ncontent-disposition: Form-Data; name=model; filename*=utf-8''a\r\nContent-Length: 9\r\n\r\nwhisper-1\r\n${END}`,
    ],
    [
      'after a field whose value looks like it',
      part('prompt', 'name="model"\r\n\r\ngpt-4o-mini-transcribe\r\n') + MODEL + END,
    ],
    ['after a file name that looks like it', part('x"; filename="; name=model', '') + MODEL + END],
  ])('is read %s, in pieces of every size', (_, text) => {
    for (let size = 1; size <= text.length; size++) {
      const form = read(text, size)
      expect([form.problem, form.get('model')]).toEqual([undefined, 'whisper-1'])
    }
  })

  it('is read after any other parts, in pieces of any size', () => {
    const value = fc.string({ unit: fc.constantFrom('\r', '\n', '-', 'X', 'a', '"', '\r\n--X') })
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), fc.integer({ min: 1, max: 50 }), (values, size) => {
        fc.pre(values.every((text) => !`\n${text}\r`.includes('\n--XX')))
        const form = read(values.map((text) => part('prompt', text)).join('') + MODEL + END, size)
        expect([form.problem, form.get('model')]).toEqual([undefined, 'whisper-1'])
      }),
      options,
    )
  })
})

it.each([
  ['two models', MODEL + MODEL, '/model', 'must be sent only once'],
  ['two files', part('file', 'a') + MODEL + part('file', 'b'), '/file', 'must be sent only once'],
  ['an empty model', part('model', '') + END, '/model', 'must be the name of a model'],
  ['a long model', part('model', 'm'.repeat(256)) + END, '/model', 'must be the name of a model'],
  ['a model of two lines', part('model', 'a\nb') + END, '/model', 'must be the name of a model'],
  ['a delimiter after a bare LF', part('prompt', `a\n${MODEL}`), '', 'contains a line that begins'],
  ['a longer delimiter', part('prompt', 'a\r\n--XXY'), '', 'contains a line that begins'],
  ['a delimiter directly after headers', part('prompt', `--XX`), '', 'contains a line that begins'],
  ['a part after the end', END + MODEL, '', 'contains a line that begins'],
  ['an encoded name', part('x', '').replace('name="x"', "name*=utf-8''model"), '', 'contains a part without'],
  ['a name with an escape', part('mod\\el', 'a'), '', 'contains a part without'],
  ['a name twice', part('x"; name="model', 'a'), '', 'contains a part without'],
  [
    'a file name with an open end',
    part('x"; filename="\\"; name="model', 'a'),
    '',
    'contains a part without',
  ],
  ['no name', part('', '').replace('; name=""', ''), '', 'contains a part without'],
  ['a folded header', part('x', 'a').replace('; name', ';\r\n name'), '', 'contains a part without'],
  ['a bare LF in a header', part('x', 'a').replace('; name', ';\n name'), '', 'contains a part without'],
  ['a long header', part('x'.repeat(5_000), 'a'), '', 'contains a part without'],
  ['an endless header', `--XX\r\n${'x'.repeat(5_000)}`, '', 'contains a part without'],
  ['an endless delimiter', `--XX${' '.repeat(100)}`, '', 'contains a line that begins'],
  ['too many parts', part('x', '').repeat(101), '', 'must have at most 100 parts'],
  [
    'an encoded model',
    MODEL.replace('\r\n\r\n', '\r\nContent-Transfer-Encoding: base64\r\n\r\n'),
    '/model',
    'must be sent without a Content-Transfer-Encoding',
  ],
])('a form with %s is refused, in pieces of every size', (_, text, path, message) => {
  for (let size = 1; size <= Math.min(text.length, 100); size++) {
    expect(read(text, size).problem).toEqual({ path, message: expect.stringMatching(`^${message}`) })
  }
})

it.each([
  ['multipart/form-data; boundary=a', 'a'],
  ['Multipart/Form-Data ;  charset=utf-8 ; BOUNDARY="a b:c" ', 'a b:c'],
  [`multipart/form-data; boundary=${'a'.repeat(70)}`, 'a'.repeat(70)],
  [`multipart/form-data; boundary=${'a'.repeat(71)}`, undefined],
  ['multipart/form-data', undefined],
  ['multipart/form-data; boundary=', undefined],
  ['multipart/form-data; boundary=""', undefined],
  ['multipart/form-data; boundary="a "', undefined],
  ['multipart/form-data; boundary=a; boundary=b', undefined],
  ['multipart/form-data; boundary="a\\b"', undefined],
  ['multipart/form-data; boundary*=a', undefined],
  ['multipart/form-data; boundary=ü', undefined],
])('the boundary of %s is %s', (type, boundary) => {
  expect(boundaryOf(type)).toBe(boundary)
})
