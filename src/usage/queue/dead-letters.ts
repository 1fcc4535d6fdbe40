import type { Bindings } from '../../bindings.ts'
import { DAY_MS } from '../../time/durations.ts'
import { foldBodies, MAX_REASON_LENGTH } from './consume.ts'

/**
 * A message of the usage queue that could not be consumed. An operator can replay it. It is deleted 30 days after the
 * replay.
 */
export interface DeadLetter {
  readonly dead_letter_id: string
  readonly state: 'open' | 'replayed'
  readonly reason: string
  readonly attempts: number
  readonly sent_at_ms: number
  readonly failed_at_ms: number
  readonly replayed_at_ms: number | null
  /** The first 2,000 characters of the message as JSON text. */
  readonly body: string
}

const SELECT_PAGE = `
  SELECT dead_letter_id, state, reason, attempts, sent_at_ms, failed_at_ms, replayed_at_ms, substr(body, 1, 2000) AS body
  FROM dead_letters WHERE state = ?1 AND dead_letter_id < ?2 ORDER BY dead_letter_id DESC LIMIT ?3`

/**
 * Lists dead letters with an id below `before_id`, newest first. Reads 2 rows for each dead letter: the dead letter and
 * its index entry.
 */
export async function listDeadLetters(
  db: D1Database,
  state: DeadLetter['state'],
  { before_id, limit }: { readonly before_id: string; readonly limit: number },
): Promise<readonly DeadLetter[]> {
  return (await db.prepare(SELECT_PAGE).bind(state, before_id, limit).all<DeadLetter>()).results
}

/** The maximum number of dead letters that one call replays. */
export const MAX_REPLAYED = 100

// Selects open dead letters in the order of their last failure. In another order, a hundred dead letters that always
// fail would block all others.
const OPEN_LETTERS = `
  SELECT dead_letter_id, truncated, body FROM (
    SELECT dead_letter_id AS id FROM dead_letters WHERE state = 'open'
    ORDER BY failed_at_ms, dead_letter_id LIMIT ${MAX_REPLAYED + 1}) CROSS JOIN dead_letters
  WHERE dead_letter_id = id ORDER BY failed_at_ms, dead_letter_id`

const THESE_LETTERS = `
  SELECT dead_letter_id, truncated, body FROM json_each(?1) AS k CROSS JOIN dead_letters
  WHERE dead_letter_id = k.value AND state = 'open'`

interface LetterRow {
  dead_letter_id: string
  truncated: number
  body: string
}

export interface Replay {
  /** The number of dead letters that were replayed. The rollups now contain their usage. */
  readonly replayed: number
  /** The number of dead letters that failed again and remain open. */
  readonly failed: number
  /**
   * The number of requested ids without an open dead letter: the dead letter does not exist or was already replayed.
   */
  readonly not_found: number
  /** True if there are more open dead letters to replay; false if ids were given. */
  readonly more: boolean
}

/**
 * Consumes dead letters again, at most `MAX_REPLAYED`: the dead letters with the given ids or, without ids, the open
 * dead letters whose last failure is oldest. Marks them in one batch together with the statements that `statementsOf`
 * returns. The batch writes 2 rows for each dead letter: the dead letter and its index entry.
 */
export async function replayDeadLetters(
  env: Bindings,
  ids: readonly string[] | undefined,
  statementsOf: (replay: Replay) => readonly D1PreparedStatement[],
): Promise<Replay> {
  const db = env.DB
  const wanted = ids && [...new Set(ids)]
  const { results } = await (wanted
    ? db.prepare(THESE_LETTERS).bind(JSON.stringify(wanted))
    : db.prepare(OPEN_LETTERS)
  ).all<LetterRow>()
  const letters = results.slice(0, MAX_REPLAYED)
  const outcomes = await foldBodies(
    env,
    letters.map(({ truncated, body }) => (truncated ? TRUNCATED : JSON.parse(body))),
  )
  const rows = letters.map(({ dead_letter_id }, i) => ({ dead_letter_id, outcome: outcomes[i] }))
  const done = rows.filter(({ outcome }) => outcome?.kind === 'folded')
  const replay: Replay = {
    replayed: done.length,
    failed: letters.length - done.length,
    not_found: (wanted?.length ?? letters.length) - letters.length,
    more: results.length > letters.length,
  }
  const texts = rows.map(({ dead_letter_id, outcome }) => {
    const reason = outcome?.kind === 'failed' ? outcome.reason.slice(0, MAX_REASON_LENGTH) : null
    return { dead_letter_id, reason }
  })
  await db.batch([db.prepare(REPLAYED).bind(JSON.stringify(texts), Date.now()), ...statementsOf(replay)])
  return replay
}

/** The replacement for a truncated body. It is not a valid message, so its replay fails. */
const TRUNCATED = null

// A replayed dead letter keeps the reason of its last failure.
const REPLAYED = `
  UPDATE dead_letters SET attempts = attempts + 1,
    state = CASE WHEN k.reason IS NULL THEN 'replayed' ELSE state END,
    replayed_at_ms = CASE WHEN k.reason IS NULL THEN ?2 END,
    failed_at_ms = CASE WHEN k.reason IS NULL THEN failed_at_ms ELSE ?2 END,
    reason = coalesce(k.reason, dead_letters.reason)
  FROM (SELECT value ->> 'dead_letter_id' AS id, value ->> 'reason' AS reason FROM json_each(?1)) AS k
  WHERE dead_letter_id = k.id AND state = 'open'`

const RETENTION_MS = 30 * DAY_MS
const FORGOTTEN_A_RUN = 1_000

const FORGET = `
  DELETE FROM dead_letters WHERE dead_letter_id IN (
    SELECT dead_letter_id FROM dead_letters WHERE state = 'replayed' AND replayed_at_ms < ?1 LIMIT ${FORGOTTEN_A_RUN})`

/**
 * Deletes dead letters that were replayed more than 30 days ago, at most `FORGOTTEN_A_RUN`. Returns their number.
 * Writes 1 row for each of them.
 */
export async function forgetReplayed(db: D1Database, now_ms: number): Promise<number> {
  const { meta } = await db
    .prepare(FORGET)
    .bind(now_ms - RETENTION_MS)
    .run()
  return meta.changes
}
