import { signal } from '@preact/signals'
import { type AnswerOf, ApiProblem, call, callSession, whenSignedOut } from './api/call.ts'

export type Customer = AnswerOf<'/v1/customers/me'>

export type Session =
  | {
      readonly kind: 'customer'
      readonly key_id: string
      readonly mode: 'live' | 'test'
      readonly scopes: readonly string[]
      readonly expires_at: string
      readonly customer: Customer
    }
  | {
      readonly kind: 'operator'
      /** The email by which Cloudflare Access names the operator. */
      readonly email: string | null
      readonly expires_at: string
    }

export interface Demo {
  readonly api_key: string
  readonly operator_token: string
}

/** The visitor as Cloudflare Access, in front of this deployment, states it. */
export type Access =
  | { readonly email: string; readonly problem: null }
  | { readonly email: null; readonly problem: string }

type Stored =
  | Omit<Extract<Session, { kind: 'customer' }>, 'customer'>
  | Extract<Session, { kind: 'operator' }>

/** Is undefined until the server has answered; null without a session. */
export const session = signal<Session | null | undefined>(undefined)
/** The public credentials of a development server. */
export const demo = signal<Demo | null>(null)
/** Is null where Cloudflare Access is not used. */
export const access = signal<Access | null>(null)
/** The reason why the last session ended; undefined after signing out. */
export const ended = signal<string | null>(null)
/**
 * The key that the user typed into this page, for the commands that the page shows. It is never stored, and
 * is lost when the page closes.
 */
export const typed_key = signal<string | null>(null)

whenSignedOut((detail) => {
  if (session.value) ended.value = detail
  session.value = null
  typed_key.value = null
})

export async function readSession(): Promise<void> {
  const answer = await callSession<{ session: Stored | null; demo: Demo | null; access: Access | null }>(
    'get',
  )
  demo.value = answer.demo
  access.value = answer.access
  const stored = answer.session
  if (stored?.kind !== 'customer') {
    session.value = stored
    return
  }
  try {
    session.value = { ...stored, customer: await call('get', '/v1/customers/me') }
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.status !== 401) throw error
    session.value = null
  }
}

export async function signIn(credential: string): Promise<void> {
  await callSession('post', { credential })
  typed_key.value = credential.startsWith('om_') ? credential : null
  ended.value = null
  await readSession()
}

/** Signs in as the operator whom Cloudflare Access names. */
export async function signInByAccess(): Promise<void> {
  await callSession('post', { access: true })
  ended.value = null
  await readSession()
}

export async function signOut(): Promise<void> {
  // The open page is closed first, with its requests.
  session.value = undefined
  await callSession('delete')
  session.value = null
  typed_key.value = null
  ended.value = null
  await readSession()
}

/** The key of the commands that a page shows: the typed one, or the public one of a development server. */
export function shownKey(): string {
  const current = session.value
  const is_demo =
    current?.kind === 'customer' && demo.value?.api_key.includes(current.key_id.slice('key_'.length))
  return typed_key.value ?? (is_demo ? demo.value?.api_key : undefined) ?? 'YOUR_API_KEY'
}

/** Whether the session's key has a scope, so that a page can leave out what the API would refuse. */
export function may(scope: string): boolean {
  const current = session.value
  return current?.kind === 'customer' && current.scopes.includes(scope)
}
