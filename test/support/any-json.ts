import fc from 'fast-check'

/** A JSON object for which `String` and `Number` throw. */
export const NOT_PRIMITIVE = Object.freeze({ toString: 1, valueOf: 1 })

/** Any JSON value, including such objects. */
export const anyJson: fc.Arbitrary<unknown> = fc.oneof(
  { arbitrary: fc.jsonValue(), weight: 4 },
  fc.constantFrom(NOT_PRIMITIVE, [NOT_PRIMITIVE], [{ type: NOT_PRIMITIVE }]),
)
