import { createHash, randomBytes } from 'node:crypto'
import type { SubjectKind } from '../../db/schema.ts'
import { DAY_MS } from '../../time/durations.ts'
import type { Caller } from '../model/account.ts'
import type { MetaTable } from '../tables.ts'

/** A requested erasure that has not begun. The alarm begins it if the request does not. */
export interface ErasureRequest {
  readonly kind: SubjectKind
  readonly id: string
  readonly caller: Caller
}

/** A subject, by the customer's own id. */
type Subject = Pick<ErasureRequest, 'kind' | 'id'>

/**
 * An erasure that was completed within the last day. A salted hash replaces the subject's id, so that a repeated
 * request can be recognized although the id itself is erased.
 */
interface CompletedErasure {
  readonly salt: string
  readonly hash: string
  readonly alias: string
  readonly at_ms: number
}

const REQUESTED = 'erasures_requested'
const COMPLETED = 'erasures_completed'

const MAX_REQUESTED = 100
const MAX_COMPLETED = 100
const COMPLETED_KEPT_MS = DAY_MS

/**
 * The requested and the recently completed erasures, each as one list in the table `meta`. The first list ensures that
 * a requested erasure is completed without a further request. The second list answers a repeated request.
 */
export class ErasureRequests {
  private readonly meta: MetaTable

  constructor(meta: MetaTable) {
    this.meta = meta
  }

  /** Returns the requested erasures that have not begun, oldest first. */
  all(): readonly ErasureRequest[] {
    return this.read<ErasureRequest>(REQUESTED)
  }

  /** Adds a request, unless the list has it. Returns false if the list is full. */
  add(request: ErasureRequest): boolean {
    const requests = this.all()
    if (requests.some(isOf(request))) return true
    if (requests.length >= MAX_REQUESTED) return false
    this.write(REQUESTED, [...requests, request])
    return true
  }

  /** Removes the request to erase a subject, because the erasure has begun or the subject does not exist. */
  remove(subject: Subject): void {
    const requests = this.all()
    const others = requests.filter((request) => !isOf(subject)(request))
    if (others.length < requests.length) this.write(REQUESTED, others)
  }

  /**
   * Records a completed erasure. Forgets the erasures that were completed more than a day earlier, and the oldest ones
   * above 100.
   */
  complete(subject: Subject & { readonly alias: string }, now_ms: number): void {
    const salt = randomBytes(16).toString('base64url')
    const completed = { salt, hash: hashOf(salt, subject), alias: subject.alias, at_ms: now_ms }
    this.write(COMPLETED, [...this.completed(now_ms), completed].slice(-MAX_COMPLETED))
  }

  /** Returns the alias of the last completed erasure of an id; undefined if none is recorded. */
  aliasOf(subject: Subject, now_ms: number): string | undefined {
    return this.completed(now_ms).findLast(({ salt, hash }) => hash === hashOf(salt, subject))?.alias
  }

  /** Deletes the hashes of the erasures that were completed more than a day ago. */
  forgetCompleted(now_ms: number): void {
    const stored = this.read<CompletedErasure>(COMPLETED)
    const kept = this.completed(now_ms)
    if (kept.length < stored.length) this.write(COMPLETED, kept)
  }

  private completed(now_ms: number): readonly CompletedErasure[] {
    return this.read<CompletedErasure>(COMPLETED).filter(({ at_ms }) => at_ms > now_ms - COMPLETED_KEPT_MS)
  }

  private read<T>(key: string): readonly T[] {
    const text = this.meta.get(key)
    return text === null ? [] : JSON.parse(text)
  }

  private write(key: string, list: readonly unknown[]): void {
    if (list.length > 0) this.meta.set(key, JSON.stringify(list))
    else this.meta.delete(key)
  }
}

function isOf({ kind, id }: Subject): (request: ErasureRequest) => boolean {
  return (request) => request.kind === kind && request.id === id
}

function hashOf(salt: string, { kind, id }: Subject): string {
  return createHash('sha256')
    .update(JSON.stringify([salt, kind, id]))
    .digest('base64url')
}
