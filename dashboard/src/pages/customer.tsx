import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { type AnswerOf, call } from '../api/call.ts'
import { useApi } from '../api/use-api.ts'
import { Action } from '../components/action.tsx'
import { Code } from '../components/code.tsx'
import { Form, Input, Select } from '../components/form.tsx'
import { Card, Page, Show } from '../components/page.tsx'
import { Time } from '../components/time.tsx'
import { route } from '../router.ts'
import { AuditTable, useAudit } from './audit-table.tsx'
import { STATUSES, TIERS } from './customers.tsx'

type Reconciled = AnswerOf<'/v1/admin/reconcile', 'post'>

/** The page on which the operator manages one customer. */
export default function CustomerPage(): VNode {
  const id = decodeURIComponent(route.value.path.split('/')[2] ?? '')
  const customer = useApi((signal) => call('get', '/v1/admin/customers/{id}', { path: { id }, signal }), [id])
  const audit = useAudit({ customer_id: id })
  const [key, setKey] = useState<string>()
  const [note, setNote] = useState<string>()
  const changed = () => {
    customer.reload()
    audit.reload()
  }
  const reconcile = async () => {
    setNote(describe(await call('post', '/v1/admin/reconcile', { body: { customer_id: id } })))
    audit.reload()
  }
  const rerate = async () => {
    const { examined, rated, unpaid, unpriced } = await call('post', '/v1/admin/rerate', {
      body: { customer_id: id },
    })
    setNote(
      `Examined events without a price: ${examined}. Rated: ${rated}. Not payable: ${unpaid}. Still without a price: ${unpriced}.`,
    )
    audit.reload()
  }
  return (
    <Page title={customer.data?.name ?? 'Customer'} lead="The customer's account, keys, ledgers and changes.">
      <Show from={customer}>
        {(data) => (
          <>
            <Card title="Account">
              <dl class="pairs">
                <dt>Customer id</dt>
                <dd>
                  <code>{data.customer_id}</code>
                </dd>
                <dt>Email</dt>
                <dd>{data.email}</dd>
                <dt>Tier</dt>
                <dd>{data.tier.toLowerCase()}</dd>
                <dt>Status</dt>
                <dd>{data.status.toLowerCase()}</dd>
                <dt>Region</dt>
                <dd>{data.region ?? 'near the first request'}</dd>
                <dt>Since</dt>
                <dd>
                  <Time at={data.created_at} />
                </dd>
              </dl>
              <Form
                label="Change the account"
                submit="Change"
                keeps
                onSubmit={async ({ tier, status }) => {
                  const body = {
                    tier: TIERS.find((known) => known === tier),
                    status: STATUSES.find((known) => known === status),
                  }
                  await call('patch', '/v1/admin/customers/{id}', { path: { id }, body })
                  changed()
                }}
              >
                <Select
                  label="Tier"
                  name="tier"
                  value={data.tier}
                  options={TIERS.map((tier) => [tier, tier.toLowerCase()] as const)}
                />
                <Select
                  label="Status"
                  name="status"
                  value={data.status}
                  options={[
                    ['ACTIVE', 'active'],
                    ['SUSPENDED', 'suspended: read only'],
                    ['CLOSED', 'closed'],
                  ]}
                />
              </Form>
            </Card>
            <Card title="Books">
              <p class="quiet">
                Compare the ledger with D1 and with the analytics, or rate events whose price was added later.
              </p>
              <div class="actions">
                <Action label="Reconcile" run={reconcile} />
                <Action label="Rate events without a price" run={rerate} />
              </div>
              {note !== undefined && <p role="status">{note}</p>}
            </Card>
            <Card title="New API key">
              {key !== undefined && <Code label="The new API key, shown once" text={key} />}
              <Form
                label="Create an API key"
                submit="Create"
                onSubmit={async ({ name = '' }) => {
                  const made = await call('post', '/v1/admin/customers/{id}/api-keys', {
                    path: { id },
                    body: { name },
                  })
                  setKey(made.api_key)
                  audit.reload()
                }}
              >
                <Input
                  label="Name"
                  name="name"
                  maxLength={255}
                  required
                  hint="The key has all scopes. The customer can create keys with fewer scopes."
                />
              </Form>
            </Card>
          </>
        )}
      </Show>
      <Card title="Changes, newest first">
        <AuditTable list={audit} of_one />
      </Card>
    </Page>
  )
}

export function describe({ ledgers, more }: Reconciled): string {
  if (ledgers.length === 0) return 'There was no ledger to check.'
  const parts = ledgers.map(({ ledger_id, status, differences }) => {
    const found = differences.map(
      ({ kind, expected, found }) => `${kind}: expected ${expected}, found ${found}`,
    )
    return `${ledger_id}: ${status}${found.length > 0 ? ` (${found.join('; ')})` : ''}`
  })
  return `${parts.join('. ')}${more ? '. The check is not complete. Run it again.' : '.'}`
}
