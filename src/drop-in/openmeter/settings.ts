import { ExpiringMap } from '../../api-keys/authentication/lookup.ts'
import type { Auditor } from '../../audit/record.ts'
import type { Bindings } from '../../bindings.ts'
import { ledgerKey } from '../../db/ledger-db.ts'
import { auditStatement } from '../../ledger/flush/audit-log.ts'
import type { LedgerName } from '../../ledger/model/vocabulary.ts'
import { LATE, withDeadline } from '../../time/durations.ts'
import { type Mapping, mappingsSchema } from './mapping.ts'

/**
 * The mappings of a ledger, in D1. An isolate keeps them for 30 seconds, so a change reaches every request within that
 * time, and requests wait for D1 at most twice a minute.
 */
const cached = new ExpiringMap<readonly Mapping[]>({ capacity: 5_000, ttl_ms: 30_000 })

const TIMEOUT_MS = 2_000

const READ = `SELECT settings FROM drop_in_settings WHERE ledger_id = ?1 AND endpoint = 'openmeter'`

/** Throws if D1 does not answer in time. */
export async function readMappings(env: Bindings, ledger: LedgerName): Promise<readonly Mapping[]> {
  const ledger_id = ledgerKey(ledger)
  const known = cached.get(ledger_id, Date.now())
  if (known) return known
  const reading = env.DB.prepare(READ).bind(ledger_id).first<{ readonly settings: string }>()
  const row = await withDeadline(reading, TIMEOUT_MS)
  if (row === LATE) throw new Error(`D1 did not answer within ${TIMEOUT_MS} ms`)
  const { mappings } = row ? mappingsSchema.parse(JSON.parse(row.settings)) : { mappings: [] }
  cached.set(ledger_id, mappings, Date.now())
  return mappings
}

// 1 row written.
const WRITE = `
  INSERT INTO drop_in_settings (ledger_id, endpoint, settings, changed_at_ms) VALUES (?1, 'openmeter', ?2, ?3)
  ON CONFLICT (ledger_id, endpoint) DO UPDATE SET settings = excluded.settings, changed_at_ms = excluded.changed_at_ms`

/** Replaces the mappings, with their audit record. */
export async function writeMappings(
  env: Bindings,
  ledger: LedgerName,
  mappings: readonly Mapping[],
  auditor: Auditor,
): Promise<void> {
  const ledger_id = ledgerKey(ledger)
  const now_ms = Date.now()
  const record = {
    ...auditor,
    action: 'drop_in.set_mappings',
    target: 'openmeter',
    before: null,
    after: { types: mappings.map(({ type }) => type) },
  } as const
  await env.DB.batch([
    env.DB.prepare(WRITE).bind(ledger_id, JSON.stringify({ mappings }), now_ms),
    auditStatement(env.DB, ledger, record, now_ms),
  ])
  cached.set(ledger_id, mappings, Date.now())
}
