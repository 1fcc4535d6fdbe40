/**
 * The rules that determine which names belong to a model. A rule is one word. A list of rules matches a name if at
 * least one rule matches. Rules that are joined by `&` match a name only if all of them match.
 *
 * `=name` exactly · `=` the model's own id · `^start` · `*part` · `$end` · `~regular expression`
 *
 * Names are compared in lower case. Only a date, a version or `-latest` can follow the matched part of a name, and only
 * a path or a region can precede it, except in the rules of `readFamilyMatch`. `^gpt-5` therefore matches
 * `gpt-5-2025-08-07` but not `gpt-5-pro`, which has another price.
 */
export interface Match {
  /** The exact names of the rules. Most rules are exact names. The catalogue looks them up in a map. */
  readonly exact: readonly string[]
  readonly patterns: readonly Fits[]
}

export function readMatch(rules: string, id: string): Match {
  return readRules(rules, id, closed)
}

/**
 * Reads the rules of a family of models, for example for a service tier. These rules allow any text before and after
 * the matched part: `^gpt-5` also matches `gpt-5-pro`.
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
 * Returns a function that reports whether all patterns match a name. Only a path or a region can precede the first
 * matched part, and only a date or a version can follow the last matched part.
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
 * Returns whether a name has nothing after `end` except a date or a version. If a rule ends inside a date, as in
 * `^claude-sonnet-4-2025`, checks the whole date.
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
/** The versions that Bedrock and Vertex append to the name of a snapshot: `-v1:0`, `-v1:0:48k`, `-001`, `:0`. */
const VERSION = '-v\\d(:\\d)?(:\\d+k)?|-00\\d|:\\d'
const DATED = new RegExp(`^((-preview|-exp)?[-@](${DATE})|[-@:]latest)?(${VERSION})?$`)

/**
 * Returns whether a suffix only identifies a snapshot or a revision of a model: a date or `-latest` (also after
 * `-preview` or `-exp`), a version, or an empty text.
 */
export function isDatedSuffix(suffix: string): boolean {
  return DATED.test(suffix)
}

const SUFFIX = new RegExp(`([-@](${DATE})|[-@:]latest)(${VERSION})?$`)

/**
 * Returns a name without its date or `-latest` and without the version that follows; undefined if the name has neither
 * a date nor `-latest`.
 */
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
