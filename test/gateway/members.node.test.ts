import fc from 'fast-check'
import { expect, it } from 'vitest'
import { withMember } from '../../src/gateway/request/members.ts'

it.each([
  ['an empty object', '{ }', ['a'], '{ "a":1}'],
  ['an object that lacks it', '{"b":2 }', ['a'], '{"b":2 ,"a":1}'],
  ['a number', '{"a" : 7.0 ,"b":2}', ['a'], '{"a" : 1 ,"b":2}'],
  ['a list and an object', '{"a":[1,{"a":2}],"b":{}}', ['a'], '{"a":1,"b":{}}'],
  ['a text with quotes and braces', '{"a":"\\"}{,:","b":"a"}', ['a'], '{"a":1,"b":"a"}'],
  ['a member inside', '{"b":{"a": 2, "c":[]}}', ['b', 'a'], '{"b":{"a": 1, "c":[]}}'],
  ['a member inside what is missing', '{"c":3}', ['b', 'a'], '{"c":3,"b":{"a":1}}'],
  ['a member inside what is no object', '{"b":null}', ['b', 'a'], '{"b":{"a":1}}'],
  ['the last of two with its name', '{"a":2,"a":3}', ['a'], '{"a":2,"a":1}'],
  ['a name with escapes', '{"\\u0061":2}', ['a'], '{"\\u0061":1}'],
])('sets a member in %s', (_, text, path, expected) => {
  expect(withMember(text, path, 1)).toBe(expected)
})

it('sets the value that a parser then reads, in any JSON with any spaces, and changes nothing else', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.string(),
      fc.nat(3),
      (object, name, spaces) => {
        const text = JSON.stringify(object, null, spaces)
        const changed: unknown = JSON.parse(withMember(text, [name], true))
        const expected: unknown = JSON.parse(JSON.stringify({ ...object, [name]: true }))
        if (name !== '__proto__') expect(changed).toEqual(expected)
      },
    ),
  )
})
