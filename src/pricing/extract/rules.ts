import { isUsageUnit, USAGE_UNITS, type UsageUnit } from '../units.ts'
import { MAX_QUANTITY, type Usage } from '../usage.ts'

/** A shape of response bodies, compiled from the notation of `shapes.ts`. Reading a body with a shape never throws. */
export interface Shape {
  readonly roots: readonly Path[]
  /** The last step of each root. A caller can send only the usage part under this key, for example `{"usage": …}`. */
  readonly lastRoots: readonly Path[]
  /** True if the body must contain a root. A usage part alone then does not match the shape. */
  readonly rooted: boolean
  readonly model: readonly Path[]
  readonly rules: readonly Rule[]
  /**
   * The first key of each path that begins at the root. A usage part that has none of these keys does not match the
   * shape.
   */
  readonly keys: ReadonlySet<string>
}

interface Rule {
  readonly paths: readonly Path[]
  readonly required: boolean
  /**
   * The unit to which the number is added. It is undefined if the number only identifies the shape or is part of
   * another number.
   */
  readonly unit: UsageUnit | undefined
  readonly text: string
}

interface Path {
  readonly fromBody: boolean
  readonly steps: readonly Step[]
  /**
   * The steps joined by dots; undefined if a step selects or counts items of a list. Precomputed, because it is the
   * same for every body.
   */
  readonly text: string | undefined
}

type Step =
  | { readonly kind: 'key'; readonly key: string }
  | {
      readonly kind: 'item' | 'count'
      readonly conditions: readonly (readonly [path: readonly string[], value: string])[]
    }

export function readShape(text: string): Shape {
  const [root = '', model = '', ...rules] = splitShape(text)
  const read = rules.map(readRule)
  const roots = readPaths(root.replace('!', ''))
  return {
    roots,
    lastRoots: roots
      .filter(({ steps }) => steps.length > 0)
      .map(({ steps }) => readPath(false, steps.slice(-1))),
    rooted: root.includes('!'),
    model: readPaths(model),
    rules: read,
    keys: new Set(read.flatMap(({ paths }) => paths.flatMap(firstKey))),
  }
}

function firstKey({ fromBody, steps: [first] }: Path): string[] {
  return fromBody || first?.kind !== 'key' ? [] : [first.key]
}

/** Splits the text of a shape at `;`. Does not split at a `;` inside brackets, which separates conditions. */
function splitShape(text: string): string[] {
  return text.split(/; (?![^[]*\])/).map((part) => part.replace(/;$/, '').trim())
}

function readRule(text: string): Rule {
  const [source = '', target = ''] = text.split(' > ')
  return {
    paths: readPaths(source.replace('!', '')),
    required: source.includes('!'),
    unit: isUsageUnit(target) ? target : undefined,
    text: source.replace('!', '').replaceAll('/', '.'),
  }
}

function readPaths(text: string): Path[] {
  return text.split(' or ').map((path) => readPath(path.startsWith('/'), splitPath(path).map(readStep)))
}

function splitPath(path: string): string[] {
  return path.split(/\/(?![^[]*\])/).filter((step) => step !== '')
}

function readPath(fromBody: boolean, steps: readonly Step[]): Path {
  const keys = steps.flatMap((step) => (step.kind === 'key' ? [step.key] : []))
  return { fromBody, steps, text: keys.length === steps.length ? keys.join('.') : undefined }
}

function readStep(text: string): Step {
  const list = /^(#?)\[(.*)\]$/.exec(text)
  if (list === null) return { kind: 'key', key: text }
  const conditions = (list[2] ?? '')
    .split(';')
    .filter((condition) => condition !== '')
    .map((condition) => {
      const [path = '', value = ''] = condition.split('=')
      return [path.split('/'), value] as const
    })
  return { kind: list[1] === '#' ? 'count' : 'item', conditions }
}

/** A quantity with its unit and its path in the body. */
export interface ReadQuantity {
  readonly unit: UsageUnit
  readonly path: string
  readonly quantity: number
}

export interface Reading {
  readonly usage: Usage
  readonly model: string | undefined
  /** The number of distinct numbers in the body that the rules of the shape read. */
  readonly score: number
  readonly read: readonly ReadQuantity[]
  /** The paths of all numbers in the body that the rules of the shape read. */
  readonly seen: ReadonlySet<string>
  /** The object that contains the usage numbers. `whole` is the response that contains this object. */
  readonly root: Located
  readonly whole: Located
  readonly warnings: readonly string[]
}

export interface Located {
  readonly value: Record<string, unknown>
  readonly path: string
}

/**
 * Reads usage from a body according to a shape. `wholes` is the result of `envelopes`. Returns a problem if the body does
 * not have the shape, or if a number is out of range. An optional quantity that is not a number is not used and adds a
 * warning.
 */
export function readBody(shape: Shape, wholes: readonly Located[]): Reading | { readonly problem: string } {
  const found = findRoot(shape, wholes)
  if (found === undefined) return { problem: 'it is not an object with usage' }
  const { root, whole } = found
  if (!hasKey(root.value, shape.keys)) {
    const required = shape.rules.find((rule) => rule.required)
    return { problem: required === undefined ? NO_NUMBERS : `${required.text} is missing` }
  }
  const usage: { [U in UsageUnit]?: number } = {}
  const warnings: string[] = []
  const read: ReadQuantity[] = []
  const seen = new Set<string>()
  for (const rule of shape.rules) {
    const first = firstAt(rule.paths, root, whole)
    const wrong = quantityProblem(rule, first?.value)
    if (wrong !== undefined) {
      const problem = `${nameOf(rule, first?.paths[0], root)} ${wrong}`
      if (rule.required || typeof first?.value === 'number') return { problem }
      if (first !== undefined) warnings.push(`${problem} and is not used`)
      continue
    }
    if (first === undefined || typeof first.value !== 'number') continue
    for (const path of first.paths) seen.add(path)
    if (rule.unit === undefined || first.value === 0) continue
    usage[rule.unit] = (usage[rule.unit] ?? 0) + first.value
    read.push({ unit: rule.unit, path: first.paths[0] ?? '', quantity: first.value })
  }
  if (seen.size === 0) return { problem: NO_NUMBERS }
  const model = textFirstAt(shape.model, root, [whole, ...wholes])
  return { usage, model, score: seen.size, read, seen, root, whole, warnings }
}

const NO_NUMBERS = 'it has no usage numbers'

function hasKey(record: Record<string, unknown>, keys: ReadonlySet<string>): boolean {
  for (const key in record) if (keys.has(key)) return true
  return false
}

/**
 * Returns the name of a number for error messages: its path relative to the usage part, or its whole path if it is
 * outside the usage part. If the number is missing, returns all paths of the rule, joined by `or`.
 */
function nameOf({ text }: Rule, path: string | undefined, root: Located): string {
  if (path === undefined) return text
  return root.path !== '' && path.startsWith(`${root.path}.`) ? path.slice(root.path.length + 1) : path
}

/**
 * Returns the reason why a number cannot be used, such as "is negative"; undefined if it can be used, or if it is
 * missing and not required. The caller writes the reason after the name of the number.
 */
function quantityProblem(rule: Rule, value: unknown): string | undefined {
  if (value === undefined) return rule.required ? 'is missing' : undefined
  if (typeof value !== 'number' || !Number.isFinite(value)) return 'is not a number'
  if (rule.unit === undefined) return undefined
  if (value < 0) return 'is negative'
  if (value > MAX_QUANTITY) return 'is too large'
  return !USAGE_UNITS[rule.unit].decimals && !Number.isInteger(value) ? 'is not a whole number' : undefined
}

/**
 * Finds the object that contains the usage numbers. It is at a root of the shape, in the body or in a response inside
 * the body, because streams and batches wrap responses in envelopes. If the caller sent only the usage part, it is the
 * body itself or is under the last step of a root. Returns undefined if there is no such object.
 */
function findRoot(shape: Shape, wholes: readonly Located[]): { root: Located; whole: Located } | undefined {
  for (const whole of wholes) {
    for (const path of shape.roots) {
      const root = valueAt(path, whole)
      if (root !== undefined && isRecord(root.value)) {
        return { root: { value: root.value, path: root.path }, whole }
      }
    }
  }
  const [whole] = wholes
  if (shape.rooted || whole === undefined) return undefined
  for (const path of shape.lastRoots) {
    const root = valueAt(path, whole)
    if (root !== undefined && isRecord(root.value)) {
      return { root: { value: root.value, path: root.path }, whole }
    }
  }
  return { root: whole, whole }
}

const ENVELOPES = ['response', 'message', 'result', 'body', 'data']
const MAX_ENVELOPES = 4

/** Returns the body and the objects inside its envelope keys, such as `response` or `message`, outermost first. */
export function envelopes(body: unknown): Located[] {
  const found: Located[] = []
  let inner = body
  let path = ''
  for (let depth = 0; depth <= MAX_ENVELOPES && isRecord(inner); depth++) {
    found.push({ value: inner, path })
    const record: Record<string, unknown> = inner
    const key = ENVELOPES.find((name) => isRecord(ownValue(record, name)))
    if (key === undefined) break
    inner = ownValue(record, key)
    path = joined(path, key)
  }
  return found
}

/**
 * Returns the first value at the paths that is not null; undefined if there is none. Also returns its path and the
 * paths of equal values. Equal values are repetitions: for example, `cached_tokens` and `cache_read_input_tokens` can
 * contain the same number.
 */
function firstAt(
  paths: readonly Path[],
  root: Located,
  whole: Located,
): { readonly value: unknown; readonly paths: readonly string[] } | undefined {
  let first: { value: unknown; paths: string[] } | undefined
  for (const path of paths) {
    const found = valueAt(path, path.fromBody ? whole : root)
    if (found === undefined || found.value === null) continue
    if (first === undefined) first = { value: found.value, paths: [found.path] }
    else if (first.value === found.value) first.paths.push(found.path)
  }
  return first
}

/**
 * Returns the text at the first path that exists; undefined if there is none. Searches in the usage part first, and
 * then in the response, the body and all envelopes, because any of them can contain the name of the model.
 */
function textFirstAt(paths: readonly Path[], root: Located, around: readonly Located[]): string | undefined {
  const [whole = root] = around
  for (const path of paths) {
    const found = valueAt(path, path.fromBody ? whole : root)?.value
    if (found !== undefined && found !== null) return typeof found === 'string' ? found : undefined
  }
  for (const place of around) {
    if (place.value === root.value) continue
    for (const path of paths) {
      const found = valueAt(path, place)?.value
      if (typeof found === 'string') return found
    }
  }
  return undefined
}

/** The maximum number of items of one list that are read. */
const MAX_ITEMS = 10_000

function valueAt(path: Path, start: Located): { readonly value: unknown; readonly path: string } | undefined {
  const { steps, text } = path
  if (text === undefined) return itemAt(steps, start)
  let value: unknown = start.value
  for (const step of steps) {
    if (step.kind !== 'key' || !isRecord(value)) return undefined
    value = ownValue(value, step.key)
    if (value === undefined) return undefined
  }
  return { value, path: text === '' ? start.path : joined(start.path, text) }
}

/** Returns the value at a path that selects an item of a list or counts items; undefined if the path does not exist. */
function itemAt(
  steps: readonly Step[],
  start: Located,
): { readonly value: unknown; readonly path: string } | undefined {
  let value: unknown = start.value
  let path = start.path
  for (const step of steps) {
    if (step.kind === 'key') {
      if (!isRecord(value)) return undefined
      value = ownValue(value, step.key)
      path = joined(path, step.key)
      if (value === undefined) return undefined
      continue
    }
    if (!Array.isArray(value)) return undefined
    const items: unknown[] = value.slice(0, MAX_ITEMS)
    const fits = (item: unknown) => step.conditions.every(([at, wanted]) => fieldAt(at, item) === wanted)
    if (step.kind === 'count') return { value: items.filter(fits).length, path: `${path}[]` }
    const index = items.findIndex(fits)
    if (index === -1) return undefined
    value = items[index]
    path = `${path}[${index}]`
  }
  return { value, path }
}

function joined(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

function fieldAt(path: readonly string[], start: unknown): unknown {
  let value = start
  for (const key of path) value = isRecord(value) ? ownValue(value, key) : undefined
  return value
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Returns an own property of an object; undefined for inherited properties, so that the keys of a body cannot reach
 * prototypes.
 */
export function ownValue(record: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined
}
