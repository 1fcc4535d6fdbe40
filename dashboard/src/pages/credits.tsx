import type { VNode } from 'preact'
import { call, download, type RowOf } from '../api/call.ts'
import { save } from '../api/csv.ts'
import { useApi } from '../api/use-api.ts'
import { Action } from '../components/action.tsx'
import { Amount } from '../components/amount.tsx'
import { Meter } from '../components/chart.tsx'
import { AmountInput, type Fields, Form, Input, Select } from '../components/form.tsx'
import { type List, ListView, useList } from '../components/list.tsx'
import { Card, Empty, Figure, Page, Show } from '../components/page.tsx'
import { Table } from '../components/table.tsx'
import { Time } from '../components/time.tsx'
import { type Owner, ownerOf, WalletPicker } from '../components/wallet.tsx'
import { href, route, setQuery } from '../router.ts'
import { may } from '../session.ts'

type Lot = RowOf<'/v1/credits/lots'>
type Recurring = RowOf<'/v1/credits/recurring-grants'>

const TYPES = ['PURCHASE', 'GRANT', 'BURN', 'REFUND', 'VOID', 'EXPIRATION', 'TRANSFER', 'ADJUSTMENT'] as const
const PERIODS = ['day', 'week', 'month', 'quarter', 'year'] as const
type Period = (typeof PERIODS)[number]

/**
 * The page of one wallet: the wallet of the user or team in the query, or the customer's wallet if the query has
 * neither.
 */
export default function Credits(): VNode {
  const { query } = route.value
  const owner = ownerOf(query)
  const type = TYPES.find((known) => known === query.get('type'))
  const inputs = [owner.user_id, owner.team_id]
  const balance = useApi((signal) => call('get', '/v1/credits/balance', { query: owner, signal }), inputs)
  const lots = useList(
    (cursor, signal) => call('get', '/v1/credits/lots', { query: { ...owner, cursor }, signal }),
    inputs,
  )
  const recurring = useList(
    (cursor, signal) => call('get', '/v1/credits/recurring-grants', { query: { ...owner, cursor }, signal }),
    inputs,
  )
  const filter = { ...owner, type }
  const transactions = useList(
    (cursor, signal) =>
      call('get', '/v1/credits/transactions', {
        query: { ...filter, cursor },
        signal,
      }),
    [...inputs, type],
  )
  const reload = () => {
    for (const one of [balance, lots, recurring, transactions]) one.reload()
  }
  return (
    <Page title="Credits" lead="The lots of a wallet in the order in which they burn, and its transactions.">
      <WalletPicker />
      <Show from={balance}>
        {(data) => (
          <div class="cards">
            <Figure name="Balance">
              <Amount value={data.balance} unit="credits" />
            </Figure>
            <Figure name="Available" note="Without credits that holds reserve or that are not yet valid">
              <Amount value={data.available_balance} unit="credits" />
            </Figure>
            <Figure
              name="Overdraft limit"
              note="The balance of this wallet can fall below zero by this amount"
            >
              <Amount value={data.overdraft_limit} unit="credits" />
            </Figure>
          </div>
        )}
      </Show>
      <Card title="Open lots, the next to burn first">
        <Lots list={lots} />
      </Card>
      {may('credits:write') && (
        <div class="cards">
          <Card title="Grant credits">
            <Form
              label="Grant credits"
              submit="Grant"
              onSubmit={(fields, key) => grant(fields, owner, key).then(reload)}
            >
              <AmountInput label="Credits" name="amount" required />
              <Input label="Reason" name="reason" maxLength={255} />
              <Input label="Expires on" name="expires" type="date" />
              <Input
                label="Priority"
                name="priority"
                type="number"
                min={0}
                max={100}
                placeholder="50"
                hint="A lower number burns first"
              />
              <Select
                label="Repeats"
                name="every"
                options={[['', 'once'], ...PERIODS.map((period) => [period, `every ${period}`] as const)]}
              />
            </Form>
          </Card>
          <Card title="Record a purchase">
            <Form
              label="Record a purchase"
              submit="Record"
              onSubmit={(fields, key) => purchase(fields, owner, key).then(reload)}
            >
              <AmountInput label="Credits" name="amount" required />
              <AmountInput label="Price (USD)" name="price_usd" required />
              <Input
                label="Payment reference"
                name="payment_reference"
                maxLength={255}
                hint="A purchase with a repeated reference adds no credits"
              />
              <Input label="Expires on" name="expires" type="date" />
            </Form>
          </Card>
        </div>
      )}
      <RecurringGrants list={recurring} reload={reload} />
      <Card
        title="Transactions"
        actions={
          <Action
            label="Download CSV"
            run={async () =>
              save(
                'transactions.csv',
                await download('/v1/credits/transactions', 'text/csv', { query: { ...filter, limit: 100 } }),
              )
            }
          />
        }
      >
        <div class="fields">
          <Select
            label="Type"
            name="type"
            value={type ?? ''}
            options={[['', 'all'], ...TYPES.map((known) => [known, known.toLowerCase()] as const)]}
            onValue={(value) => setQuery({ type: value })}
          />
        </div>
        <ListView
          list={transactions}
          empty={
            <Empty title="No transactions">
              <p>A grant, a purchase or an event creates the first transaction.</p>
            </Empty>
          }
        >
          {(rows) => (
            <Table
              caption="Transactions"
              rows={rows}
              rowKey={({ id }) => id}
              columns={[
                { title: 'Time', cell: ({ created_at }) => <Time at={created_at} /> },
                { title: 'Type', cell: ({ type }) => type.toLowerCase() },
                { title: 'Amount', numeric: true, cell: ({ amount }) => <Amount value={amount} signed /> },
                {
                  title: 'Balance before',
                  numeric: true,
                  cell: ({ balance_before }) => <Amount value={balance_before} />,
                },
                {
                  title: 'Balance after',
                  numeric: true,
                  cell: ({ balance_after }) => <Amount value={balance_after} />,
                },
                {
                  title: 'For',
                  cell: ({ event_id, description, payment_reference }) =>
                    event_id === undefined ? (
                      (description ?? payment_reference ?? '–')
                    ) : (
                      <a href={href('/events', { event: event_id })}>
                        event<span class="hidden"> {event_id}</span>
                      </a>
                    ),
                },
              ]}
            />
          )}
        </ListView>
      </Card>
    </Page>
  )
}

async function grant(fields: Fields, owner: Owner, idempotency_key: string): Promise<void> {
  const { amount = '', reason, priority, every } = fields
  const period = PERIODS.find((known): known is Period => known === every)
  const body = {
    ...owner,
    ...lotOf(fields),
    amount,
    reason,
    ...(priority !== undefined && { priority: Number(priority) }),
    ...(period && { recurring: { every: period } }),
  }
  await call('post', '/v1/credits/grant', { body, idempotency_key })
}

async function purchase(fields: Fields, owner: Owner, idempotency_key: string): Promise<void> {
  const { amount = '', price_usd = '', payment_reference } = fields
  const body = { ...owner, ...lotOf(fields), amount, price_usd, payment_reference }
  await call('post', '/v1/credits/purchase', { body, idempotency_key })
}

/** Returns the `expires_at` of a new lot: the end of the chosen day in UTC, or no field if no day is chosen. */
function lotOf({ expires }: Fields): { readonly expires_at?: string } {
  return expires === undefined ? {} : { expires_at: `${expires}T23:59:59Z` }
}

function Lots({ list }: { readonly list: List<Lot> }): VNode {
  return (
    <ListView
      list={list}
      empty={
        <Empty title="No open lot">
          <p>Grant credits or record a purchase to create a lot.</p>
        </Empty>
      }
    >
      {(lots) => (
        <Table
          caption="Open lots in burn order"
          rows={lots}
          rowKey={({ lot_id }) => lot_id}
          columns={[
            { title: 'Lot', cell: ({ lot_id, kind }) => `${lot_id} (${kind})` },
            {
              title: 'Left',
              cell: ({ remaining, amount }) => <Meter label="Left" used={remaining} limit={amount} />,
            },
            { title: 'Remaining', numeric: true, cell: ({ remaining }) => <Amount value={remaining} /> },
            { title: 'of', numeric: true, cell: ({ amount }) => <Amount value={amount} /> },
            { title: 'Reserved', numeric: true, cell: ({ reserved }) => <Amount value={reserved} /> },
            { title: 'Priority', numeric: true, cell: ({ priority }) => priority },
            {
              title: 'Expires',
              cell: ({ expires_at }) => (expires_at === null ? 'never' : <Time at={expires_at} />),
            },
          ]}
        />
      )}
    </ListView>
  )
}

function RecurringGrants({
  list,
  reload,
}: {
  readonly list: List<Recurring>
  readonly reload: () => void
}): VNode | null {
  if (list.rows?.length === 0) return null
  const stop = async (id: string) => {
    await call('delete', '/v1/credits/recurring-grants/{id}', { path: { id } })
    reload()
  }
  return (
    <Card title="Recurring grants">
      <ListView list={list} empty={<p>None.</p>}>
        {(grants) => (
          <Table
            caption="Recurring grants"
            rows={grants}
            rowKey={({ recurring_grant_id }) => recurring_grant_id}
            columns={[
              { title: 'Credits', numeric: true, cell: ({ amount }) => <Amount value={amount} /> },
              { title: 'Every', cell: ({ every }) => every },
              { title: 'Reason', cell: ({ reason }) => reason ?? '–' },
              { title: 'Next', cell: ({ next_at }) => <Time at={next_at} /> },
              {
                title: '',
                cell: ({ recurring_grant_id }) =>
                  may('credits:write') && (
                    <Action
                      label="Stop"
                      of={recurring_grant_id}
                      confirm="Stop this recurring grant? Lots already granted are kept."
                      run={() => stop(recurring_grant_id)}
                    />
                  ),
              },
            ]}
          />
        )}
      </ListView>
    </Card>
  )
}
