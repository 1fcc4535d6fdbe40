import type { VNode } from 'preact'
import { Card, Page } from '../components/page.tsx'
import { QueryInputs, queryValues } from '../components/query-inputs.tsx'
import { AuditTable, useAudit } from './audit-table.tsx'

const FILTERS = [
  ['customer_id', 'Customer id'],
  ['actor', 'Author (a key id, "operator" or "public")'],
  ['target', 'Id of the changed object'],
] as const

export default function AuditPage(): VNode {
  const list = useAudit(queryValues(FILTERS))
  return (
    <Page
      title="Audit log"
      lead="The accepted changes of customers, API keys, credits, prices, entitlements and settings. These records cannot be changed or deleted."
    >
      <Card title="Find">
        <div class="fields filters">
          <QueryInputs fields={FILTERS} />
        </div>
      </Card>
      <Card title="Changes, newest first">
        <AuditTable list={list} />
      </Card>
    </Page>
  )
}
