import { expect } from 'vitest'
import { api, jsonOf, textField } from '../support/api.ts'

/**
 * Runs the curl commands of a guide against the API, in order. The comment below a command states the expected status
 * and a part of the response, and both are checked. A line such as `HOLD=... # the hold_id of that response` sets a
 * variable to a field of the previous response.
 */
export async function runCurlLines(
  page: string,
  given: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  const blocks = [...page.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) =>
    block.replaceAll('\\\n', ' '),
  )
  const steps = blocks.flatMap((block) => stepsOf(block.split('\n')))
  // The number of parsed steps must equal the number of curl commands on the page. Otherwise, a command that this code
  // cannot parse would not be tested.
  expect(steps.filter((step) => 'words' in step)).toHaveLength(page.split('\ncurl ').length - 1)
  const variables = new Map(given)
  let last: Readonly<Record<string, unknown>> = {}
  for (const step of steps) {
    if ('variable' in step) {
      variables.set(step.variable, textField(last, step.field))
      continue
    }
    const { path, ...request } = requestOf(step.words(variables))
    const response = await api(path, request)
    last = await jsonOf(response)
    const { status, answer } = step
    expect({ path, status: response.status, answer: last }).toMatchObject({ path, status, answer })
  }
}

interface Curl {
  readonly words: (variables: ReadonlyMap<string, string>) => string[]
  readonly status: number
  readonly answer: unknown
}

interface Variable {
  readonly variable: string
  readonly field: string
}

function stepsOf(lines: readonly string[]): (Curl | Variable)[] {
  return lines.flatMap((line, index): (Curl | Variable)[] => {
    const [, variable, field] = /^([A-Z]+)=\.\.\. +# the (\w+) of that response$/.exec(line) ?? []
    if (variable !== undefined && field !== undefined) return [{ variable, field }]
    if (line === '' || line.startsWith('#')) return []
    const [, status, answer] = /^# (\d{3}) (\{.*\})$/.exec(lines[index + 1] ?? '') ?? []
    if (!line.startsWith('curl ') || status === undefined || answer === undefined) {
      throw new Error(`a line that no test can run: ${line}`)
    }
    return [
      { words: (variables) => wordsOf(line, variables), status: Number(status), answer: JSON.parse(answer) },
    ]
  })
}

/** Splits a command into words like a shell: removes quotes, joins adjacent parts, and replaces variables. */
function wordsOf(line: string, variables: ReadonlyMap<string, string>): string[] {
  return [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|"([^"]*)"|([^'"]+)/g, (_, single?: string, double?: string, bare?: string) => {
      if (single !== undefined) return single
      return (double ?? bare ?? '').replaceAll(/\$([A-Z]+)/g, (name, variable: string) => {
        const value = variables.get(variable)
        if (value === undefined) throw new Error(`${name} is not set in: ${line}`)
        return value
      })
    }),
  )
}

interface CurlRequest {
  readonly path: string
  readonly headers: Record<string, string>
  readonly method?: string
  readonly body?: string
}

function requestOf([curl, ...words]: readonly string[]): CurlRequest {
  let request: CurlRequest = { path: '', headers: {} }
  const rest = words[Symbol.iterator]()
  for (const word of rest) {
    if (word === '-s') continue
    if (!word.startsWith('-')) {
      request = { ...request, path: word.replace('localhost:8787', '') }
      continue
    }
    const value = String(rest.next().value)
    if (word === '-X') request = { ...request, method: value }
    else if (word === '-d') request = { ...request, body: value }
    else if (word === '-H') {
      const [name = '', text = ''] = value.split(': ')
      request.headers[name] = text
    } else throw new Error(`${curl} ${word} is not known`)
  }
  return request
}
