import type { paths } from '../../../sdk/src/api.ts'
import { parseExact } from '../../../widgets/src/exact.ts'
import type { Exact } from './decimal.ts'
import { noteRate } from './pace.ts'

/**
 * Functions that call the API with the session cookie of the dashboard. Paths, parameters, bodies and responses have
 * the types of the OpenAPI document. Numbers in responses are `Decimal`.
 */

const BASE = '/dashboard/api'

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'
type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P] extends { readonly [K in M]: object } ? P : never
}[keyof paths]
type Operation<P extends keyof paths, M extends Method> = paths[P] extends { readonly [K in M]: infer O }
  ? O
  : never
type Json<R> = R extends { content: { 'application/json': infer A } } ? A : never

export type AnswerOf<P extends keyof paths, M extends Method = 'get'> =
  Operation<P, M> extends { responses: infer R } ? Exact<Json<R[keyof R & (200 | 201)]>> : never

/** The type of a row in the list that `GET` on the path `P` returns. */
export type RowOf<P extends keyof paths> =
  AnswerOf<P> extends { readonly data: readonly (infer Row)[] } ? Row : never

type Parameters<O, K extends 'query' | 'path'> = O extends { parameters: { [Key in K]?: infer V } }
  ? V
  : never

/** The type of an operation's query parameters. A request omits parameters that are undefined. */
type QueryOf<P extends keyof paths, M extends Method> = {
  readonly [K in keyof Parameters<Operation<P, M>, 'query'>]:
    | Parameters<Operation<P, M>, 'query'>[K]
    | undefined
}
type BodyOf<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { requestBody?: { content: { 'application/json': infer B } } } ? Loose<B> : never

/**
 * The type of a body in which each field is optional and a number can also be a decimal string. The API accepts decimal
 * strings for amounts.
 */
type Loose<T> = T extends number
  ? number | string
  : T extends readonly (infer U)[]
    ? readonly Loose<U>[]
    : T extends object
      ? { readonly [K in keyof T]?: Loose<T[K]> | undefined }
      : T

interface Options<P extends keyof paths, M extends Method> {
  /** The values that replace the placeholders in the path, such as `{id}`, by name. */
  readonly path?: Readonly<Record<string, string>>
  readonly query?: QueryOf<P, M>
  readonly body?: BodyOf<P, M>
  /** The idempotency key. A repeated change with the same key gets the stored response. */
  readonly idempotency_key?: string
  readonly signal?: AbortSignal
}

/** A problem that a page shows: a problem document of the API, or a failure with status 0 if there is no response. */
export class ApiProblem extends Error {
  readonly status: number
  readonly code: string
  readonly request_id: string | undefined
  readonly errors: readonly { readonly path: string; readonly message: string }[]

  constructor(status: number, document: ProblemDocument) {
    super(document.detail ?? document.title ?? `The API returned ${status}.`)
    this.status = status
    this.code = document.code ?? 'unknown'
    this.request_id = document.request_id
    this.errors = document.errors ?? []
  }
}

interface ProblemDocument {
  readonly title?: string
  readonly detail?: string
  readonly code?: string
  readonly request_id?: string
  readonly errors?: readonly { readonly path: string; readonly message: string }[]
}

/** The function that is called when a session has ended. */
let onSignedOut: (detail: string) => void = () => {}
export function whenSignedOut(handler: (detail: string) => void): void {
  onSignedOut = handler
}

export async function call<M extends Method, P extends PathOf<M>>(
  method: M,
  path: P,
  options: Options<P, M> = {},
): Promise<AnswerOf<P, M>> {
  const response = await send(method, pathOf(path, options), options)
  const text = await response.text()
  return (text === '' ? undefined : parseExact(text)) as AnswerOf<P, M>
}

/** Requests a response in a format other than JSON, such as `text/csv`. */
export async function download<P extends PathOf<'get'>>(
  path: P,
  accept: string,
  options: Options<P, 'get'> = {},
): Promise<Blob> {
  return (await send('get', pathOf(path, options), { ...options, accept })).blob()
}

/** Calls the dashboard's `/session` route, which reads, starts and ends sessions. It is not part of the public API. */
export async function callSession<A>(method: Method, body?: object): Promise<A> {
  const response = await send(method, '/session', { body }, false)
  const text = await response.text()
  return (text === '' ? undefined : JSON.parse(text)) as A
}

interface Sent {
  readonly body?: unknown
  readonly idempotency_key?: string
  readonly signal?: AbortSignal
  readonly accept?: string
}

async function send(
  method: Method,
  path: string,
  { body, idempotency_key, signal, accept = 'application/json' }: Sent,
  ends_session = true,
): Promise<Response> {
  const headers = new Headers({ Accept: accept })
  if (body !== undefined) headers.set('Content-Type', 'application/json')
  if (idempotency_key !== undefined) headers.set('Idempotency-Key', idempotency_key)
  const init: RequestInit = {
    method: method.toUpperCase(),
    headers,
    credentials: 'same-origin',
    cache: 'no-store',
  }
  if (body !== undefined) init.body = JSON.stringify(body)
  if (signal) init.signal = signal
  const response = await fetch(BASE + path, init).catch((error: unknown) => {
    if (signal?.aborted) throw error
    throw new ApiProblem(0, {
      code: 'unreachable',
      detail: 'The API could not be reached. Check the connection.',
    })
  })
  noteRate(response.headers, Date.now())
  if (response.ok) return response
  const problem = new ApiProblem(response.status, await documentOf(response))
  if (response.status === 401 && ends_session) onSignedOut(problem.message)
  throw problem
}

async function documentOf(response: Response): Promise<ProblemDocument> {
  try {
    return (await response.json()) as ProblemDocument
  } catch {
    return {}
  }
}

function pathOf(
  path: string,
  {
    path: values = {},
    query = {},
  }: { readonly path?: Readonly<Record<string, string>>; readonly query?: unknown },
): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ''))
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(Object(query))) {
    for (const item of [value].flat())
      if (item !== undefined && item !== '') search.append(name, String(item))
  }
  const text = search.toString()
  return text === '' ? filled : `${filled}?${text}`
}
