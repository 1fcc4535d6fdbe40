import type { Bindings } from '../../bindings.ts'
import { jsonParameters } from '../../db/json-parameters.ts'
import { ledgerDb, ledgerKey } from '../../db/ledger-db.ts'
import type { SubjectKind } from '../../db/schema.ts'
import { microCredits, ZERO_CREDITS } from '../../pricing/money.ts'
import { nameSubjects } from '../../projection/read/subjects.ts'
import type { HoldAnswer } from '../model/answers.ts'
import type { HoldStatus } from '../model/holds.ts'
import type { HoldRecord } from '../model/journal.ts'
import { LedgerIds, tagOf } from '../model/ledger-ids.ts'
import type { HoldsAnswer } from '../model/messages/holds.ts'
import type { LedgerName, WalletItemRef } from '../model/vocabulary.ts'

// Guarded by the watermark, as the pages of the same flush are. One row written for each hold, once, when it ends.
const INSERT_HOLDS = `
  INSERT INTO holds (ledger_id, hold_number, wallet_number, status, feature_id, user_number, team_number,
    credits_micro, captured_micro, created_at_ms, expires_at_ms, closed_at_ms)
  SELECT ?1, value ->> 'number', value ->> 'wallet', value ->> 'status', value ->> 'feature_id',
    value ->> 'user_number', value ->> 'team_number', value ->> 'credits', value ->> 'captured',
    value ->> 'created_at_ms', value ->> 'expires_at_ms', value ->> 'closed_at_ms'
  FROM json_each(?2)
  WHERE (SELECT flushed_row FROM ledgers WHERE ledger_id = ?1) = ?3`

const SELECT_HOLD = `
  SELECT status, feature_id, user_number, team_number, credits_micro, captured_micro, expires_at_ms
  FROM holds WHERE ledger_id = ?1 AND hold_number = ?2 AND wallet_number = ?3 AND created_at_ms = ?4`

interface HoldRow {
  status: HoldStatus
  feature_id: string
  user_number: number | null
  team_number: number | null
  credits_micro: number
  captured_micro: number
  expires_at_ms: number
}

/** Writes the holds that ended in a flush; part of its batch. */
export function insertClosedHolds(
  db: D1Database,
  ledger_id: string,
  records: readonly HoldRecord[],
  subject: (kind: SubjectKind, id: string) => number,
  from_row: number,
): D1PreparedStatement[] {
  const rows = records.map(({ hold, at_ms }) =>
    JSON.stringify({
      ...hold,
      user_number: hold.user_id === undefined ? null : subject('user', hold.user_id),
      team_number: hold.team_id === undefined ? null : subject('team', hold.team_id),
      closed_at_ms: at_ms,
    }),
  )
  return jsonParameters(rows).map((holds) => db.prepare(INSERT_HOLDS).bind(ledger_id, holds, from_row))
}

/** A hold that D1 knows to be closed. */
export async function readClosedHold(
  env: Bindings,
  ledger: LedgerName,
  ref: WalletItemRef,
  { opened_at_ms, available }: HoldsAnswer,
): Promise<HoldAnswer | undefined> {
  const db = ledgerDb(env, ledger.customer_id)
  const ledger_id = ledgerKey(ledger)
  const row = await db
    .prepare(SELECT_HOLD)
    .bind(ledger_id, ref.number, ref.wallet, ref.created_at_ms)
    .first<HoldRow>()
  if (!row) return undefined
  const { user_number, team_number } = row
  const name = await nameSubjects(db, ledger_id, {
    user: new Set(user_number === null ? [] : [user_number]),
    team: new Set(team_number === null ? [] : [team_number]),
  })
  const ids = new LedgerIds(tagOf(ledger), opened_at_ms)
  return {
    hold: {
      number: ref.number,
      wallet: ref.wallet,
      status: row.status,
      feature_id: row.feature_id,
      ...(user_number !== null && { user_id: name('user', user_number) }),
      ...(team_number !== null && { team_id: name('team', team_number) }),
      credits: microCredits(row.credits_micro),
      captured: microCredits(row.captured_micro),
      remaining: ZERO_CREDITS,
      created_at_ms: ref.created_at_ms,
      expires_at_ms: row.expires_at_ms,
    },
    hold_id: ids.hold(ref),
    wallet_id: ids.wallet(ref.wallet),
    available,
  }
}
