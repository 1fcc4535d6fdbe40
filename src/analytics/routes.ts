import type { Context } from 'hono'
import { scoped, scopedOrPortal } from '../api-keys/authentication/authenticate.ts'
import { callerOf, ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { ownerOf } from '../http/input/identifiers.ts'
import { timeJson, timeOrNull } from '../http/input/times.ts'
import { creditsExact, exactNumber, jsonResponse } from '../http/output/json.ts'
import { refusalResponse } from '../http/output/problem.ts'
import { createRouter, json, route } from '../http/route.ts'
import { formatDecimal } from '../pricing/money.ts'
import { analyse } from './analyse.ts'
import { type BurnRate, readBurnRate } from './burn-rate.ts'
import { ASSUMPTION, forecast } from './forecast.ts'
import { readQuestion } from './read-question.ts'
import { type Answered, renderCosts, renderPortalUsage, renderUsage } from './render.ts'
import {
  type AnalyticsQuery,
  analyticsQuery,
  burnRateQuery,
  burnRateSchema,
  costsSchema,
  usageSchema,
} from './schema.ts'

const DESCRIPTION =
  'Accepts up to three groups. At most one of them can be a time window. Days, weeks and months start in `time_zone`. Weeks begin on Monday. ' +
  'Each group that is not a time window is also a filter, which can be repeated. `from` and `to` are widened to whole hours. The limits are 10,000 groups and a range ' +
  'of 366 days, of 31 days if grouped by hour, and of 92 days if grouped or filtered by user. An event counts at its own time, not at its arrival time. Voided events do not count. The ' +
  'USD amounts of the rows add up to their total.'

const usageRoute = route({
  method: 'get',
  path: '/usage',
  summary: 'Get usage: events, units, credits and provider cost',
  description: DESCRIPTION,
  ...scopedOrPortal('analytics:read'),
  request: { query: analyticsQuery },
  answers: {
    200: json('A row for each combination of group values, and the totals of all rows.', usageSchema),
  },
  problems: ['overloaded'],
})

const costsRoute = route({
  method: 'get',
  path: '/costs',
  summary: 'Get costs: provider cost, revenue and margin',
  description: DESCRIPTION,
  ...scoped('analytics:read'),
  request: { query: analyticsQuery },
  answers: {
    200: json('A row for each combination of group values, and the totals of all rows.', costsSchema),
  },
  problems: ['overloaded'],
})

const burnRateRoute = route({
  method: 'get',
  path: '/burn-rate',
  summary: 'Get the burn rate and the run-out date of the credits',
  description:
    'By default, the forecast is based on all usage of the customer and on the sum of the balances of all wallets. With `user` or `team`, it is based on the usage and the wallet of this user or team.',
  ...scoped('analytics:read'),
  request: { query: burnRateQuery },
  answers: { 200: json('The averages, the trend and the run-out date.', burnRateSchema) },
  problems: ['overloaded', 'not_found'],
})

export const analyticsRoutes = createRouter()

analyticsRoutes.openapi(usageRoute, (c) => {
  const render = c.get('portal') === undefined ? renderUsage : renderPortalUsage
  return answer(c, c.req.valid('query'), render)
})

analyticsRoutes.openapi(costsRoute, (c) => answer(c, c.req.valid('query'), renderCosts))

analyticsRoutes.openapi(burnRateRoute, async (c) => {
  const { user: user_id, team: team_id } = c.req.valid('query')
  const owner = ownerOf({ user_id, team_id })
  const result = await readBurnRate(c.env, { ledger: ledgerOf(c), caller: callerOf(c), owner }, Date.now())
  return result.kind === 'refused'
    ? refusalResponse(c, result.refusal)
    : jsonResponse(c, renderBurnRate(result))
})

async function answer(
  c: Context<AppEnv>,
  query: AnalyticsQuery,
  render: (answered: Answered) => object,
): Promise<Response> {
  const ledger = ledgerOf(c)
  const question = await readQuestion(c.env, ledger, query, Date.now())
  if (question.kind === 'refused') return refusalResponse(c, question.refusal)
  const answered = await analyse(c.env, { ledger, caller: callerOf(c) }, question)
  return answered.kind === 'refused'
    ? refusalResponse(c, answered.refusal)
    : jsonResponse(c, render(answered))
}

function renderBurnRate({ periods, balance_micro, as_of_ms, now_ms }: BurnRate): object {
  const { average_7d_micro, average_30d_micro, centidays_remaining, run_out_ms, trend, recommendations } =
    forecast(periods, balance_micro, now_ms)
  return {
    balance: creditsExact(balance_micro),
    average_per_day_7d: creditsExact(average_7d_micro),
    average_per_day_30d: creditsExact(average_30d_micro),
    trend,
    days_remaining: centidays_remaining === null ? null : exactNumber(formatDecimal(centidays_remaining, 2)),
    run_out_date: timeOrNull(run_out_ms),
    assumption: ASSUMPTION,
    recommendations,
    as_of: timeJson(as_of_ms),
  }
}
