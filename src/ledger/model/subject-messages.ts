import type { SubjectKind } from '../../db/schema.ts'
import type { ErasureResult } from '../flush/projector.ts'
import type { Caller, Refused } from './messages.ts'

/** What the Worker asks of a ledger object for users and teams; plain JSON, like everything in `messages.ts`. */

/** Have D1 brought up to everything that is committed, so that it knows everybody who was ever mentioned. */
export interface CatchUpMessage {
  readonly caller: Caller
}

export type CatchUpResult = { readonly kind: 'done' } | Refused

export interface EraseMessage {
  readonly caller: Caller
  readonly kind: SubjectKind
  readonly id: string
}

export type EraseResult = ErasureResult | Refused
