import type { VNode } from 'preact'
import { type AnswerOf, call, type RowOf } from '../api/call.ts'
import { useApi } from '../api/use-api.ts'
import { Action } from '../components/action.tsx'
import { Amount } from '../components/amount.tsx'
import { Meter } from '../components/chart.tsx'
import { AmountInput, type Fields, Form, Input, Select } from '../components/form.tsx'
import { ListView, useList } from '../components/list.tsx'
import { Card, Empty, Page } from '../components/page.tsx'
import { Table } from '../components/table.tsx'
import { Time } from '../components/time.tsx'
import { may } from '../session.ts'

type Entitlement = RowOf<'/v1/entitlements'>
type Used = NonNullable<AnswerOf<'/v1/entitlements/check', 'post'>['limit']>

const LIMITS = ['HARD', 'SOFT', 'NONE'] as const
const UNITS = ['credits', 'events', 'tokens', 'usd'] as const
const PERIODS = ['HOURLY', 'DAILY', 'WEEKLY', 'MONTHLY', 'TOTAL'] as const

export default function Entitlements(): VNode {
  const list = useList((cursor, signal) => call('get', '/v1/entitlements', { query: { cursor }, signal }), [])
  const remove = async (id: string) => {
    await call('delete', '/v1/entitlements/{id}', { path: { id } })
    list.reload()
  }
  return (
    <Page
      title="Entitlements and limits"
      lead="The features that users and teams may use, and the used part of each limit."
    >
      <Card title="Entitlements">
        <ListView
          list={list}
          empty={
            <Empty title="No entitlement yet">
              <p>
                Without an entitlement, the default of the deployment applies. Create the first one below: a
                hard limit refuses usage, and a soft limit warns.
              </p>
            </Empty>
          }
        >
          {(rows) => (
            <Table
              caption="Entitlements"
              rows={rows}
              rowKey={({ id }) => id}
              columns={[
                { title: 'Feature', cell: ({ feature_id }) => feature_id ?? 'every feature' },
                { title: 'For', cell: subjectOf },
                { title: 'Limit', cell: (row) => <Limit entitlement={row} /> },
                { title: 'Used', cell: (row) => <Usage key={row.id} entitlement={row} /> },
                {
                  title: '',
                  cell: ({ id }) =>
                    may('entitlements:write') && (
                      <Action
                        label="Delete"
                        of={id}
                        confirm="Delete this entitlement?"
                        run={() => remove(id)}
                      />
                    ),
                },
              ]}
            />
          )}
        </ListView>
      </Card>
      {may('entitlements:write') && (
        <Card title="Create an entitlement">
          <Form
            label="Create an entitlement"
            submit="Create"
            onSubmit={(fields, key) => create(fields, key).then(list.reload)}
          >
            <Input label="Feature" name="feature_id" maxLength={255} required />
            <Input label="User" name="user_id" maxLength={255} hint="Leave empty for all users together" />
            <Input label="Team" name="team_id" maxLength={255} />
            <Select
              label="Limit"
              name="limit_type"
              options={LIMITS.map((type) => [type, LIMIT_NAMES[type]] as const)}
            />
            <AmountInput label="Amount" name="limit_value" hint="Required for a hard or a soft limit" />
            <Select label="Unit" name="unit" options={UNITS.map((unit) => [unit, unit] as const)} />
            <Select
              label="Period"
              name="period"
              value="MONTHLY"
              options={PERIODS.map((period) => [period, period.toLowerCase()] as const)}
            />
            <Select
              label="Feature is"
              name="enabled"
              options={[
                ['true', 'on'],
                ['false', 'off'],
              ]}
            />
          </Form>
        </Card>
      )}
    </Page>
  )
}

const LIMIT_NAMES = { HARD: 'hard: refuses', SOFT: 'soft: warns', NONE: 'no limit' } as const

async function create(fields: Fields, idempotency_key: string): Promise<void> {
  const { feature_id, user_id, team_id, limit_value } = fields
  const limit_type = LIMITS.find((type) => type === fields.limit_type) ?? 'HARD'
  const limit = {
    limit_value,
    unit: UNITS.find((unit) => unit === fields.unit),
    period: PERIODS.find((period) => period === fields.period),
  }
  const body = {
    ...{ feature_id, user_id, team_id, limit_type },
    ...(limit_type !== 'NONE' && limit),
    enabled: fields.enabled !== 'false',
  }
  await call('post', '/v1/entitlements', { body, idempotency_key })
}

function subjectOf({ user_id, team_id, key_id, model }: Entitlement): string {
  const subject = [
    user_id !== null && `user ${user_id}`,
    team_id !== null && `team ${team_id}`,
    key_id !== undefined && `API key ${key_id}`,
    model !== undefined && `model ${model}`,
  ].filter((part) => part !== false)
  return subject.join(', ') || 'everyone together'
}

function Limit({
  entitlement: { enabled, limit_type, limit_value, unit, period, rolling },
}: {
  readonly entitlement: Entitlement
}): VNode {
  if (!enabled) return <span class="badge danger">off</span>
  if (limit_value === null || limit_type === 'NONE') return <>on, without a limit</>
  const window = rolling
    ? Object.entries(rolling)
        .map(([name, n]) => `${n} ${name}`)
        .join('')
    : period?.toLowerCase()
  return (
    <>
      <Amount value={limit_value} /> {unit} {window}, {limit_type.toLowerCase()}
    </>
  )
}

/**
 * Shows the used part of an entitlement's limit, from a check of its feature. The check returns only the tightest
 * limit. If that limit has another level, value or unit, this component shows a dash. It also shows a dash for
 * entitlements that it does not check, such as limits of keys, of models or of all features.
 */
function Usage({ entitlement }: { readonly entitlement: Entitlement }): VNode {
  const { feature_id, user_id, team_id, limit_value, enabled, key_id, model } = entitlement
  const is_checked =
    feature_id !== null && limit_value !== null && enabled && key_id === undefined && model === undefined
  const check = useApi<Used | null>(async () => {
    if (!is_checked) return null
    const subject = { ...(user_id !== null && { user_id }), ...(team_id !== null && { team_id }) }
    const { limit } = await call('post', '/v1/entitlements/check', { body: { feature_id, ...subject } })
    return limit
  }, [entitlement.id])
  const used = check.data
  const level = user_id === null ? (team_id === null ? 'customer' : 'team') : 'user'
  if (
    !used ||
    limit_value === null ||
    used.level !== level ||
    used.value !== limit_value ||
    used.unit !== entitlement.unit
  ) {
    return <span class="quiet">{check.problem ? check.problem.message : '–'}</span>
  }
  return (
    <>
      <Meter label="Used" used={used.used} limit={used.value} is_limit />
      <Amount value={used.used} /> {used.unit} used, <Amount value={used.remaining} /> left
      {used.resets_at !== null && (
        <>
          {' '}
          until <Time at={used.resets_at} />
        </>
      )}
    </>
  )
}
