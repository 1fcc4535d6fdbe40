import type { components, operations } from './api.ts'

/** The names of the API's operations, as in its OpenAPI document. */
export type Operation = keyof operations
/** The schemas of the API's OpenAPI document, by name. */
export type Schemas = components['schemas']

/** The JSON body of an operation's request. */
export type Body<O extends Operation> = operations[O] extends {
  requestBody?: { content: { 'application/json': infer B } }
}
  ? B
  : never

/** The JSON body of an operation's successful response. */
export type Answer<O extends Operation> = {
  [S in keyof operations[O]['responses']]: operations[O]['responses'][S] extends {
    content: { 'application/json': infer A }
  }
    ? A
    : undefined
}[keyof operations[O]['responses']]

/** The query parameters of an operation. */
export type Query<O extends Operation> = operations[O]['parameters'] extends { query?: infer Q }
  ? Exclude<Q, undefined>
  : never

/** A row of the list that an operation returns. */
export type Row<O extends Operation> = Answer<O> extends { data: (infer R)[] } ? R : never

/** A usage event, as `POST /v1/events/ingest` accepts it. */
export type Event = Schemas['Event']
