import type { Bindings } from '../../bindings.ts'
import { ledgerDb, ledgerKey } from '../../db/ledger-db.ts'
import type { HoldAnswer } from '../../ledger/model/answers.ts'
import { LedgerIds, tagOf } from '../../ledger/model/ledger-ids.ts'
import type { HoldsAnswer } from '../../ledger/model/messages/holds.ts'
import type { LedgerName, WalletItemRef } from '../../ledger/model/vocabulary.ts'
import type { HoldStatus } from '../../ledger/model/wallet.ts'
import { microCredits, ZERO_CREDITS } from '../../pricing/money.ts'
import { nameSubjects } from './subjects.ts'

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

/** Returns a closed hold from D1; undefined if D1 does not contain the hold. */
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
