import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { type AnswerOf, call } from '../api/call.ts'
import { useApi, usePolling } from '../api/use-api.ts'
import { Action } from '../components/action.tsx'
import { Amount } from '../components/amount.tsx'
import { Chart } from '../components/chart.tsx'
import { ListView, useList } from '../components/list.tsx'
import { Card, Empty, Figure, Page, Show } from '../components/page.tsx'
import { Table } from '../components/table.tsx'
import { Time } from '../components/time.tsx'
import { describe } from './customer.tsx'

type Stats = AnswerOf<'/v1/admin/stats'>

export default function Health(): VNode {
  const stats = useApi((signal) => call('get', '/v1/admin/stats', { signal }), [])
  // The figures of a deployment in use always change, and each read of them reads rows of D1 for each ledger.
  // Therefore, a change of the figures does not restart the polling every second.
  usePolling(() => !stats.is_loading && stats.reload(), undefined)
  return (
    <Page title="Health" lead="Whether accepted events reach D1, analytics and webhooks in time.">
      <Show from={stats}>{(data) => <Figures stats={data} />}</Show>
      <DeadLetters changed={stats.reload} />
      <Reconciliation changed={stats.reload} />
    </Page>
  )
}

function Figures({ stats }: { readonly stats: Stats }): VNode {
  const { flush, rollups, reconcile, dead_letters, webhooks, outcomes, cost, customers, ledgers } = stats
  const hours = outcomes.hours.toReversed()
  const by_status = ['2xx', '4xx', '402', '409', '429', '5xx'] as const
  return (
    <>
      <div class="cards">
        <Figure
          name="Flush lag"
          note={
            <>
              <Amount value={flush.ledgers_behind} /> ledgers behind
            </>
          }
        >
          <Amount value={flush.lag_seconds} /> <span class="unit">seconds</span>
        </Figure>
        <Figure
          name="Analytics lag"
          note={
            <>
              <Amount value={rollups.ledgers_behind} /> ledgers behind
            </>
          }
        >
          <Amount value={rollups.lag_seconds} /> <span class="unit">seconds</span>
        </Figure>
        <Figure name="Open dead letters">
          <Amount value={dead_letters.open} />
        </Figure>
        <Figure
          name="Ledgers that differ"
          note={
            <>
              <Amount value={reconcile.unchecked} /> not checked yet
              {reconcile.last_run_at !== null && (
                <>
                  ; last run <Time at={reconcile.last_run_at} />
                </>
              )}
            </>
          }
        >
          <Amount value={reconcile.different} />
        </Figure>
        <Figure
          name="Webhooks waiting"
          note={
            <>
              <Amount value={webhooks.failing_endpoints} /> failing and{' '}
              <Amount value={webhooks.disabled_endpoints} /> disabled endpoints
            </>
          }
        >
          <Amount value={webhooks.pending} />
        </Figure>
        <Figure
          name="Customers"
          note={
            <>
              <Amount value={ledgers.total} /> ledgers; <Amount value={customers.by_status.SUSPENDED} />{' '}
              suspended
            </>
          }
        >
          <Amount value={customers.total} />
        </Figure>
        <Figure
          name="The meter's cost of a million events"
          note={
            <>
              Estimated <Amount value={cost.estimated_usd} unit="USD" /> for <Amount value={cost.events} />{' '}
              events, at prices of {cost.prices_as_of}
            </>
          }
        >
          {cost.per_million_events_usd === null ? (
            <span class="unit">No events yet</span>
          ) : (
            <Amount value={cost.per_million_events_usd} unit="USD" />
          )}
        </Figure>
      </div>
      <Card title="Requests by hour">
        <Chart
          title="Requests by hour"
          axis="Hour (UTC)"
          unit="requests"
          labels={hours.map(({ hour }) => labelOfHour(hour))}
          series={by_status.map((status) => ({
            name: status,
            values: hours.map((one) => one.by_status[status]),
          }))}
        />
      </Card>
    </>
  )
}

function labelOfHour(hour: string): string {
  const day = { day: 'numeric', month: 'short', timeZone: 'UTC' } as const
  return new Date(hour).toLocaleString(undefined, { ...day, hour: '2-digit', minute: '2-digit' })
}

function DeadLetters({ changed }: { readonly changed: () => void }): VNode {
  const list = useList(
    (cursor, signal) =>
      call('get', '/v1/admin/dead-letters', {
        query: { state: 'open', cursor },
        signal,
      }),
    [],
  )
  const [note, setNote] = useState<string>()
  const replay = async () => {
    const { replayed, failed, more } = await call('post', '/v1/admin/dead-letters/replay', { body: {} })
    setNote(
      `${replayed} replayed, ${failed} failed${more ? '. More dead letters are open. Replay again' : ''}.`,
    )
    list.reload()
    changed()
  }
  return (
    <Card title="Dead letters" actions={<Action label="Replay all" run={replay} />}>
      {note !== undefined && <p role="status">{note}</p>}
      <ListView
        list={list}
        empty={
          <Empty title="No dead letters">
            <p>No usage message waits for a replay.</p>
          </Empty>
        }
      >
        {(rows) => (
          <Table
            caption="Dead letters"
            rows={rows}
            rowKey={({ dead_letter_id }) => dead_letter_id}
            columns={[
              { title: 'Failed', cell: ({ failed_at }) => <Time at={failed_at} /> },
              { title: 'Reason', cell: ({ reason }) => reason },
              { title: 'Attempts', numeric: true, cell: ({ attempts }) => <Amount value={attempts} /> },
              { title: 'Message', cell: ({ body }) => <code>{body.slice(0, 200)}</code> },
            ]}
          />
        )}
      </ListView>
    </Card>
  )
}

function Reconciliation({ changed }: { readonly changed: () => void }): VNode {
  const [note, setNote] = useState<string>()
  const run = async () => {
    setNote(describe(await call('post', '/v1/admin/reconcile', { body: {} })))
    changed()
  }
  return (
    <Card title="Reconcile" actions={<Action label="Check the next ledgers" run={run} />}>
      <p class="quiet">
        Compares ledgers with their pages in D1 and with the analytics, and repairs differences. A scheduled
        job checks each ledger about once a day.
      </p>
      {note !== undefined && <p role="status">{note}</p>}
    </Card>
  )
}
