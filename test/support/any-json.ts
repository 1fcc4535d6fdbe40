import fc from 'fast-check'

/** An object that JSON can be, and that `String` and `Number` throw for. */
export const NOT_PRIMITIVE = Object.freeze({ toString: 1, valueOf: 1 })

/** Any value of JSON, and such objects among them. */
export const anyJson: fc.Arbitrary<unknown> = fc.oneof(
  { arbitrary: fc.jsonValue(), weight: 4 },
  fc.constantFrom(NOT_PRIMITIVE, [NOT_PRIMITIVE], [{ type: NOT_PRIMITIVE }]),
)
