import { createHash, hash as digest } from 'node:crypto'
import { utf8 } from '../../db/json-parameters.ts'

/** What a commit's row has beside its body, as the hash covers it. */
export interface HashedRow {
  readonly row_id: number
  readonly first_entry: number
  readonly last_entry: number
  readonly at_ms: number
}

/**
 * The hash of a journal row: of the hash of the row before it, a salt of its own, and its content. It binds a commit
 * from the moment at which it is written, also one without entries, which the chain of entries (`chain.ts`) does not
 * cover. `node:crypto` and not our own SHA-256: a row is long. `before` is null for the first row that has a hash.
 */
export function rowHash(
  before: string | null,
  salt: string,
  { row_id, first_entry, last_entry, at_ms }: HashedRow,
  body: string | ArrayBuffer,
): string {
  const head = `${before ?? ''}\n${salt}\n${row_id} ${first_entry} ${last_entry} ${at_ms}\n`
  const head_length = utf8.encodeInto(head, bytes).written
  if (typeof body === 'string') {
    const { read, written } = utf8.encodeInto(body, bytes.subarray(head_length))
    if (read === body.length) return digest('sha256', bytes.subarray(0, head_length + written), 'base64url')
  }
  const content = typeof body === 'string' ? body : new Uint8Array(body)
  return createHash('sha256').update(head).update(content).digest('base64url')
}

/** Nearly all rows fit. For the others, `createHash` makes a stream, and a copy of the text. */
const bytes = new Uint8Array(272 * 1024)
