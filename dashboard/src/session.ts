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
      /** The operator's email from Cloudflare Access; null after a sign-in with the operator token. */
      readonly email: string | null
      readonly expires_at: string
    }

export interface Demo {
  readonly api_key: string
  readonly operator_token: string
}

/** The visitor's email from Cloudflare Access, or the reason why Cloudflare Access cannot be used to sign in. */
export type Access =
  | { readonly email: string; readonly problem: null }
  | { readonly email: null; readonly problem: string }

type Stored =
  | Omit<Extract<Session, { kind: 'customer' }>, 'customer'>
  | Extract<Session, { kind: 'operator' }>

/** The current session. Undefined until the server responds; null without a session. */
export const session = signal<Session | null | undefined>(undefined)
/** The public credentials of a development server; null on all other servers. */
export const demo = signal<Demo | null>(null)
/**
 * The visitor as identified by Cloudflare Access; null if there already is a session, or if Cloudflare Access has not
 * identified the visitor.
 */
export const access = signal<Access | null>(null)
/** The reason why the last session ended; null if there is none, for example after signing out. */
export const ended = signal<string | null>(null)
/**
 * The API key that the user signed in with. The page inserts it in the commands that it shows. It is never stored,
 * and is lost when the page closes.
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

/** Signs in as the operator with the identity that Cloudflare Access confirms. */
export async function signInByAccess(): Promise<void> {
  await callSession('post', { access: true })
  ended.value = null
  await readSession()
}

export async function signOut(): Promise<void> {
  // Removes the session first. This closes the open page and cancels its requests.
  session.value = undefined
  await callSession('delete')
  session.value = null
  typed_key.value = null
  ended.value = null
  await readSession()
}

/**
 * Returns the API key for the commands that a page shows: the typed key, the public key of a development server, or a
 * placeholder.
 */
export function shownKey(): string {
  const current = session.value
  const is_demo =
    current?.kind === 'customer' && demo.value?.api_key.includes(current.key_id.slice('key_'.length))
  return typed_key.value ?? (is_demo ? demo.value?.api_key : undefined) ?? 'YOUR_API_KEY'
}

/** Reports whether the session's key has a scope. Pages hide actions that the API would refuse. */
export function may(scope: string): boolean {
  const current = session.value
  return current?.kind === 'customer' && current.scopes.includes(scope)
}
