import { createHash, hash as digest } from 'node:crypto'
import { utf8 } from '../../db/json-parameters.ts'

/** The fields of a commit's row, without its body, that the hash covers. */
export interface HashedRow {
  readonly row_id: number
  readonly first_entry: number
  readonly last_entry: number
  readonly at_ms: number
}

/**
 * The hash of a journal row: of the hash of the row before it, a salt, and its content. It binds a commit as
 * soon as the commit is written, including commits without entries, which the chain of entries (`chain.ts`)
 * does not cover. Uses `node:crypto` and not our own SHA-256, because a row is long. `before` is null for the
 * first row that has a hash.
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

/**
 * Nearly all rows fit into the buffer. For the others, `createHash` makes a stream and a copy of the text.
 */
const bytes = new Uint8Array(272 * 1024)
