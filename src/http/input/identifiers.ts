import { z } from '@hono/zod-openapi'

const MAX_CHARACTERS = 255
// Cc: C0, DEL and C1. Cs: a surrogate without its other half, which has no UTF-8.
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u

/** An id or a name that the customer chose: 1 to 255 characters (code points), none of them a control character. */
export function customerText() {
  return z
    .string()
    .superRefine((text, ctx) => {
      // A code point is one or two UTF-16 units: only between the two is counting them worth it.
      const too_long =
        text.length > 2 * MAX_CHARACTERS ||
        (text.length > MAX_CHARACTERS && [...text].length > MAX_CHARACTERS)
      if (text === '' || too_long) {
        ctx.addIssue({ code: 'custom', message: `must have 1 to ${MAX_CHARACTERS} characters` })
      } else if (UNPRINTABLE.test(text)) {
        ctx.addIssue({ code: 'custom', message: 'must not have control characters or lone surrogates' })
      }
    })
    .openapi({ minLength: 1, maxLength: MAX_CHARACTERS })
}
