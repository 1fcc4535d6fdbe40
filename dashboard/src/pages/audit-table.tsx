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

interface AuditTableProps {
  readonly list: List<Audit>
  /** Whether all changes are of one customer. The table then has no customer column. */
  readonly of_one?: boolean
}

export function AuditTable({ list, of_one = false }: AuditTableProps): VNode {
  return (
    <ListView
      list={list}
      empty={
        <Empty title="No change">
          <p>
            Changes of customers, API keys, credits, prices, entitlements and settings are recorded here,
            within seconds.
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
            {
              title: 'By',
              cell: ({ actor, ip }) => (
                <>
                  <code>{actor}</code>
                  {ip !== null && <div class="quiet">{ip}</div>}
                </>
              ),
            },
            { title: 'Of', cell: ({ target }) => <code>{target}</code> },
            ...(of_one ? [] : [{ title: 'Customer', cell: customerOf }]),
            { title: 'Change', cell: ({ before, after }) => <Change before={before} after={after} /> },
          ]}
        />
      )}
    </ListView>
  )
}

function customerOf({ customer_id, mode }: Audit): VNode {
  return (
    <code>
      {customer_id ?? '–'}
      {mode === 'test' && ' (test)'}
    </code>
  )
}

/** Shows each changed field on a separate line, with its values before and after the change. */
function Change({ before, after }: Pick<Audit, 'before' | 'after'>): VNode {
  if (before === null && after === null) return <>–</>
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])
  return (
    <>
      {[...names].map((name) => (
        <div key={name}>
          <span class="quiet">{name}</span> <Value of={before?.[name]} />
          {before?.[name] !== undefined && after?.[name] !== undefined && ' → '}
          <Value of={after?.[name]} />
          {after === null && <span class="quiet"> (deleted)</span>}
        </div>
      ))}
    </>
  )
}

function Value({ of }: { readonly of: unknown }): VNode | null {
  if (of === undefined) return null
  return <code>{typeof of === 'string' ? of : plain(of)}</code>
}
