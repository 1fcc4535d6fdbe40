import { isRecord } from '../ledger/model/json.ts'
import examples from './examples.json' with { type: 'json' }

type Json = Readonly<Record<string, unknown>>

/**
 * The examples of the document. `test/openapi/examples.test.ts` sends them in this order to a new customer and
 * compares every answer, so a request may use values of an earlier answer.
 */
export interface Example {
  /** The method and path, as in the document. */
  readonly operation: string
  readonly parameters?: Readonly<Record<string, string | number>>
  readonly body?: unknown
  readonly status: number
  readonly answer: unknown
}

export const EXAMPLES: readonly Example[] = examples

/** Adds the examples of an operation to its part of the document. */
export function withExamples(name: string, operation: Json): Json {
  const shown = EXAMPLES.filter((example) => example.operation === name)
  return shown.reduce<Json>(
    (so_far, example, index) => withExample(so_far, example, `example_${index + 1}`),
    operation,
  )
}

function withExample(
  operation: Json,
  { parameters = {}, body, status, answer }: Example,
  name: string,
): Json {
  const responses = isRecord(operation.responses) ? operation.responses : {}
  return {
    ...operation,
    parameters: list(operation.parameters).map((parameter) => {
      if (!isRecord(parameter) || typeof parameter.name !== 'string') return parameter
      const value = parameters[parameter.name]
      return value === undefined || 'example' in parameter ? parameter : { ...parameter, example: value }
    }),
    // Omits invalid requests, because they are not examples for clients.
    ...(body !== undefined && status !== 400 && { requestBody: shownIn(operation.requestBody, name, body) }),
    responses: { ...responses, [status]: shownIn(responses[status], name, answer) },
  }
}

/** Adds `value` to the examples of a body or a response in JSON. */
function shownIn(place: unknown, name: string, value: unknown): unknown {
  if (!isRecord(place) || !isRecord(place.content)) return place
  const content = Object.entries(place.content).map(([type, media]) => {
    if (!isRecord(media) || !/[/+]json$/.test(type)) return [type, media] as const
    const examples = isRecord(media.examples) ? media.examples : {}
    return [type, { ...media, examples: { ...examples, [name]: { value } } }] as const
  })
  return { ...place, content: Object.fromEntries(content) }
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
