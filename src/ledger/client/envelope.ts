import type { Caller, RateCount } from '../model/account.ts'

/**
 * What every message and every answer has beside what it is about: who calls, and what was counted of the caller's
 * requests. Both can be read without parsing the rest, which may be megabytes.
 */

const CALLER_FIRST = '{"caller":'

/** A message as it travels: its caller stands first. */
export function sealMessage<T extends { readonly caller: Caller }>(message: T): string {
  const { caller, ...rest } = message
  return JSON.stringify({ caller, ...rest })
}

/** The caller of a message; of one that `sealMessage` has written nothing else is parsed. */
export function callerIn(json: string): Caller {
  const { caller }: { readonly caller: Caller } = JSON.parse(headOf(json) ?? json)
  return caller
}

/** A caller holds no objects: it ends at the first brace, unless that is in one of its texts. */
function headOf(json: string): string | undefined {
  if (!json.startsWith(CALLER_FIRST)) return undefined
  const head = `${json.slice(0, json.indexOf('}') + 1)}}`
  return isJson(head) ? head : undefined
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** An answer as it travels: what was counted, if anything was, in a line before it. JSON text has no line breaks. */
export function sealAnswer<T extends { readonly kind: string }>(result: T, rate?: RateCount): string {
  const body = JSON.stringify(result)
  return rate ? `${JSON.stringify(rate)}\n${body}` : body
}

/** The two parts of `sealAnswer`'s text, the second still as JSON. */
export function openAnswer(text: string): { readonly body: string; readonly rate?: RateCount } {
  const end = text.indexOf('\n')
  return end === -1 ? { body: text } : { body: text.slice(end + 1), rate: JSON.parse(text.slice(0, end)) }
}
