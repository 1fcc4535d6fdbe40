import type { Context } from 'hono'
import { scoped, scopedOrPortal } from '../api-keys/authentication/authenticate.ts'
import { callerOf, idempotencyOf, ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { ownerOf } from '../http/input/identifiers.ts'
import {
  EXPORT_DESCRIPTION,
  exportResponse,
  listAnswer,
  pageResponse,
  wantsAllRows,
} from '../http/output/export.ts'
import { answerResult, refusalResponse } from '../http/output/problem.ts'
import { createRouter, json, jsonRequest, route } from '../http/route.ts'
import { credit, readBalance, readLots } from '../ledger/client/client.ts'
import type { Entry } from '../ledger/model/journal.ts'
import type { CreditMessage } from '../ledger/model/messages/credits.ts'
import { exportEntries } from '../projection/read/export-entries.ts'
import { type EntriesPage, listEntries } from '../projection/read/list-entries.ts'
import {
  renderBalance,
  renderCredit,
  renderLot,
  renderPortalTransaction,
  renderTransaction,
} from './render.ts'
import {
  balanceSchema,
  creditSchema,
  grantSchema,
  lotCursor,
  lotsQuery,
  lotsSchema,
  purchaseSchema,
  transactionSchema,
  transactionsQuery,
  transactionsSchema,
  walletQuery,
} from './schema.ts'

const grantRoute = route({
  method: 'post',
  path: '/grant',
  summary: 'Grant credits as a new lot in a wallet',
  ...scoped('credits:write'),
  request: { body: jsonRequest(grantSchema) },
  answers: { 201: json('The lot and the new balance.', creditSchema) },
  problems: ['overloaded', 'conflict', 'too_many_open', 'idempotency_mismatch', 'quota_exceeded'],
})

const purchaseRoute = route({
  method: 'post',
  path: '/purchase',
  summary: 'Record purchased credits as a new lot in a wallet',
  description:
    'A `payment_reference` is credited only once. A second purchase with the same reference, wallet, amount and price returns the first purchase with status 200. A second purchase with the same reference but another wallet, amount or price is refused with 409.',
  ...scoped('credits:write'),
  request: { body: jsonRequest(purchaseSchema) },
  answers: {
    200: json('The first purchase, because the payment was already recorded.', creditSchema),
    201: json('The lot and the new balance.', creditSchema),
  },
  problems: ['overloaded', 'conflict', 'too_many_open', 'idempotency_mismatch', 'quota_exceeded'],
})

const balanceRoute = route({
  method: 'get',
  path: '/balance',
  summary: 'Get the balance of a wallet',
  ...scopedOrPortal('credits:read'),
  request: { query: walletQuery },
  answers: { 200: json('The balance.', balanceSchema) },
  problems: ['overloaded', 'not_found'],
})

const lotsRoute = route({
  method: 'get',
  path: '/lots',
  summary: 'List the open lots of a wallet in burn order',
  ...scoped('credits:read'),
  description:
    'A wallet has at most 1,000 open lots. Lots that have not begun yet are at the end of the list. A page continues after the last lot of the previous page, even if this lot has been burned in the meantime.',
  request: { query: lotsQuery },
  answers: { 200: json('A page of lots.', lotsSchema) },
  problems: ['overloaded', 'not_found'],
})

const transactionsRoute = route({
  method: 'get',
  path: '/transactions',
  summary: 'List ledger entries, newest first',
  description:
    'Lists the entries of the wallet of `user_id` or `team_id`. Without `user_id` and `team_id`, lists the entries of all wallets. `from` (inclusive) and `to` (exclusive) filter by `created_at`. ' +
    EXPORT_DESCRIPTION,
  ...scopedOrPortal('credits:read'),
  request: { query: transactionsQuery },
  answers: { 200: listAnswer('A page of transactions, or an export.', transactionsSchema) },
  problems: ['overloaded', 'not_found'],
})

export const creditsRoutes = createRouter()

creditsRoutes.openapi(grantRoute, async (c) => {
  const body = c.req.valid('json')
  return addLot(c, 'POST /v1/credits/grant', {
    type: 'GRANT',
    owner: ownerOf(body),
    amount: body.amount,
    lot_kind: body.kind,
    priority: body.priority,
    expires_at_ms: body.expires_at ?? null,
    ...(body.starts_at !== undefined && { starts_at_ms: body.starts_at }),
    ...(body.reason !== undefined && { reason: body.reason }),
    ...(body.recurring && {
      recurring: {
        every: body.recurring.every,
        rollover_max: body.recurring.rollover_max ?? null,
        ...(body.recurring.target_balance !== undefined && { target: body.recurring.target_balance }),
      },
    }),
    ...(body.metadata !== undefined && { metadata: body.metadata }),
  })
})

creditsRoutes.openapi(purchaseRoute, async (c) => {
  const body = c.req.valid('json')
  return addLot(c, 'POST /v1/credits/purchase', {
    type: 'PURCHASE',
    owner: ownerOf(body),
    amount: body.amount,
    lot_kind: 'paid',
    priority: body.priority,
    expires_at_ms: body.expires_at ?? null,
    ...(body.starts_at !== undefined && { starts_at_ms: body.starts_at }),
    price: body.price_usd,
    ...(body.payment_reference !== undefined && { payment_reference: body.payment_reference }),
    ...(body.metadata !== undefined && { metadata: body.metadata }),
  })
})

creditsRoutes.openapi(balanceRoute, async (c) => {
  const owner = ownerOf(c.req.valid('query'))
  const result = await readBalance(c.env, ledgerOf(c), { caller: callerOf(c), owner })
  return answerResult(c, result, (balance) => renderBalance(c.get('key').customer_id, balance))
})

creditsRoutes.openapi(lotsRoute, async (c) => {
  const { limit, cursor = null, ...query } = c.req.valid('query')
  const message = { caller: callerOf(c), owner: ownerOf(query), limit, after: cursor }
  const result = await readLots(c.env, ledgerOf(c), message)
  return answerResult(c, result, ({ lots, next }) => ({
    data: lots.map(renderLot),
    next_cursor: next && lotCursor(next),
  }))
})

creditsRoutes.openapi(transactionsRoute, async (c) => {
  const query = c.req.valid('query')
  const range = {
    ledger: ledgerOf(c),
    caller: callerOf(c),
    filter: {
      ...((query.user_id ?? query.team_id) !== undefined && { owner: ownerOf(query) }),
      type: query.type,
      from_ms: query.from,
      to_ms: query.to,
    },
    before_entry: query.cursor ?? null,
  }
  // A portal token can read only pages, not exports.
  if (wantsAllRows(c) && c.get('portal') === undefined) {
    const found = await exportEntries(c.env, range)
    return found.kind === 'refused'
      ? refusalResponse(c, found.refusal)
      : exportResponse(c, { ...transactionRows(c, found), chunks: found.chunks })
  }
  const page = await listEntries(c.env, { ...range, limit: query.limit })
  return page.kind === 'refused'
    ? refusalResponse(c, page.refusal)
    : pageResponse(c, transactionRows(c, page), page.entries)
})

const TRANSACTION_COLUMNS = Object.keys(transactionSchema.shape)
const PORTAL_COLUMNS = TRANSACTION_COLUMNS.filter((name) => !['metadata', 'payment_reference'].includes(name))

function transactionRows(
  c: Context<AppEnv>,
  { ids, next_before_entry }: Pick<EntriesPage, 'ids' | 'next_before_entry'>,
) {
  const of_key = c.get('portal') === undefined
  const render = of_key ? renderTransaction : renderPortalTransaction
  const columns = of_key ? TRANSACTION_COLUMNS : PORTAL_COLUMNS
  return { columns, next_before_entry, render: (entry: Entry) => render(ids, entry) }
}

async function addLot(
  c: Context<AppEnv>,
  operation: string,
  lot: Omit<CreditMessage, 'idempotency'>,
): Promise<Response> {
  const idempotency = await idempotencyOf(c, operation)
  const result = await credit(c.env, ledgerOf(c), {
    caller: callerOf(c),
    ...lot,
    ...(idempotency && { idempotency }),
  })
  const recorded = result.kind !== 'refused' && result.answer.already_recorded
  return answerResult(c, result, renderCredit, recorded ? 200 : 201)
}
