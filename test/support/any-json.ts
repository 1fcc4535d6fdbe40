import fc from 'fast-check'

/** An object that JSON can contain and for which `String` and `Number` throw. */
export const NOT_PRIMITIVE = Object.freeze({ toString: 1, valueOf: 1 })

/** Any value of JSON, including such objects. */
export const anyJson: fc.Arbitrary<unknown> = fc.oneof(
  { arbitrary: fc.jsonValue(), weight: 4 },
  fc.constantFrom(NOT_PRIMITIVE, [NOT_PRIMITIVE], [{ type: NOT_PRIMITIVE }]),
)
