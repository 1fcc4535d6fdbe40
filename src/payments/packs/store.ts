import type { Bindings } from '../../bindings.ts'

/** Reads and writes the D1 table `credit_packs`. */

export interface CreditPack {
  readonly credit_pack_id: string
  readonly name: string
  readonly credits_micro: number
  readonly price_cents: number
  /** The lifetime of bought credits, in days; null if they do not expire. */
  readonly expires_in_days: number | null
  readonly created_at_ms: number
  readonly updated_at_ms: number
}

type Db = Pick<Bindings, 'DB'>

/** The maximum number of credit packs in a ledger. */
export const MAX_CREDIT_PACKS = 100

const COLUMNS =
  'credit_pack_id, name, credits_micro, price_cents, expires_in_days, created_at_ms, updated_at_ms'

// Writes 1 row. Writes no row if the ledger has the maximum number of packs, or a pack with the same name. Reads the
// rows of the ledger's packs.
const INSERT = `
  INSERT INTO credit_packs (ledger_id, ${COLUMNS}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
  WHERE (SELECT count(*) FROM credit_packs WHERE ledger_id = ?1) < ${MAX_CREDIT_PACKS}
    AND NOT EXISTS (SELECT 1 FROM credit_packs WHERE ledger_id = ?1 AND name = ?3)`

/**
 * Returns the statement that adds a pack. The statement adds no row if the ledger has the maximum number of packs, or a
 * pack with the same name.
 */
export function insertPack(env: Db, ledger_id: string, pack: CreditPack): D1PreparedStatement {
  const { credit_pack_id, name, credits_micro, price_cents, expires_in_days } = pack
  const { created_at_ms, updated_at_ms } = pack
  return env.DB.prepare(INSERT).bind(
    ...[ledger_id, credit_pack_id, name, credits_micro, price_cents],
    ...[expires_in_days, created_at_ms, updated_at_ms],
  )
}

// Writes 1 row. Writes no row if the pack has changed since it was read, or if another pack has the new name.
const UPDATE = `
  UPDATE credit_packs SET name = ?3, credits_micro = ?4, price_cents = ?5, expires_in_days = ?6, updated_at_ms = ?7
  WHERE ledger_id = ?1 AND credit_pack_id = ?2 AND updated_at_ms = ?8
    AND NOT EXISTS (SELECT 1 FROM credit_packs AS other WHERE other.ledger_id = ?1
      AND other.credit_pack_id <> ?2 AND other.name = ?3)`

/**
 * Returns the statement that replaces the fields of a pack. The statement changes no row if `updated_at_ms` in D1 is
 * not `read_at_ms`, or if another pack has the new name.
 */
export function updatePack(
  env: Db,
  ledger_id: string,
  pack: CreditPack,
  read_at_ms: number,
): D1PreparedStatement {
  const { credit_pack_id, name, credits_micro, price_cents, expires_in_days, updated_at_ms } = pack
  return env.DB.prepare(UPDATE).bind(
    ...[ledger_id, credit_pack_id, name, credits_micro, price_cents],
    ...[expires_in_days, updated_at_ms, read_at_ms],
  )
}

const SELECT_ONE = `SELECT ${COLUMNS} FROM credit_packs WHERE ledger_id = ?1 AND credit_pack_id = ?2`

export function findPack(env: Db, ledger_id: string, id: string): Promise<CreditPack | null> {
  return env.DB.prepare(SELECT_ONE).bind(ledger_id, id).first<CreditPack>()
}

const SELECT_SOME = `
  SELECT ${COLUMNS} FROM credit_packs
  WHERE ledger_id = ?1 AND credit_pack_id IN (SELECT value FROM json_each(?2))`

/** Returns the packs with the given ids, in the given order. Omits ids that the ledger does not have. */
export async function findPacks(env: Db, ledger_id: string, ids: readonly string[]): Promise<CreditPack[]> {
  const bound = env.DB.prepare(SELECT_SOME).bind(ledger_id, JSON.stringify(ids))
  const found = new Map((await bound.all<CreditPack>()).results.map((pack) => [pack.credit_pack_id, pack]))
  return ids.flatMap((id) => found.get(id) ?? [])
}

const LIST = `
  SELECT ${COLUMNS} FROM credit_packs WHERE ledger_id = ?1 AND credit_pack_id < ?2
  ORDER BY credit_pack_id DESC LIMIT ?3`

export async function listPacks(
  env: Db,
  ledger_id: string,
  { before_id, limit }: { readonly before_id: string; readonly limit: number },
): Promise<CreditPack[]> {
  return (await env.DB.prepare(LIST).bind(ledger_id, before_id, limit).all<CreditPack>()).results
}

const DELETE = 'DELETE FROM credit_packs WHERE ledger_id = ?1 AND credit_pack_id = ?2'

export function deletePack(env: Db, ledger_id: string, id: string): D1PreparedStatement {
  return env.DB.prepare(DELETE).bind(ledger_id, id)
}
