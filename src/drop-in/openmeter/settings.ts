import { ExpiringMap } from '../../api-keys/authentication/lookup.ts'
import type { Auditor } from '../../audit/record.ts'
import type { Bindings } from '../../bindings.ts'
import { ledgerKey } from '../../db/ledger-db.ts'
import { auditStatement } from '../../ledger/flush/audit-log.ts'
import type { LedgerName } from '../../ledger/model/vocabulary.ts'
import { DAY_MS, LATE, withDeadline } from '../../time/durations.ts'
import { type Mapping, mappingsSchema } from './mapping.ts'

/**
 * The mappings of ledgers in the memory of this isolate. An isolate keeps mappings from D1 for 30 seconds, so every
 * request uses a changed mapping after at most 30 seconds.
 */
const cached = new ExpiringMap<readonly Mapping[]>({ capacity: 5_000, ttl_ms: 30_000 })

const TIMEOUT_MS = 2_000

const READ = `SELECT settings FROM drop_in_settings WHERE ledger_id = ?1 AND endpoint = 'openmeter'`

/**
 * Returns the mappings of a ledger, from memory or from D1. Throws if D1 fails or does not respond within `TIMEOUT_MS`.
 */
export async function readMappings(env: Bindings, ledger: LedgerName): Promise<readonly Mapping[]> {
  const ledger_id = ledgerKey(ledger)
  const known = cached.get(ledger_id, Date.now())
  if (known) return known
  const reading = env.DB.prepare(READ).bind(ledger_id).first<{ readonly settings: string }>()
  const row = await withDeadline(reading, TIMEOUT_MS)
  if (row === LATE) throw new Error(`D1 did not respond within ${TIMEOUT_MS} ms`)
  const { mappings } = row ? mappingsSchema.parse(JSON.parse(row.settings)) : { mappings: [] }
  cached.set(ledger_id, mappings, Date.now())
  return mappings
}

/** The maximum number of changes of a ledger's mappings per UTC day. Each change adds a permanent audit record. */
export const MAX_CHANGES_A_DAY = 100

// This statement writes 1 row, or no row if the ledger has reached the maximum number of changes for the day.
const WRITE = `
  INSERT INTO drop_in_settings (ledger_id, endpoint, settings, changed_at_ms, day, changes)
  VALUES (?1, 'openmeter', ?2, ?3, ?4, 1)
  ON CONFLICT (ledger_id, endpoint) DO UPDATE SET settings = excluded.settings,
    changed_at_ms = excluded.changed_at_ms, day = excluded.day,
    changes = CASE WHEN day = excluded.day THEN changes + 1 ELSE 1 END
  WHERE day <> excluded.day OR changes < ${MAX_CHANGES_A_DAY}`

/**
 * Replaces the mappings of a ledger and records the change in the audit log. Returns false, without a change, if the
 * ledger has reached the maximum number of changes for the day.
 */
export async function writeMappings(
  env: Bindings,
  ledger: LedgerName,
  mappings: readonly Mapping[],
  auditor: Auditor,
): Promise<boolean> {
  const ledger_id = ledgerKey(ledger)
  const now_ms = Date.now()
  const record = {
    ...auditor,
    action: 'drop_in.set_mappings',
    target: 'openmeter',
    before: null,
    after: { types: mappings.map(({ type }) => type) },
  } as const
  const day = Math.floor(now_ms / DAY_MS)
  const [written] = await env.DB.batch([
    env.DB.prepare(WRITE).bind(ledger_id, JSON.stringify({ mappings }), now_ms, day),
    auditStatement(env.DB, ledger, record, now_ms, { if_changed: true }),
  ])
  if (written?.meta.changes === 0) return false
  cached.set(ledger_id, mappings, now_ms)
  return true
}
