import { z } from '@hono/zod-openapi'
import { ledgerDb, ledgerKey } from '../../db/ledger-db.ts'
import { MODES, type Mode } from '../../db/schema.ts'
import { noSuch, problem, serviceUnavailable } from '../../http/output/problem.ts'
import { createRouter, json, OPERATOR_SECURITY, optionalJsonRequest, route } from '../../http/route.ts'
import { BrokenPages } from '../../usage/rollups/flushed-usage.ts'
import { ENTRIES_A_CALL, type Rebuilt, rebuildLedger } from '../../usage/rollups/rebuild.ts'
import { customerPath } from '../customers/schema.ts'
import { answerWork } from '../record-action.ts'

const rebuildSchema = z
  .strictObject({
    mode: z.enum(MODES).optional().openapi({
      description:
        'The mode of the ledger to rebuild. By default, each ledger of the customer that has entries is rebuilt.',
    }),
  })
  .openapi('Rebuild')

const rebuiltSchema = z
  .object({
    ledgers: z.array(
      z.object({
        mode: z.enum(MODES),
        entries: z.int().openapi({ description: 'The number of entries processed in this call.' }),
        rows: z.int().openapi({ description: 'The number of rollup rows written in this call.' }),
        done: z.boolean().openapi({
          description: 'Whether the rebuild of this ledger is complete and analytics use the new rollups.',
        }),
      }),
    ),
    more: z.boolean().openapi({
      description:
        'Whether unprocessed entries remain. If true, call again, or wait until a scheduled job continues.',
    }),
  })
  .openapi('Rebuilt')

const rebuildRoute = route({
  method: 'post',
  path: '/{id}/rebuild',
  summary: "Rebuild a customer's analytics from the ledger pages in D1",
  description: [
    'Analytics use the old rollups until the new rollups are complete.',
    `One call processes up to ${ENTRIES_A_CALL.toLocaleString('en')} entries.`,
  ].join(' '),
  security: OPERATOR_SECURITY,
  request: { params: customerPath, body: optionalJsonRequest(rebuildSchema) },
  answers: { 200: json('The result.', rebuiltSchema) },
  problems: ['not_found', 'conflict', 'idempotency_mismatch'],
})

export const rebuildRoutes = createRouter()

rebuildRoutes.openapi(rebuildRoute, async (c) => {
  const { id } = c.req.valid('param')
  const { mode } = rebuildSchema.parse(await c.req.json())
  try {
    if (!(await c.env.DB.prepare(SELECT_CUSTOMER).bind(id).first())) {
      return noSuch(c, 'customer', id)
    }
    const operation = `POST /v1/admin/customers/${id}/rebuild`
    return await answerWork(c, { action: 'admin.rebuild', operation, customer_id: id }, () =>
      rebuildCustomer(ledgerDb(c.env, id), id, mode === undefined ? MODES : [mode]),
    )
  } catch (error) {
    if (error instanceof BrokenPages) {
      const detail = `The analytics of the ledger are unchanged: ${error.message}. Repair the pages with POST /v1/admin/reconcile.`
      return problem(c, { code: 'conflict', detail })
    }
    return serviceUnavailable(c, 'rollups_not_rebuilt', error)
  }
})

const SELECT_CUSTOMER = 'SELECT 1 FROM customers WHERE customer_id = ?1'

interface RebuiltLedger extends Rebuilt {
  readonly mode: Mode
}

async function rebuildCustomer(
  db: D1Database,
  customer_id: string,
  modes: readonly Mode[],
): Promise<{ readonly ledgers: readonly RebuiltLedger[]; readonly more: boolean }> {
  const now_ms = Date.now()
  const ledger_ids = modes.map((mode) => ledgerKey({ customer_id, mode }))
  const { results } = await db
    .prepare(SELECT_UNDONE)
    .bind(JSON.stringify(ledger_ids))
    .all<{ ledger_id: string }>()
  const undone = new Set(results.map(({ ledger_id }) => ledger_id))
  const ledgers: RebuiltLedger[] = []
  let entries_left = ENTRIES_A_CALL
  for (const mode of modes) {
    const ledger_id = ledgerKey({ customer_id, mode })
    if (!undone.has(ledger_id)) continue
    const rebuilt = await rebuildLedger(db, ledger_id, entries_left, now_ms)
    entries_left = Math.max(0, entries_left - rebuilt.entries)
    ledgers.push({ mode, ...rebuilt })
  }
  return { ledgers, more: ledgers.some(({ done }) => !done) }
}

// Selects the ledgers that have entries and need a rebuild. The rebuild of a customer's ledgers can take several calls.
// While the rebuild of one ledger is in progress, the query skips a ledger whose rebuild was completed after that
// rebuild began. Otherwise, each call would repeat a completed rebuild.
const SELECT_UNDONE = `
  WITH some AS (
    SELECT l.ledger_id, b.state_at_ms AS began_at_ms, a.state_at_ms AS active_at_ms
    FROM json_each(?1) AS k CROSS JOIN ledgers AS l ON l.ledger_id = k.value AND l.flushed_entry > 0
    LEFT JOIN rollup_watermarks AS b ON b.ledger_id = l.ledger_id AND b.state = 'building'
    LEFT JOIN rollup_watermarks AS a ON a.ledger_id = l.ledger_id AND a.state = 'active')
  SELECT ledger_id FROM some
  WHERE began_at_ms IS NOT NULL OR active_at_ms IS NULL
    OR active_at_ms < coalesce((SELECT min(began_at_ms) FROM some), active_at_ms + 1)`
