import { z } from '@hono/zod-openapi'
import { describe, expect, it } from 'vitest'
import { InexactNumber } from '../../src/http/input/exact-json.ts'
import { fieldErrors } from '../../src/http/input/validation.ts'

/**
 * Inputs that cause each kind of zod 4 issue, with the expected path and message. The schemas have no custom messages.
 */
const ISSUES: [schema: z.ZodType, input: unknown, path: string, message: string][] = [
  [z.string(), undefined, '', 'required'],
  [z.enum(['A', 'B']), undefined, '', 'required'],
  [z.union([z.string(), z.boolean()]), undefined, '', 'required'],
  [z.string(), ['1', '2'], '', 'must be a string'],
  [z.number(), '1', '', 'must be a number'],
  [z.number(), Number.POSITIVE_INFINITY, '', 'must be a number'],
  [
    z.number(),
    new InexactNumber('1.00000000000000000009'),
    '',
    'must be a number that a double can hold exactly (at most 15 digits)',
  ],
  [z.int(), 1.5, '', 'must be a whole number'],
  [z.int(), 1e300, '', 'must be at most 9007199254740991'],
  [z.bigint(), 1, '', 'must be a whole number'],
  [z.boolean(), 'yes', '', 'must be true or false'],
  [z.null(), 1, '', 'must be null'],
  [z.array(z.int()), {}, '', 'must be an array'],
  [z.array(z.int()), [1, 'x'], '/1', 'must be a whole number'],
  [z.tuple([z.int()]), 1, '', 'must be an array'],
  [z.set(z.int()), 1, '', 'must be an array'],
  [z.object({}), 1, '', 'must be an object'],
  [z.record(z.string(), z.int()), 1, '', 'must be an object'],
  [z.map(z.string(), z.int()), 1, '', 'must be an object'],
  [z.date(), 1, '', 'must be a date'],
  [z.symbol(), 1, '', 'has the wrong type'],
  [z.instanceof(Uint8Array), 1, '', 'has the wrong type'],
  [z.literal(true), false, '', 'must be true'],
  [z.enum(['A', 'B']), 'C', '', 'must be one of A, B'],
  [z.number().max(604_800), 604_801, '', 'must be at most 604800'],
  [z.number().lt(5), 5, '', 'must be below 5'],
  [z.number().min(1), 0, '', 'must be at least 1'],
  [z.number().positive(), 0, '', 'must be above 0'],
  [z.bigint().min(2n), 1n, '', 'must be at least 2'],
  [z.string().min(1), '', '', 'must have at least 1 character'],
  [z.string().max(64), 'x'.repeat(65), '', 'must have at most 64 characters'],
  [z.string().length(2), 'x', '', 'must have exactly 2 characters'],
  [z.array(z.int()).min(1), [], '', 'must have at least 1 item'],
  [z.array(z.int()).max(2), [1, 2, 3], '', 'must have at most 2 items'],
  [z.set(z.int()).max(1), new Set([1, 2]), '', 'must have at most 1 item'],
  [z.number().multipleOf(5), 6, '', 'must be a multiple of 5'],
  [z.string().startsWith('a'), 'b', '', 'must start with a'],
  [z.string().endsWith('a'), 'b', '', 'must end with a'],
  [z.string().includes('a'), 'b', '', 'must contain a'],
  [z.string().regex(/^a$/), 'b', '', 'must match the pattern /^a$/'],
  [z.email(), 'b', '', 'must be an email address'],
  [z.url(), 'b', '', 'must be a URL'],
  [z.uuid(), 'b', '', 'must be a UUID'],
  [z.iso.date(), 'b', '', 'must be a date, such as 2026-01-31'],
  [z.iso.datetime(), 'b', '', 'must be a date and time in ISO 8601'],
  [z.ipv4(), 'b', '', 'must be an IPv4 address'],
  [z.base64(), '!', '', 'must be a text in base64'],
  [z.nanoid(), '!', '', 'must be a valid nanoid'],
  [z.strictObject({}), { 'a/b': 1 }, '/a~1b', 'unknown field'],
  [z.record(z.string().regex(/^a$/, 'must be a'), z.int()), { b: 1 }, '/b', 'its name must be a'],
  [z.record(z.enum(['a']), z.int()), { a: 1, b: 1 }, '/b', 'unknown field'],
  [z.map(z.object({}), z.int()), new Map([[{}, 'x']]), '', 'an element must be a whole number'],
  [z.union([z.string(), z.boolean()]), 1, '', 'has none of the allowed forms'],
  [z.union([z.object({ a: z.int() }), z.boolean()]), { a: 'x' }, '/a', 'must be a whole number'],
  [
    z.discriminatedUnion('t', [z.object({ t: z.literal('a') }), z.object({ t: z.literal('b') })]),
    { t: 'c' },
    '/t',
    'must be one of a, b',
  ],
  [z.xor([z.string(), z.string()]), 'x', '', 'has none of the allowed forms'],
  [z.custom(() => false), 1, '', 'is not valid'],
  [z.never(), 1, '', 'has the wrong type'],
]

describe('the message of an issue', () => {
  it.each(ISSUES)('%#', (schema, input, path, message) => {
    expect(fieldErrors(schema.safeParse(input).error?.issues ?? [])).toEqual([{ path, message }])
  })

  it('of a schema with its own message is that message', () => {
    const { error } = z.number('must be seconds').max(5, 'must be at most 5 s').safeParse(6)
    expect(fieldErrors(error?.issues ?? [])).toEqual([{ path: '', message: 'must be at most 5 s' }])
  })
})
