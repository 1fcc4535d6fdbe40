import type { VNode } from 'preact'
import { call, type RowOf } from '../api/call.ts'
import { Action } from '../components/action.tsx'
import { Input, Select } from '../components/form.tsx'
import { type List, ListView, useList } from '../components/list.tsx'
import { Card, Empty } from '../components/page.tsx'
import { Table } from '../components/table.tsx'
import { Time } from '../components/time.tsx'
import { may } from '../session.ts'

type Delivery = RowOf<'/v1/webhook-deliveries'>

const STATUSES = ['pending', 'succeeded', 'failed', 'dropped'] as const

export interface DeliveryFilter {
  readonly endpoint_id?: string
  readonly status?: string
  readonly type?: string
}

export function useDeliveries({ endpoint_id, status, type }: DeliveryFilter): List<Delivery> {
  return useList(
    (cursor, signal) => {
      const query = { cursor, endpoint_id, status: STATUSES.find((known) => known === status), type }
      return call('get', '/v1/webhook-deliveries', { query, signal })
    },
    [endpoint_id, status, type],
  )
}

interface DeliveryLogProps {
  readonly list: List<Delivery>
  readonly endpoints: readonly { readonly id: string; readonly url: string }[]
  readonly filter: DeliveryFilter
  readonly onFilter: (change: DeliveryFilter) => void
}

export function DeliveryLog({ list, endpoints, filter, onFilter }: DeliveryLogProps): VNode {
  const urlOf = (id: string) => endpoints.find((endpoint) => endpoint.id === id)?.url ?? id
  const is_filtered = Object.values(filter).some((value) => value !== undefined && value !== '')
  return (
    <Card
      title="Deliveries, newest first"
      actions={
        <button type="button" class="secondary" onClick={list.reload} disabled={list.is_loading}>
          Refresh
        </button>
      }
    >
      <div class="fields">
        <Select
          label="Endpoint"
          name="endpoint_id"
          options={[['', 'all'], ...endpoints.map(({ id, url }) => [id, url] as const)]}
          onValue={(endpoint_id) => onFilter({ endpoint_id })}
        />
        <Select
          label="Status"
          name="status"
          options={[['', 'all'], ...STATUSES.map((status) => [status, status] as const)]}
          onValue={(status) => onFilter({ status })}
        />
        <Input
          label="Type"
          name="type"
          placeholder="credits.low"
          maxLength={64}
          onValue={(type) => onFilter({ type: type.trim() })}
        />
      </div>
      <ListView
        list={list}
        empty={
          is_filtered ? (
            <Empty title="No such delivery">{<p>Change the filter above.</p>}</Empty>
          ) : (
            <Empty title="No delivery yet">
              <p>Send a test message to an endpoint, or create an alert that fires.</p>
            </Empty>
          )
        }
      >
        {(rows) => (
          <Table
            caption="Deliveries"
            rows={rows}
            rowKey={({ id }) => id}
            columns={[
              { title: 'Time', cell: ({ created_at }) => <Time at={created_at} /> },
              { title: 'Type', cell: ({ type }) => type },
              { title: 'Endpoint', cell: ({ endpoint_id }) => <code>{urlOf(endpoint_id)}</code> },
              {
                title: 'Status',
                cell: ({ status, next_attempt_at }) => (
                  <>
                    {status}
                    {next_attempt_at !== null && (
                      <div class="quiet">
                        next attempt <Time at={next_attempt_at} />
                      </div>
                    )}
                  </>
                ),
              },
              { title: 'Attempts', cell: ({ id, attempts }) => <Attempts of={id} attempts={attempts} /> },
              {
                title: '',
                cell: ({ id, type }) =>
                  may('webhooks:write') && (
                    <Action
                      label="Retry"
                      of={`${type} ${id}`}
                      run={async () => {
                        await call('post', '/v1/webhook-deliveries/{id}/retry', { path: { id } })
                        list.reload()
                      }}
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

function Attempts({ of, attempts }: { readonly of: string; readonly attempts: Delivery['attempts'] }): VNode {
  if (attempts.length === 0) return <>none yet</>
  return (
    <details>
      <summary>
        {attempts.length}
        <span class="hidden"> of {of}</span>
      </summary>
      <ol>
        {attempts.map(({ at, status_code, error, duration_ms, answer }) => (
          <li key={at}>
            <Time at={at} />: {status_code ?? error} in {duration_ms} ms
            {answer !== '' && (
              <div>
                <code>{answer}</code>
              </div>
            )}
          </li>
        ))}
      </ol>
    </details>
  )
}
