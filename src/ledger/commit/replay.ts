import { FORMAT } from '../journal/packed-entry.ts'
import type { Entry, StoredAnswer } from '../model/journal.ts'
import type { Answered, Refused } from '../model/refusal.ts'
import type { Idempotency } from '../model/vocabulary.ts'
import type { Draft } from './draft.ts'

/**
 * Makes an operation run at most once for each idempotency key. An operation calls one of these functions before it
 * validates its message, because the replay of an accepted request must not be refused. Requests with equal
 * fingerprints are the same operation, so a record of another kind is a bug.
 */

type AnswerKind = StoredAnswer['of']
type AnswerOf<K extends AnswerKind> = Extract<StoredAnswer, { readonly of: K }>

interface Replayed {
  readonly kind: 'replayed'
  /** The format of the record. It decides how the result is rendered. */
  readonly format: number
}

/**
 * Returns the entry that the first request with the idempotency key created, or a refusal if the key cannot be used;
 * undefined if there is no key or it is unused.
 */
export function replayedEntry(
  draft: Draft,
  idempotency: Idempotency | undefined,
): (Replayed & { readonly entry: Entry }) | Refused | undefined {
  const check = draft.checkKey(idempotency)
  if (check.kind === 'unused') return undefined
  if (check.kind === 'refused') return check
  if (check.record.kind !== 'entry') return failOtherKind('entry')
  return { kind: 'replayed', format: check.format, entry: check.record }
}

/** Does the same as `replayedEntry`, for an operation that stores either an entry or a result. */
export function replayedEntryOr<K extends AnswerKind>(
  draft: Draft,
  idempotency: Idempotency | undefined,
  kind: K,
):
  | (Replayed & { readonly entry: Entry })
  | (Replayed & { readonly answer: AnswerOf<K> })
  | Refused
  | undefined {
  const check = draft.checkKey(idempotency)
  if (check.kind !== 'replay' || check.record.kind === 'entry') return replayedEntry(draft, idempotency)
  return replayedAnswer(draft, idempotency, kind)
}

/** Does the same as `replayedEntry`, for an operation that stores its result. */
export function replayedAnswer<K extends AnswerKind>(
  draft: Draft,
  idempotency: Idempotency | undefined,
  ...kinds: readonly K[]
): (Replayed & { readonly answer: AnswerOf<K> }) | Refused | undefined {
  const check = draft.checkKey(idempotency, kinds.some((kind) => kind === 'batch') ? 'batch' : 'request')
  if (check.kind === 'unused') return undefined
  if (check.kind === 'refused') return check
  if (check.record.kind !== 'answer' || !isOfKind(check.record.answer, kinds))
    return failOtherKind(kinds.join())
  return { kind: 'replayed', format: check.format, answer: check.record.answer }
}

function isOfKind<K extends AnswerKind>(answer: StoredAnswer, kinds: readonly K[]): answer is AnswerOf<K> {
  return kinds.some((kind) => kind === answer.of)
}

function failOtherKind(expected: string): never {
  throw new Error(`the record of an idempotency key is not of the kind ${expected}`)
}

/** Stores a result, so that replays of its idempotency key return it. */
export function keepAnswer(draft: Draft, idempotency: Idempotency | undefined, answer: StoredAnswer): void {
  if (idempotency) draft.record({ kind: 'answer', at_ms: draft.at_ms, answer, idempotency })
}

/** Returns the outcome of a request that is not a replay, in the current format. */
export function done<T>(answer: T): Answered<T> {
  return { kind: 'done', format: FORMAT, answer }
}
