import { z } from '@hono/zod-openapi'
import { InexactNumber } from './exact-json.ts'

type RawIssue = z.core.$ZodRawIssue
type IssueOf<Code extends RawIssue['code']> = Extract<RawIssue, { readonly code: Code }>

/**
 * Returns the error text of a zod issue if its schema defines no error text. The error text has the same style as the
 * error texts in the schemas of this project: most of them state what the value must be.
 */
export function issueMessage(issue: RawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'required' : typeMessage(issue)
    case 'invalid_value':
      return issue.input === undefined ? 'required' : oneOf(issue.values)
    case 'invalid_union':
      return issue.input === undefined ? 'required' : unionMessage(issue)
    case 'too_big':
      return sizeMessage(issue, issue.maximum, issue.inclusive === false ? 'below' : 'at most')
    case 'too_small':
      return sizeMessage(issue, issue.minimum, issue.inclusive === false ? 'above' : 'at least')
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'invalid_format':
      return formatMessage(issue)
    case 'unrecognized_keys':
      return `unknown fields: ${issue.keys.join(', ')}`
    case 'invalid_key':
      return `its name ${issue.issues[0]?.message ?? 'is not valid'}`
    case 'invalid_element':
      return `an element ${issue.issues[0]?.message ?? 'is not valid'}`
    default:
      return 'is not valid'
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  bigint: 'a whole number',
  boolean: 'true or false',
  null: 'null',
  array: 'an array',
  tuple: 'an array',
  set: 'an array',
  object: 'an object',
  record: 'an object',
  map: 'an object',
  date: 'a date',
}

const NUMBERS: ReadonlySet<string> = new Set(['number', 'int', 'bigint'])

function typeMessage({ expected, input, inst }: IssueOf<'invalid_type'>): string {
  if (input instanceof InexactNumber && NUMBERS.has(expected)) {
    return 'must be a number that a double can hold exactly (at most 15 digits)'
  }
  const type = inst instanceof z.ZodNumberFormat && inst.format === 'safeint' ? TYPES.int : TYPES[expected]
  return type === undefined ? 'has the wrong type' : `must be ${type}`
}

function oneOf(values: readonly unknown[]): string {
  const names = values.map(String).join(', ')
  return values.length === 1 ? `must be ${names}` : `must be one of ${names}`
}

/**
 * Returns the error text for a value that matches no alternative of a union. For a discriminated union, it lists the
 * valid values of the discriminator.
 */
function unionMessage({ options }: IssueOf<'invalid_union'>): string {
  return Array.isArray(options) && options.length > 0 ? oneOf(options) : 'has none of the allowed forms'
}

/**
 * The unit in which the size of a type is counted. Numbers have no unit, because their value is compared instead of a
 * size.
 */
const COUNTED: Readonly<Record<string, string>> = {
  string: 'character',
  array: 'item',
  set: 'item',
  map: 'field',
  object: 'field',
  file: 'byte',
}

function sizeMessage(
  { origin, exact }: IssueOf<'too_big'> | IssueOf<'too_small'>,
  bound: number | bigint,
  comparison: string,
): string {
  const counted = COUNTED[origin]
  if (counted === undefined) return `must be ${comparison} ${bound}`
  return `must have ${exact ? 'exactly' : comparison} ${bound} ${counted}${Number(bound) === 1 ? '' : 's'}`
}

const FORMATS: Readonly<Record<string, string>> = {
  email: 'an email address',
  url: 'a URL',
  uuid: 'a UUID',
  guid: 'a UUID',
  datetime: 'a date and time in ISO 8601',
  date: 'a date, such as 2026-01-31',
  time: 'a time in ISO 8601',
  duration: 'a duration in ISO 8601',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
  base64: 'a text in base64',
  base64url: 'a text in base64url',
  json_string: 'a text in JSON',
  e164: 'a phone number in E.164',
}

function formatMessage(issue: IssueOf<'invalid_format'>): string {
  if ('prefix' in issue) return `must start with ${issue.prefix}`
  if ('suffix' in issue) return `must end with ${issue.suffix}`
  if ('includes' in issue) return `must contain ${issue.includes}`
  const format = FORMATS[issue.format]
  if (format !== undefined) return `must be ${format}`
  return issue.format === 'regex'
    ? `must match the pattern ${issue.pattern}`
    : `must be a valid ${issue.format}`
}
