import type { VNode } from 'preact'
import { call, type RowOf } from '../api/call.ts'
import { type List, ListView, useList } from '../components/list.tsx'
import { Empty } from '../components/page.tsx'
import { plain } from '../components/plain.ts'
import { Table } from '../components/table.tsx'
import { Time } from '../components/time.tsx'

type Audit = RowOf<'/v1/admin/audit'>

interface AuditFilter {
  readonly customer_id?: string | undefined
  readonly actor?: string | undefined
  readonly target?: string | undefined
}

export function useAudit(filter: AuditFilter): List<Audit> {
  return useList(
    (cursor, signal) => call('get', '/v1/admin/audit', { query: { ...filter, cursor }, signal }),
    [JSON.stringify(filter)],
  )
}

export function AuditTable({ list }: { readonly list: List<Audit> }): VNode {
  return (
    <ListView
      list={list}
      empty={
        <Empty title="No change">
          <p>
            Changes of keys, customers, credits, prices and entitlements are recorded here, within seconds.
          </p>
        </Empty>
      }
    >
      {(rows) => (
        <Table
          caption="Audit log"
          rows={rows}
          rowKey={({ id }) => id}
          columns={[
            { title: 'Time', cell: ({ at }) => <Time at={at} /> },
            { title: 'Action', cell: ({ action }) => action },
            { title: 'By', cell: ({ actor, ip }) => (ip === null ? actor : `${actor} (${ip})`) },
            { title: 'Of', cell: ({ target }) => <code>{target}</code> },
            {
              title: 'Customer',
              cell: ({ customer_id, mode }) => `${customer_id ?? '–'}${mode === 'test' ? ' (test)' : ''}`,
            },
            {
              title: 'Before',
              cell: ({ before }) => (before === null ? '–' : <code>{plain(before)}</code>),
            },
            {
              title: 'After',
              cell: ({ after }) => (after === null ? '–' : <code>{plain(after)}</code>),
            },
          ]}
        />
      )}
    </ListView>
  )
}
