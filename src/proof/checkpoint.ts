import type { Bindings } from '../bindings.ts'
import { logFailure, logInfo } from '../logging/log.ts'
import { DAY_MS } from '../time/durations.ts'
import { type SigningKey, signingKeyOf } from './keys.ts'
import { signCheckpoint } from './note.ts'
import { type ChainEnd, type Checkpoint, keepCheckpoint, readChainEnd, readHash } from './store.ts'

export type Checkpointed =
  | { readonly kind: 'signed'; readonly checkpoint: Checkpoint; readonly first_entry: number }
  /** The ledger has no entry with a hash. */
  | { readonly kind: 'empty' }
  /** The pages have another history than the last checkpoint. */
  | { readonly kind: 'forked'; readonly entry_number: number }
  /** The request cannot be answered with a checkpoint of this chain: nothing was signed. */
  | { readonly kind: 'refused'; readonly detail: string }

/** Returns the reason for which a request is refused before a checkpoint is made for it. */
export type RefusalOf = (chain: {
  readonly first_entry: number
  readonly entry_number: number
}) => string | undefined

/**
 * Signs the end of the chain that D1 has, unless the newest checkpoint is of that entry. Refuses when the chain does not
 * contain the newest checkpoint: two histories of a ledger must never both be signed.
 */
export async function makeCheckpoint(
  env: Bindings,
  ledger_id: string,
  key: SigningKey,
  now_ms: number,
  refusalOf: RefusalOf = () => undefined,
): Promise<Checkpointed> {
  const { head, newest } = await readChainEnd(env, ledger_id)
  if (newest) {
    const { entry_number } = newest
    const hash = await hashAt(env, ledger_id, head, entry_number)
    if (hash !== newest.hash) {
      logFailure('checkpoint_refused', { ledger: ledger_id, entry_number, signed: newest.hash, found: hash })
      return { kind: 'forked', entry_number }
    }
  }
  if (!head) return { kind: 'empty' }
  const detail = refusalOf(head)
  if (detail !== undefined) return { kind: 'refused', detail }
  const { first_entry, entry_number, hash } = head
  if (newest?.entry_number === entry_number) return { kind: 'signed', checkpoint: newest, first_entry }
  const note = await signCheckpoint(key, { ledger_id, ...head }, now_ms)
  const made = { entry_number, hash, created_at_ms: now_ms, key_id: key.key_id, note }
  return { kind: 'signed', checkpoint: await keepCheckpoint(env, ledger_id, key, made), first_entry }
}

/** The hash that the chain in D1 has for an entry; null when it does not reach it. */
async function hashAt(
  env: Bindings,
  ledger_id: string,
  head: ChainEnd['head'],
  entry_number: number,
): Promise<string | null> {
  if (!head || head.entry_number < entry_number) return null
  return head.entry_number === entry_number ? head.hash : readHash(env, ledger_id, entry_number)
}

/** The numbers of ledgers that one run reads and signs. */
const LEDGERS_A_READ = 2_000
const LEDGERS_A_RUN = 60

// In the order of the primary key: 2 rows read for each ledger.
const DUE = `
  SELECT l.ledger_id, l.chain_hash IS NOT NULL AND l.flushed_entry > coalesce(c.entry_number, 0)
    AND coalesce(c.created_at_ms, 0) < ?2 AS is_due
  FROM ledgers AS l LEFT JOIN checkpoints AS c ON c.ledger_id = l.ledger_id AND c.entry_number =
    (SELECT max(entry_number) FROM checkpoints WHERE ledger_id = l.ledger_id)
  WHERE l.ledger_id > ?1 ORDER BY l.ledger_id LIMIT ${LEDGERS_A_READ}`

/** The scheduled job: signs a checkpoint of each ledger that has grown, once a day. */
export async function checkpointDaily(
  env: Bindings,
  now_ms: number,
  after: string,
  reach: (ledger_id: string) => void,
): Promise<void> {
  const key = await signingKeyOf(env)
  if (!key) return
  const { results } = await env.DB.prepare(DUE)
    .bind(after, now_ms - DAY_MS)
    .all<{ ledger_id: string; is_due: number }>()
  let signed = 0
  for (const { ledger_id, is_due } of results) {
    if (is_due === 1) {
      if (signed === LEDGERS_A_RUN) break
      await makeCheckpoint(env, ledger_id, key, now_ms)
      signed++
    }
    reach(ledger_id)
  }
  if (results.length < LEDGERS_A_READ && signed < LEDGERS_A_RUN) reach('')
  if (signed > 0) logInfo('checkpoints_signed', { ledgers: signed })
}
