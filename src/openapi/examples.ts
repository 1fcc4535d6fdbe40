import { isRecord } from '../ledger/model/json.ts'
import examples from './examples.json' with { type: 'json' }

type Json = Readonly<Record<string, unknown>>

/**
 * An example in the OpenAPI document. `test/openapi/examples.test.ts` sends all examples in their order, with the key
 * of a new customer, and compares the responses. A request can therefore use values from an earlier response.
 */
export interface Example {
  /** The method and the path of the operation, as in the OpenAPI document. */
  readonly operation: string
  readonly parameters?: Readonly<Record<string, string | number>>
  readonly body?: unknown
  readonly status: number
  readonly answer: unknown
}

export const EXAMPLES: readonly Example[] = examples

/** Returns the operation with its examples. `name` is the method and the path of the operation. */
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
    // Omits the bodies of invalid requests, because clients should not copy them.
    ...(body !== undefined && status !== 400 && { requestBody: shownIn(operation.requestBody, name, body) }),
    responses: { ...responses, [status]: shownIn(responses[status], name, answer) },
  }
}

/** Adds `value` to the examples of a JSON request body or a JSON response. */
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
