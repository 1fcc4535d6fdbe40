import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { Bindings } from '../bindings.ts'
import { BudgetSpent } from '../cron/budget.ts'
import { ledgerName } from '../db/ledger-db.ts'
import { timeJson } from '../http/input/times.ts'
import { notify } from '../ledger/client/client.ts'
import { logError, logFailure, logInfo } from '../logging/log.ts'
import { DAY_MS } from '../time/durations.ts'
import { type SigningKey, signingKeyOf } from './keys.ts'
import {
  type ChainEnd,
  type Checkpoint,
  type Examined,
  examineLedgers,
  keepCheckpoint,
  keepCheckpoints,
  type MadeCheckpoint,
  readChainEnd,
} from './store.ts'

export type Checkpointed =
  | { readonly kind: 'signed'; readonly checkpoint: Checkpoint; readonly first_entry: number }
  /** The chain is empty: no flushed entry of the ledger has a hash. */
  | { readonly kind: 'empty' }
  /** The pages in D1 contradict the newest checkpoint: they have another hash, or no hash, for its entry. */
  | { readonly kind: 'forked'; readonly entry_number: number }
  /** The `refusalOf` function refused the request. No checkpoint was signed. */
  | { readonly kind: 'refused'; readonly detail: string }

/**
 * A function that runs before a checkpoint is signed. It returns the reason to refuse the request, or undefined to
 * accept it.
 */
export type RefusalOf = (chain: {
  readonly first_entry: number
  readonly entry_number: number
}) => string | undefined

/**
 * Signs and stores a checkpoint of the last entry of the chain in D1. If a checkpoint of this entry exists, returns the
 * existing checkpoint. Signs nothing if the chain does not contain the newest checkpoint, because only one history of a
 * ledger may be signed. Also signs nothing if `refusalOf` returns a reason.
 */
export async function makeCheckpoint(
  env: Bindings,
  ledger_id: string,
  key: SigningKey,
  now_ms: number,
  refusalOf: RefusalOf = () => undefined,
): Promise<Checkpointed> {
  const end = await readChainEnd(env, ledger_id)
  const forked = forkOf(ledger_id, end)
  if (forked) return forked
  const { head, newest } = end
  if (!head) return { kind: 'empty' }
  const detail = refusalOf(head)
  if (detail !== undefined) return { kind: 'refused', detail }
  const { first_entry, entry_number } = head
  if (newest?.entry_number === entry_number) return { kind: 'signed', checkpoint: newest, first_entry }
  const made = await signEnd(key, ledger_id, head, now_ms)
  return { kind: 'signed', checkpoint: await keepCheckpoint(env, key, made), first_entry }
}

function forkOf(
  ledger_id: string,
  { newest }: ChainEnd,
): Extract<Checkpointed, { readonly kind: 'forked' }> | undefined {
  if (!newest || newest.found === newest.hash) return undefined
  const { entry_number, hash: signed, found } = newest
  logFailure('checkpoint_refused', { ledger: ledger_id, entry_number, signed, found })
  return { kind: 'forked', entry_number }
}

async function signEnd(
  key: SigningKey,
  ledger_id: string,
  head: NonNullable<ChainEnd['head']>,
  now_ms: number,
): Promise<MadeCheckpoint> {
  const { entry_number, hash } = head
  const note = await signCheckpoint(key, { ledger_id, ...head }, now_ms)
  return { ledger_id, entry_number, hash, created_at_ms: now_ms, key_id: key.key_id, note }
}

/** A position in a ledger's chain: an entry with its hash, and the first entry of the chain. */
interface ChainPlace {
  readonly ledger_id: string
  readonly first_entry: number
  readonly entry_number: number
  readonly hash: string
}

/** The name of the signer in notes. The name is part of the key's hash. */
const SIGNER = 'openmonetize.ledger'
/** The signature type of Ed25519 in C2SP signed-note. */
const ED25519 = 1

/** Signs a statement that the ledger has this hash, in the form of C2SP signed-note (`docs/proof.md`). */
async function signCheckpoint(key: SigningKey, place: ChainPlace, at_ms: number): Promise<string> {
  const { ledger_id, first_entry, entry_number, hash } = place
  const text = `${['openmonetize ledger checkpoint 1', ledger_id, first_entry, entry_number, hash, timeJson(at_ms)].join('\n')}\n`
  const signature = Buffer.concat([keyHash(key.public_key), await key.sign(text)])
  return `${text}\n— ${SIGNER} ${signature.toString('base64')}\n`
}

/**
 * Returns the first four bytes of the SHA-256 hash of the signer's name, a newline, the signature type and the public
 * key.
 */
function keyHash(public_key: string): Buffer {
  const hash = createHash('sha256').update(`${SIGNER}\n`).update(Uint8Array.of(ED25519))
  return hash.update(Buffer.from(public_key, 'base64url')).digest().subarray(0, 4)
}

/**
 * The maximum number of rounds in one run. The next constants limit the ledgers that a round examines, the
 * notifications of a run, and the concurrent notifications.
 */
const ROUNDS = 3
const LEDGERS_A_ROUND = 2_000
const NOTIFIED_A_RUN = 40
const NOTIFIED_AT_ONCE = 10

interface Run {
  readonly env: Bindings
  readonly now_ms: number
  readonly after: string
  readonly reach: (ledger_id: string) => void
}

/**
 * Runs the scheduled job for checkpoints. The job signs a checkpoint of each ledger that has new entries and no
 * checkpoint from the last day, unless its chain is forked. If the ledger has a webhook endpoint, the job also adds a
 * notification to the ledger. A round makes at most 4 calls for all of its ledgers, and one more call for each
 * notification.
 */
export async function checkpointDaily({ env, now_ms, after, reach }: Run, rounds = ROUNDS): Promise<void> {
  const key = await signingKeyOf(env)
  if (!key) return
  let place = after
  let signed = 0
  let notified = 0
  for (let round = 0; round < rounds; round++) {
    const range = { after: place, made_before_ms: now_ms - DAY_MS, limit: LEDGERS_A_ROUND }
    const examined = await examineLedgers(env.DB, range)
    const taken = upTo(examined, NOTIFIED_A_RUN - notified)
    const made: MadeCheckpoint[] = []
    for (const { ledger_id, due } of taken) {
      if (due?.head && !forkOf(ledger_id, due)) made.push(await signEnd(key, ledger_id, due.head, now_ms))
    }
    await keepCheckpoints(env.DB, key, made)
    signed += made.length
    const with_endpoint = new Set(taken.filter((one) => one.has_endpoint).map(({ ledger_id }) => ledger_id))
    const pushed = made.filter(({ ledger_id }) => with_endpoint.has(ledger_id))
    place = taken.at(-1)?.ledger_id ?? place
    reach(place)
    for (let from = 0; from < pushed.length; from += NOTIFIED_AT_ONCE) {
      await Promise.all(
        pushed.slice(from, from + NOTIFIED_AT_ONCE).map((checkpoint) => push(env, checkpoint)),
      )
    }
    notified += pushed.length
    if (taken.length < examined.length) break
    if (examined.length < LEDGERS_A_ROUND) {
      reach('')
      break
    }
  }
  if (signed > 0) logInfo('checkpoints_signed', { ledgers: signed, notified })
}

/**
 * Returns as many of the first ledgers as possible, so that at most `endpoints` of them are due and have a webhook
 * endpoint.
 */
function upTo(examined: readonly Examined[], endpoints: number): readonly Examined[] {
  let left = endpoints
  const end = examined.findIndex(({ due, has_endpoint }) => due !== null && has_endpoint && left-- === 0)
  return end === -1 ? examined : examined.slice(0, end)
}

/**
 * Adds the notification of a checkpoint to its ledger. Logs a failure and does not retry: the next checkpoint also
 * covers the entries, because a hash depends on all earlier entries. Throws only `BudgetSpent`.
 */
async function push(env: Bindings, { ledger_id, ...checkpoint }: MadeCheckpoint): Promise<void> {
  const { entry_number, hash } = checkpoint
  const notice = { type: 'ledger.checkpoint', data: checkpointJson(checkpoint) } as const
  try {
    const result = await notify(env, ledgerName(ledger_id), {
      id: `checkpoint ${entry_number} ${hash}`,
      notice,
    })
    if (result.kind === 'refused') logFailure('checkpoint_not_pushed', { ledger: ledger_id, entry_number })
  } catch (error) {
    if (error instanceof BudgetSpent) throw error
    logError('checkpoint_not_pushed', error, { ledger: ledger_id, entry_number })
  }
}

/** Returns the JSON of a checkpoint, for responses and notifications. */
export function checkpointJson({ entry_number, hash, created_at_ms, key_id, note }: Checkpoint) {
  return { entry_number, hash, created_at: timeJson(created_at_ms), key_id, note }
}
