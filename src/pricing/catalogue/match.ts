/**
 * Model rules: the names that a price is for. A rule is one word; a list of rules matches if any of its rules
 * does, and rules joined by `&` match only together.
 *
 * `=name` exactly · `=` the model's own id · `^start` · `*part` · `$end` · `~regular expression`
 *
 * Names are compared in lower case.
 */
export interface Match {
  /** Exact names, which most rules are: they can be looked up. */
  readonly exact: readonly string[]
  readonly patterns: readonly ((name: string) => boolean)[]
}

export function readMatch(rules: string, id: string): Match {
  const exact: string[] = []
  const patterns: ((name: string) => boolean)[] = []
  for (const rule of rules.split(' ')) {
    if (rule === '') continue
    if (rule === '=') exact.push(id.toLowerCase())
    else if (rule.startsWith('=') && !rule.includes('&')) exact.push(rule.slice(1))
    else patterns.push(together(rule.split('&').map(readPattern)))
  }
  return { exact, patterns }
}

/** Returns whether a match has the name, which must be in lower case. */
export function matches(match: Match, name: string): boolean {
  return match.exact.includes(name) || match.patterns.some((fits) => fits(name))
}

function together(patterns: readonly ((name: string) => boolean)[]): (name: string) => boolean {
  const [first, ...others] = patterns
  if (first !== undefined && others.length === 0) return first
  return (name) => patterns.every((fits) => fits(name))
}

function readPattern(rule: string): (name: string) => boolean {
  const value = rule.slice(1)
  switch (rule[0]) {
    case '=':
      return (name) => name === value
    case '^':
      return (name) => name.startsWith(value)
    case '*':
      return (name) => name.includes(value)
    case '$':
      return (name) => name.endsWith(value)
    case '~': {
      const expression = new RegExp(value)
      return (name) => expression.test(name)
    }
    default:
      throw new Error(`not a model rule: ${rule}`)
  }
}
