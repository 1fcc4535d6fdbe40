import { z } from '@hono/zod-openapi'
import { ledgerDb, ledgerKey } from '../../db/ledger-db.ts'
import { MODES, RECONCILIATION_STATUSES } from '../../db/schema.ts'
import { objectId } from '../../http/input/identifiers.ts'
import { problem } from '../../http/output/problem.ts'
import { createRouter, json, optionalJsonRequest, route } from '../../http/route.ts'
import { DIFFERENCE_KINDS } from '../../projection/reconcile/difference.ts'
import { type ReconcileResult, reconcileLedger } from '../../projection/reconcile/reconcile.ts'
import { LEDGERS_A_CALL, reconcileDue } from '../../projection/reconcile/reconcile-all.ts'
import { isFullCheckOpen, readReconciliation } from '../../projection/reconcile/store.ts'
import { answerWork } from '../record-action.ts'

const reconcileSchema = z
  .strictObject({
    customer_id: objectId().min(1).optional(),
    full: z.boolean().optional().openapi({
      description:
        'Whether the check begins with the first page. By default, it begins after the last page that was found correct, or with the first page if the last check found differences that could not be repaired. If an earlier check that began with the first page is not complete, this check continues it. Without `customer_id`, it also begins with the first page at least every 28 days.',
    }),
  })
  .openapi('Reconcile')

const differenceSchema = z
  .object({
    kind: z.enum(DIFFERENCE_KINDS),
    from_entry: z.int(),
    to_entry: z.int(),
    expected: z.string(),
    found: z.string(),
  })
  .openapi('Difference')

const resultSchema = z
  .object({
    ledgers: z.array(
      z.object({
        ledger_id: z.string(),
        status: z.enum([...RECONCILIATION_STATUSES, 'UNAVAILABLE']),
        checked_entry: z.int().nullable().openapi({
          description:
            'The number of the entry up to which the pages are correct. 0 if `status` is DIFFERENT, and null if `status` is UNAVAILABLE.',
        }),
        differences: z.array(differenceSchema).openapi({
          description:
            'The differences that were found, at most 100. If `status` is REPAIRED, all differences were repaired.',
        }),
      }),
    ),
    more: z.boolean().openapi({
      description:
        'Whether a check is not complete, or other ledgers might be due for a check. If true, send the same body again, as a new request.',
    }),
  })
  .openapi('Reconciled')

const reconcileRoute = route({
  method: 'post',
  path: '/',
  summary: 'Compare ledgers with their D1 pages and analytics, and repair differences',
  description:
    `Checks the ledgers of one customer. Without \`customer_id\`, checks up to ${LEDGERS_A_CALL} ledgers, in the ` +
    'order of their ids, starting after the last ledger of the previous call. Omits ledgers whose check was ' +
    'completed in the last ten minutes. Pages are repaired from the journal of the ledger object, and analytics ' +
    'from the pages. A scheduled job checks the ledgers whose last check was more than a day ago.',
  request: { body: optionalJsonRequest(reconcileSchema) },
  answers: { 200: json('The result.', resultSchema) },
  problems: ['not_found', 'idempotency_mismatch'],
})

/**
 * The minimum time in ms between two complete checks of a ledger by requests without `customer_id`. A repeated request
 * therefore checks other ledgers.
 */
const NOT_AGAIN_FOR_MS = 600_000

const OPERATION = 'POST /v1/admin/reconcile'

export const reconcileRoutes = createRouter()

reconcileRoutes.openapi(reconcileRoute, async (c) => {
  const { customer_id, full = false } = reconcileSchema.parse(await c.req.json())
  const now_ms = Date.now()
  const work = { action: 'admin.reconcile', operation: OPERATION, customer_id } as const
  if (customer_id === undefined) {
    return answerWork(c, work, async () => {
      const since_ms = now_ms - NOT_AGAIN_FOR_MS
      const { results, more } = await reconcileDue(c.env, { since_ms, full, now_ms })
      return { ledgers: results.map(renderResult), more }
    })
  }
  const names = MODES.map((mode) => ({ customer_id, mode }))
  const db = ledgerDb(c.env, customer_id)
  const known = await knownLedgers(db, names.map(ledgerKey))
  const ledgers = names.filter((name) => known.has(ledgerKey(name)))
  if (ledgers.length === 0) {
    return problem(c, {
      code: 'not_found',
      detail: `Customer ${customer_id} was not found or has no ledger entries.`,
    })
  }
  return answerWork(c, work, async () => {
    // While the full check of one ledger is not complete, a repeated request does not begin the other ledger's full
    // check again. Otherwise, the checks of two long ledgers would never both be complete.
    const checks = await Promise.all(
      ledgers.map(async (ledger) => ({ ledger, last: await readReconciliation(db, ledgerKey(ledger)) })),
    )
    const begins_full = full && !checks.some(({ last }) => isFullCheckOpen(last))
    const results: ReconcileResult[] = []
    for (const { ledger, last } of checks) {
      results.push(await reconcileLedger(c.env, ledger, { full: begins_full, now_ms, last }))
    }
    const more = results.some((result) => result.kind === 'done' && result.more)
    return { ledgers: results.map(renderResult), more }
  })
})

const SELECT_KNOWN = 'SELECT ledger_id FROM ledgers WHERE ledger_id IN (SELECT value FROM json_each(?1))'

async function knownLedgers(db: D1Database, ledger_ids: readonly string[]): Promise<ReadonlySet<string>> {
  const { results } = await db
    .prepare(SELECT_KNOWN)
    .bind(JSON.stringify(ledger_ids))
    .all<{ ledger_id: string }>()
  return new Set(results.map(({ ledger_id }) => ledger_id))
}

function renderResult(result: ReconcileResult): object {
  if (result.kind === 'unavailable') {
    return { ledger_id: result.ledger_id, status: 'UNAVAILABLE', checked_entry: null, differences: [] }
  }
  const { ledger_id, status, checked_entry, differences } = result
  return { ledger_id, status, checked_entry, differences }
}
