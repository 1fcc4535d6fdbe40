import type { Context } from 'hono'
import { scoped } from '../api-keys/authentication/authenticate.ts'
import { callerOf, idempotencyOf, ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { BEHIND_ALL_IDS, idPage } from '../http/input/pagination.ts'
import { jsonResponse } from '../http/output/json.ts'
import { answerResult, refusalResponse } from '../http/output/problem.ts'
import { createRouter, json, jsonRequest, route } from '../http/route.ts'
import { newId } from '../ids.ts'
import { changeAlert, readAlerts } from '../ledger/client/client.ts'
import type { AlertChange } from '../ledger/model/messages/alerts.ts'
import { invalid } from '../ledger/model/refusal.ts'
import type { Idempotency } from '../ledger/model/vocabulary.ts'
import {
  alertAnswerSchema,
  alertChangeSchema,
  alertPath,
  alertSchema,
  alertsQuery,
  alertsSchema,
  changedRules,
  renderAlert,
  rulesOf,
} from './schema.ts'

const reads = scoped('webhooks:read')
const writes = scoped('webhooks:write')
const answered = json('The alert.', alertAnswerSchema)

const createAlertRoute = route({
  method: 'post',
  path: '/',
  summary: 'Create an alert on a wallet or a limit',
  description:
    'An alert fires once when its value passes the threshold. `limit_used` also fires when its value reaches the threshold. An alert can fire again after the value has passed `rearm_at` in the opposite direction. `spend_above`, and `limit_used` with a fixed window, can also fire again in each new period or window. A `lot_expiring` alert reports each lot once; a used-up lot can be reported again if returned credits reopen it. Balances, limits and spending are checked in the transaction of each change. `runway_below` is checked every hour. `lot_expiring` is checked when a lot reaches the threshold. If the value of a balance, a limit or spending is already past the threshold when the alert is created, the alert begins in the state `fired`, without a notification. Without `user_id` and `team_id`, the alert applies to the wallet or the limit of the customer.',
  ...writes,
  request: { body: jsonRequest(alertSchema) },
  answers: { 201: answered },
  problems: ['overloaded', 'idempotency_mismatch', 'too_many_open'],
})

const listRoute = route({
  method: 'get',
  path: '/',
  summary: 'List alerts, newest first',
  ...reads,
  request: { query: alertsQuery },
  answers: { 200: json('A page of alerts.', alertsSchema) },
  problems: ['overloaded'],
})

const getRoute = route({
  method: 'get',
  path: '/{id}',
  summary: 'Get an alert and its state',
  ...reads,
  request: { params: alertPath },
  answers: { 200: answered },
  problems: ['overloaded', 'not_found'],
})

const changeRoute = route({
  method: 'patch',
  path: '/{id}',
  summary: 'Change the given fields of an alert',
  description:
    'A new threshold without `rearm_at` resets `rearm_at` to its default. If the value of a balance, a limit or spending is past the threshold after the change, the alert is in the state `fired`, without a notification.',
  ...writes,
  request: { params: alertPath, body: jsonRequest(alertChangeSchema) },
  answers: { 200: answered },
  problems: ['overloaded', 'not_found'],
})

const deleteRoute = route({
  method: 'delete',
  path: '/{id}',
  summary: 'Delete an alert',
  ...writes,
  request: { params: alertPath },
  answers: { 200: json('The deleted alert.', alertAnswerSchema) },
  problems: ['overloaded', 'not_found'],
})

export const alertsRoutes = createRouter()

alertsRoutes.openapi(createAlertRoute, async (c) => {
  const change = { kind: 'create', id: newId('alr'), rules: rulesOf(c.req.valid('json')) } as const
  return answerChange(c, change, await idempotencyOf(c, 'POST /v1/alerts'))
})

alertsRoutes.openapi(listRoute, async (c) => {
  const { cursor = BEHIND_ALL_IDS, limit } = c.req.valid('query')
  const result = await readAlerts(c.env, ledgerOf(c), { caller: callerOf(c) })
  return answerResult(c, result, (alerts) => {
    const rest = alerts.filter(({ id }) => id < cursor)
    const { rows, next_cursor } = idPage(rest, limit, ({ id }) => id)
    return { data: rows.map((alert) => renderAlert(alert, ledgerOf(c))), next_cursor }
  })
})

alertsRoutes.openapi(getRoute, async (c) => {
  const found = await readOne(c, c.req.valid('param').id)
  return found instanceof Response ? found : jsonResponse(c, renderAlert(found, ledgerOf(c)))
})

alertsRoutes.openapi(changeRoute, async (c) => {
  const { id } = c.req.valid('param')
  const found = await readOne(c, id)
  if (found instanceof Response) return found
  const changed = changedRules(found, c.req.valid('json'))
  if ('problems' in changed) {
    const errors = changed.problems.map(([path, message]) => ({ path: `/${path}`, message }))
    return refusalResponse(c, invalid(errors))
  }
  return answerChange(c, { kind: 'replace', id, rules: changed.rules })
})

alertsRoutes.openapi(deleteRoute, (c) => answerChange(c, { kind: 'delete', id: c.req.valid('param').id }))

async function readOne(c: Context<AppEnv>, id: string) {
  const result = await readAlerts(c.env, ledgerOf(c), { caller: callerOf(c), id })
  if (result.kind === 'refused') return refusalResponse(c, result.refusal)
  const [alert] = result.answer
  if (!alert) throw new Error('the ledger returned no alert')
  return alert
}

async function answerChange(
  c: Context<AppEnv>,
  change: AlertChange,
  idempotency?: Idempotency,
): Promise<Response> {
  const message = { caller: callerOf(c), change, ...(idempotency && { idempotency }) }
  const result = await changeAlert(c.env, ledgerOf(c), message)
  return answerResult(
    c,
    result,
    (alert) => renderAlert(alert, ledgerOf(c)),
    change.kind === 'create' ? 201 : 200,
  )
}
