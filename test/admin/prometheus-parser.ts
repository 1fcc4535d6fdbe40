/**
 * The metrics in a text of the Prometheus text format 0.0.4. The parser is strict, like `promtool check metrics`. The
 * HELP line, the TYPE line and the samples of a metric must follow each other in this order. A metric or a series must
 * not occur twice. Only known escapes are allowed. The name of a counter must end with `_total`, and its value must not
 * be negative.
 */
export interface Metrics {
  value(name: string, labels?: Readonly<Record<string, string>>): number
  help(name: string): string
  /** Returns the names of all series with their labels. */
  series(): string[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const HELP = new RegExp(`^# HELP (${NAME}) (\\S.*)$`)
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge)$`)
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (-?\\d+(?:\\.\\d+)?(?:e[+-]\\d+)?)$`)
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,(?=.)|$)/

export function parsePrometheus(text: string): Metrics {
  if (!text.endsWith('\n')) throw new Error('the text does not end with a line feed')
  const helps = new Map<string, string>()
  const types = new Map<string, string>()
  const values = new Map<string, number>()
  /** The name of the metric that the latest HELP line introduced. */
  let current = ''
  for (const line of text.slice(0, -1).split('\n')) {
    const fail = (reason: string) => new Error(`${reason}: ${line}`)
    const [, helped, help] = HELP.exec(line) ?? []
    if (helped !== undefined && help !== undefined) {
      if (helps.has(helped)) throw fail('a second HELP')
      if (current !== '' && !sampled(values, current)) throw fail(`no sample of ${current} before`)
      helps.set(helped, unescapeText(help, /\\([\\n])/g, fail))
      current = helped
      continue
    }
    const [, typed, type] = TYPE.exec(line) ?? []
    if (typed !== undefined && type !== undefined) {
      if (typed !== current || types.has(typed)) throw fail('a TYPE without its HELP')
      if ((type === 'counter') !== typed.endsWith('_total')) throw fail('a counter is named …_total')
      types.set(typed, type)
      continue
    }
    const [, name, labels = '', number] = SAMPLE.exec(line) ?? []
    if (name === undefined || number === undefined) throw fail('not a line of the format')
    if (name !== current || !types.has(name)) throw fail('a sample outside of its metric')
    const series = seriesOf(name, labelsOf(labels, fail))
    if (values.has(series)) throw fail('the series is there twice')
    const value = Number(number)
    if (types.get(name) === 'counter' && value < 0) throw fail('a counter below 0')
    values.set(series, value)
  }
  if (!sampled(values, current)) throw new Error(`no sample of ${current}`)
  return {
    value(name, labels = {}) {
      const value = values.get(seriesOf(name, labels))
      if (value === undefined) throw new Error(`no ${seriesOf(name, labels)} in\n${text}`)
      return value
    },
    help: (name) => helps.get(name) ?? '',
    series: () => [...values.keys()],
  }
}

function labelsOf(text: string, fail: (reason: string) => Error): Record<string, string> {
  const labels: Record<string, string> = {}
  for (let rest = text; rest !== ''; ) {
    const [label = '', name, value] = LABEL.exec(rest) ?? []
    if (name === undefined || value === undefined) throw fail('not a label')
    if (name in labels) throw fail('the label is there twice')
    labels[name] = unescapeText(value, /\\(["\\n])/g, fail)
    rest = rest.slice(label.length)
  }
  return labels
}

function unescapeText(text: string, escapes: RegExp, fail: (reason: string) => Error): string {
  if (text.replaceAll(escapes, '').includes('\\')) throw fail('an unknown escape')
  return text.replaceAll(escapes, (_, character: string) => (character === 'n' ? '\n' : character))
}

function seriesOf(name: string, labels: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `${name}${JSON.stringify(sorted)}`
}

function sampled(values: ReadonlyMap<string, number>, name: string): boolean {
  return values.keys().some((series) => series.startsWith(`${name}[`))
}
