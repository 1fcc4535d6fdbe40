/**
 * Changes single members in JSON text. All other characters stay the same, including the digits of numbers, the spaces
 * and the order of the members.
 */

interface Member {
  readonly name: string
  readonly start: number
  readonly end: number
}

/**
 * Returns the text of a JSON object in which the member at `path` has the given value. Replaces an existing member.
 * Adds a missing member at the end of its object. On the path, adds missing objects, and replaces values that are not
 * objects with objects. The text must be a valid JSON object.
 */
export function withMember(text: string, path: readonly string[], value: number | boolean | string): string {
  const [name = '', ...rest] = path
  const { members, close } = membersOf(text)
  // If several members have the same name, JSON parsers use the last one.
  const known = members.findLast((member) => member.name === name)
  const old = known && text.slice(known.start, known.end)
  const inner = rest.length === 0 ? undefined : old?.startsWith('{') ? old : '{}'
  const fresh = inner === undefined ? JSON.stringify(value) : withMember(inner, rest, value)
  if (known) return text.slice(0, known.start) + fresh + text.slice(known.end)
  const added = `${members.length > 0 ? ',' : ''}${JSON.stringify(name)}:${fresh}`
  return text.slice(0, close) + added + text.slice(close)
}

/** Returns the members of the outermost object, and the position of its closing brace. */
function membersOf(text: string): { readonly members: readonly Member[]; readonly close: number } {
  const members: Member[] = []
  let depth = 0
  let name: string | undefined
  let start = -1
  for (let at = 0; at < text.length; at++) {
    const sign = text[at]
    if (sign === '"') {
      const end = endOfString(text, at)
      if (depth === 1 && name === undefined) name = String(JSON.parse(text.slice(at, end)))
      else if (start === -1) start = at
      at = end - 1
    } else if (sign === ':' && depth === 1) start = -1
    else if (sign === ',' || sign === '}' || sign === ']') {
      if (depth === 1) {
        if (name !== undefined) members.push({ name, start, end: endOfValue(text, at) })
        if (sign === '}') return { members, close: at }
        name = undefined
        start = -1
      } else if (sign !== ',') depth--
    } else {
      if (depth >= 1 && start === -1 && !isSpace(sign)) start = at
      if (sign === '{' || sign === '[') depth++
    }
  }
  throw new Error('the text is not a JSON object')
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  throw new Error('a string has no end')
}

/**
 * Returns the position after a value. `from` is the position of the character after the value and its trailing spaces.
 */
function endOfValue(text: string, from: number): number {
  let end = from
  while (isSpace(text[end - 1])) end--
  return end
}

function isSpace(sign: string | undefined): boolean {
  return sign === ' ' || sign === '\n' || sign === '\r' || sign === '\t'
}
