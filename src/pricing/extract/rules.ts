import { isUsageUnit, USAGE_UNITS, type UsageUnit } from '../units.ts'
import { MAX_QUANTITY, type Usage } from '../usage.ts'

/** Reads the notation of `shapes.ts`, and bodies by it. Never throws, whatever the body is. */
export interface Shape {
  readonly roots: readonly Path[]
  readonly model: readonly Path[]
  readonly rules: readonly Rule[]
}

interface Rule {
  readonly paths: readonly Path[]
  readonly required: boolean
  /** Undefined for a rule that only tells shapes apart. */
  readonly unit: UsageUnit | undefined
  readonly text: string
}

interface Path {
  readonly fromBody: boolean
  readonly steps: readonly Step[]
}

type Step =
  | { readonly kind: 'key'; readonly key: string }
  | {
      readonly kind: 'item' | 'count'
      readonly conditions: readonly (readonly [path: readonly string[], value: string])[]
    }

export function readShape(text: string): Shape {
  const [root = '', model = '', ...rules] = splitShape(text)
  return { roots: readPaths(root), model: readPaths(model), rules: rules.map(readRule) }
}

/** `;` also stands between the conditions inside brackets. */
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
  return text.split(' or ').map((path) => ({
    fromBody: path.startsWith('/'),
    steps: path
      .split(/\/(?![^[]*\])/)
      .filter((step) => step !== '')
      .map(readStep),
  }))
}

function readStep(text: string): Step {
  const list = /^(#?)\[(.*)\]$/.exec(text)
  if (list === null) return { kind: 'key', key: text }
  const conditions = (list[2] ?? '').split(';').map((condition) => {
    const [path = '', value = ''] = condition.split('=')
    return [path.split('/'), value] as const
  })
  return { kind: list[1] === '#' ? 'count' : 'item', conditions }
}

export interface Reading {
  readonly usage: Usage
  readonly model: string | undefined
  /** How many of the body's numbers the shape accounts for. */
  readonly score: number
  readonly warnings: readonly string[]
}

/** What a body says by a shape, or why it is not of that shape. */
export function readBody(shape: Shape, body: unknown): Reading | { readonly problem: string } {
  const { root, whole } = findRoot(shape, body)
  if (!isRecord(root)) return { problem: 'it is not an object with usage in it' }
  const usage: { [U in UsageUnit]?: number } = {}
  const warnings: string[] = []
  let score = 0
  for (const rule of shape.rules) {
    const value = firstAt(rule.paths, root, whole)
    const problem = quantityProblem(rule, value)
    if (problem !== undefined) {
      if (rule.required || typeof value === 'number') return { problem }
      if (value !== undefined && value !== null) warnings.push(`${problem}; not used`)
      continue
    }
    if (typeof value !== 'number') continue
    score += 1
    if (rule.unit !== undefined && value > 0) usage[rule.unit] = (usage[rule.unit] ?? 0) + value
  }
  if (score === 0) return { problem: 'it has none of the numbers that usage is made of' }
  const model = firstAt(shape.model, root, whole)
  return { usage, model: typeof model === 'string' ? model : undefined, score, warnings }
}

function quantityProblem(rule: Rule, value: unknown): string | undefined {
  if (value === undefined || value === null) return rule.required ? `${rule.text} is missing` : undefined
  if (typeof value !== 'number' || !Number.isFinite(value)) return `${rule.text} is not a number`
  if (value < 0) return `${rule.text} is negative`
  if (value > MAX_QUANTITY) return `${rule.text} is too large`
  const wholeOnly = rule.unit === undefined || !USAGE_UNITS[rule.unit].decimals
  return wholeOnly && !Number.isInteger(value) ? `${rule.text} is not a whole number` : undefined
}

/**
 * The object that holds the numbers: at one of the shape's roots, in the body itself or in an envelope that
 * streams and batches put around a response; or else the body, when only its usage part was sent.
 */
function findRoot(shape: Shape, body: unknown): { root: unknown; whole: unknown } {
  for (const whole of envelopes(body)) {
    for (const path of shape.roots) {
      const root = valueAt(path.steps, whole)
      if (isRecord(root)) return { root, whole }
    }
  }
  for (const path of shape.roots) {
    const last = path.steps.slice(-1)
    const root = valueAt(last, body)
    if (last.length > 0 && isRecord(root)) return { root, whole: body }
  }
  return { root: body, whole: body }
}

const ENVELOPES = ['response', 'message', 'result', 'body', 'data']
const MAX_ENVELOPES = 4

function* envelopes(body: unknown): Generator<unknown> {
  let inner = body
  for (let depth = 0; depth <= MAX_ENVELOPES && isRecord(inner); depth++) {
    yield inner
    const record: Record<string, unknown> = inner
    const key = ENVELOPES.find((name) => isRecord(ownValue(record, name)))
    if (key === undefined) return
    inner = ownValue(record, key)
  }
}

function firstAt(paths: readonly Path[], root: unknown, whole: unknown): unknown {
  for (const path of paths) {
    const value = valueAt(path.steps, path.fromBody ? whole : root)
    if (value !== undefined && value !== null) return value
  }
  // A model is beside the usage that it was used by, not in it.
  for (const path of root === whole ? [] : paths) {
    const value = valueAt(path.steps, whole)
    if (typeof value === 'string') return value
  }
  return undefined
}

/** More items than this in one list of a response are not looked at. */
const MAX_ITEMS = 10_000

function valueAt(steps: readonly Step[], start: unknown): unknown {
  let value = start
  for (const step of steps) {
    if (step.kind === 'key') {
      if (!isRecord(value)) return undefined
      value = ownValue(value, step.key)
      continue
    }
    if (!Array.isArray(value)) return undefined
    const items: unknown[] = value.slice(0, MAX_ITEMS)
    const fits = (item: unknown) => step.conditions.every(([path, wanted]) => textAt(path, item) === wanted)
    if (step.kind === 'count') return items.filter(fits).length
    value = items.find(fits)
  }
  return value
}

function textAt(path: readonly string[], start: unknown): unknown {
  let value = start
  for (const key of path) value = isRecord(value) ? ownValue(value, key) : undefined
  return value
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Own properties only: a body cannot reach into prototypes. */
export function ownValue(record: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined
}
