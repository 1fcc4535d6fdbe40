import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { call, type RowOf } from '../api/call.ts'
import { isDecimal } from '../api/decimal.ts'
import { Action } from '../components/action.tsx'
import { Amount } from '../components/amount.tsx'
import { AmountInput, type Fields, Form, Input, Select } from '../components/form.tsx'
import { ListView, useList } from '../components/list.tsx'
import { Card, Empty, Page } from '../components/page.tsx'
import { Table } from '../components/table.tsx'
import { Time } from '../components/time.tsx'
import { OwnerFields, ownerIn, walletName } from '../components/wallet.tsx'
import { href } from '../router.ts'
import { may } from '../session.ts'

type Alert = RowOf<'/v1/alerts'>
type Unit = 'credits' | 'percent' | 'days'

interface Kind {
  readonly type: Alert['type']
  readonly text: string
  readonly units: readonly Unit[]
  readonly feature: 'none' | 'optional' | 'required'
}

const KINDS: readonly [Kind, ...Kind[]] = [
  {
    type: 'balance_below',
    text: 'The balance falls below',
    units: ['credits', 'percent'],
    feature: 'none',
  },
  { type: 'spend_above', text: 'Usage in a period exceeds', units: ['credits'], feature: 'optional' },
  { type: 'limit_used', text: 'The used part of a limit reaches', units: ['percent'], feature: 'required' },
  { type: 'lot_expiring', text: 'Credits expire within', units: ['days'], feature: 'none' },
  { type: 'runway_below', text: 'Credits last for less than', units: ['days'], feature: 'none' },
]

const UNITS: Readonly<Record<Unit, string>> = { credits: 'credits', percent: '%', days: 'days' }
const PERIODS = ['HOURLY', 'DAILY', 'WEEKLY', 'MONTHLY'] as const
export default function Alerts(): VNode {
  const list = useList((cursor, signal) => call('get', '/v1/alerts', { query: { cursor }, signal }), [])
  const create = async (fields: Fields, idempotency_key: string) => {
    await call('post', '/v1/alerts', { body: draftOf(fields), idempotency_key })
    list.reload()
  }
  return (
    <Page
      title="Alerts"
      lead="Send a notification to your webhooks before credits run out or spending grows too much."
    >
      <Card title="Alerts">
        <ListView
          list={list}
          empty={
            <Empty title="No alert yet">
              <p>
                Create one below, for example for a balance below 100 credits. Each alert that fires sends a
                notification to your <a href={href('/webhooks')}>webhook endpoints</a>.
              </p>
            </Empty>
          }
        >
          {(rows) => <AlertTable rows={rows} reload={list.reload} />}
        </ListView>
      </Card>
      {may('webhooks:write') && <NewAlert create={create} />}
    </Page>
  )
}

function AlertTable({
  rows,
  reload,
}: {
  readonly rows: readonly Alert[]
  readonly reload: () => void
}): VNode {
  const enable = async (id: string, enabled: boolean) => {
    await call('patch', '/v1/alerts/{id}', { path: { id }, body: { enabled } })
    reload()
  }
  const remove = async (id: string) => {
    await call('delete', '/v1/alerts/{id}', { path: { id } })
    reload()
  }
  return (
    <Table
      caption="Alerts"
      rows={rows}
      rowKey={({ id }) => id}
      columns={[
        {
          title: 'Fires when',
          cell: (alert) => (
            <>
              {kindOf(alert.type).text} <Threshold threshold={alert.threshold} />
              {alert.period !== null && <> ({alert.period.toLowerCase()})</>}
            </>
          ),
        },
        { title: 'Wallet', cell: walletName },
        { title: 'Feature', cell: ({ feature_id }) => feature_id ?? '–' },
        {
          title: 'State',
          cell: ({ enabled, state, fired_at }) => (
            <>
              <span>{enabled ? state : 'disabled'}</span>
              {fired_at !== null && (
                <div class="quiet">
                  last fired <Time at={fired_at} />
                </div>
              )}
            </>
          ),
        },
        {
          title: '',
          cell: ({ id, type, enabled }) =>
            may('webhooks:write') && (
              <span class="actions">
                <Action
                  label={enabled ? 'Disable' : 'Enable'}
                  of={`${type} ${id}`}
                  run={() => enable(id, !enabled)}
                />
                <Action
                  label="Delete"
                  of={`${type} ${id}`}
                  confirm="Delete this alert?"
                  run={() => remove(id)}
                />
              </span>
            ),
        },
      ]}
    />
  )
}

function Threshold({ threshold }: { readonly threshold: Alert['threshold'] }): VNode {
  return (
    <>
      {Object.entries(UNITS).map(([unit, text]) => {
        const value = Object.entries(threshold).find(([name]) => name === unit)?.[1]
        if (value === undefined || !isDecimal(value)) return null
        return (
          <span key={unit}>
            <Amount value={value} /> {text}
          </span>
        )
      })}
    </>
  )
}

/** A form for an alert. It shows only the fields of the chosen type, because the API refuses other fields. */
function NewAlert({
  create,
}: {
  readonly create: (fields: Fields, idempotency_key: string) => Promise<void>
}): VNode {
  const [type, setType] = useState<string>(KINDS[0].type)
  const { units, feature } = kindOf(type)
  return (
    <Card title="Create an alert">
      <Form label="Create an alert" submit="Create" keeps onSubmit={create}>
        <Select
          label="Fires when"
          name="type"
          value={type}
          options={KINDS.map((kind) => [kind.type, kind.text] as const)}
          onValue={setType}
        />
        <AmountInput label="Threshold" name="threshold" required />
        <Select
          key={`unit ${type}`}
          label="Unit"
          name="unit"
          options={units.map((unit) => [unit, unit] as const)}
        />
        {feature !== 'none' && (
          <Input
            label="Feature"
            name="feature_id"
            maxLength={255}
            required={feature === 'required'}
            {...(feature === 'optional' && { hint: 'Leave empty to include all features.' })}
          />
        )}
        {type === 'spend_above' && (
          <Select
            label="Period (UTC)"
            name="period"
            value="MONTHLY"
            options={PERIODS.map((period) => [period, period.toLowerCase()] as const)}
          />
        )}
        <OwnerFields label="Watches" />
      </Form>
    </Card>
  )
}

function draftOf(fields: Fields) {
  const { threshold, unit = 'credits', feature_id } = fields
  const period = PERIODS.find((one) => one === fields.period)
  return {
    type: kindOf(fields.type).type,
    threshold: { [unit]: threshold },
    ...(feature_id !== undefined && { feature_id }),
    ...(period !== undefined && { period }),
    ...ownerIn(fields),
  }
}

function kindOf(type: string | undefined): Kind {
  return KINDS.find((kind) => kind.type === type) ?? KINDS[0]
}
