/**
 * The rules of a model, which state the names of the model. A rule is one word. A list of rules matches if at least
 * one rule matches. Rules joined by `&` match only together.
 *
 * `=name` exactly · `=` the model's own id · `^start` · `*part` · `$end` · `~regular expression`
 *
 * Names are compared in lower case. If a rule does not cover the end of a name, the rest of the name must be a date,
 * a version or `-latest`. If a rule does not cover the start of a name, the rest must be a path or a region. `^gpt-5`
 * matches `gpt-5-2025-08-07` but not `gpt-5-pro`, because the price of `gpt-5-pro` differs.
 */
export interface Match {
  /** The exact names, which are looked up directly. Most rules are exact names. */
  readonly exact: readonly string[]
  readonly patterns: readonly Fits[]
}

export function readMatch(rules: string, id: string): Match {
  return readRules(rules, id, closed)
}

/**
 * Reads the rules of a family of models, for example of a service tier. In such rules, the end and the start of a
 * name may be any text: `^gpt-5` matches `gpt-5-pro` as well.
 */
export function readFamilyMatch(rules: string): Match {
  return readRules(rules, '', together)
}

function readRules(rules: string, id: string, join: (patterns: readonly Pattern[]) => Fits): Match {
  const exact: string[] = []
  const patterns: Fits[] = []
  for (const rule of rules.split(' ')) {
    if (rule === '') continue
    if (rule === '=') exact.push(id.toLowerCase())
    else if (rule.startsWith('=') && !rule.includes('&')) exact.push(rule.slice(1))
    else patterns.push(join(rule.split('&').map(readPattern)))
  }
  return { exact, patterns }
}

/** Returns whether a name matches. The name must be in lower case. */
export function matches(match: Match, name: string): boolean {
  return match.exact.includes(name) || match.patterns.some((fits) => fits(name))
}

type Fits = (name: string) => boolean

/** Returns the part of a name that a pattern covers; undefined if the pattern does not match. */
type Pattern = (name: string) => { readonly start: number; readonly end: number } | undefined

/**
 * Matches a name if the patterns together cover it. A path before them and a date or a version after them may remain.
 */
function closed(patterns: readonly Pattern[]): Fits {
  return (name) => {
    let start = name.length
    let end = 0
    for (const pattern of patterns) {
      const span = pattern(name)
      if (span === undefined) return false
      if (span.start === 0 && span.end === 0) continue
      start = Math.min(start, span.start)
      end = Math.max(end, span.end)
    }
    return (start === 0 || /[./:]/.test(name.charAt(start - 1))) && endsDated(name, end)
  }
}

function together(patterns: readonly Pattern[]): Fits {
  return (name) => patterns.every((pattern) => pattern(name) !== undefined)
}

/**
 * Returns whether a name ends at `end`, or has only a date or a version after it. If a rule ends inside a date, like
 * `^claude-sonnet-4-2025`, the whole date is compared.
 */
function endsDated(name: string, end: number): boolean {
  if (isDatedSuffix(name.slice(end))) return true
  const word = /[-@]\d*$/.exec(name.slice(0, end))
  return word !== null && isDatedSuffix(name.slice(word.index))
}

const MONTH = '(0[1-9]|1[0-2])'
const DAY = '(0[1-9]|[12]\\d|3[01])'
const YEAR = '20[2-9]\\d'
const DATE = [
  `${YEAR}-?${MONTH}-?${DAY}`,
  `${YEAR}-${MONTH}`,
  `${MONTH}-${YEAR}`,
  `${MONTH}-?${DAY}`,
  `2\\d${MONTH}`,
].join('|')
/** A version of the same snapshot in the notation of Bedrock and Vertex: `-v1:0`, `-001`, `:48k`. */
const VERSION = '-v\\d(:\\d)?(:\\d+k)?|-00\\d|:\\d'
const DATED = new RegExp(`^((-preview|-exp)?[-@](${DATE})|[-@:]latest)?(${VERSION})?$`)

/**
 * Returns whether a suffix is empty, or is a date, `-latest` or a version, which identify a snapshot or a revision of
 * a model.
 */
export function isDatedSuffix(suffix: string): boolean {
  return DATED.test(suffix)
}

const SUFFIX = new RegExp(`([-@](${DATE})|[-@:]latest)(${VERSION})?$`)

/** Returns a name without its date or `-latest`; undefined for a name with neither. */
export function undated(name: string): string | undefined {
  const suffix = SUFFIX.exec(name)
  return suffix === null || suffix.index === 0 ? undefined : name.slice(0, suffix.index)
}

function readPattern(rule: string): Pattern {
  const value = rule.slice(1)
  const found = (start: number) => (start === -1 ? undefined : { start, end: start + value.length })
  switch (rule[0]) {
    case '=':
      return (name) => (name === value ? found(0) : undefined)
    case '^':
      return (name) => (name.startsWith(value) ? found(0) : undefined)
    case '*':
      return (name) => found(name.lastIndexOf(value))
    case '$':
      return (name) => (name.endsWith(value) ? found(name.length - value.length) : undefined)
    case '~': {
      const expression = new RegExp(value)
      return (name) => {
        const match = expression.exec(name)
        return match === null ? undefined : { start: match.index, end: match.index + match[0].length }
      }
    }
    default:
      throw new Error(`invalid model rule: ${rule}`)
  }
}
