import type { VNode } from 'preact'
import { Input } from '../components/form.tsx'
import { Card, Page } from '../components/page.tsx'
import { route, setQuery } from '../router.ts'
import { AuditTable, useAudit } from './audit-table.tsx'

const FILTERS = [
  ['customer_id', 'Customer id'],
  ['actor', 'By: a key id, operator or public'],
  ['target', 'Id of the changed object'],
] as const

export default function AuditPage(): VNode {
  const { query } = route.value
  const list = useAudit(Object.fromEntries(FILTERS.map(([name]) => [name, query.get(name) ?? undefined])))
  return (
    <Page
      title="Audit log"
      lead="The author, time, address and content of each change. Rows can only be added."
    >
      <Card title="Find">
        <div class="fields">
          {FILTERS.map(([name, label]) => (
            <Input
              key={name}
              label={label}
              name={name}
              value={query.get(name) ?? ''}
              onValue={(value) => setQuery({ [name]: value })}
            />
          ))}
        </div>
      </Card>
      <Card title="Changes, newest first">
        <AuditTable list={list} />
      </Card>
    </Page>
  )
}
