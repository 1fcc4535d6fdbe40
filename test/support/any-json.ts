import fc from 'fast-check'

/** A JSON object that cannot be converted to a string or a number: `String` and `Number` throw an error. */
export const NOT_PRIMITIVE = Object.freeze({ toString: 1, valueOf: 1 })

/** A fast-check arbitrary for any JSON value, including values with `NOT_PRIMITIVE`. */
export const anyJson: fc.Arbitrary<unknown> = fc.oneof(
  { arbitrary: fc.jsonValue(), weight: 4 },
  fc.constantFrom(NOT_PRIMITIVE, [NOT_PRIMITIVE], [{ type: NOT_PRIMITIVE }]),
)
