import type { VNode } from 'preact'
import { call } from '../api/call.ts'
import { Input, Select } from '../components/form.tsx'
import { ListView, useList } from '../components/list.tsx'
import { Card, Empty, Page } from '../components/page.tsx'
import { Table } from '../components/table.tsx'
import { Time } from '../components/time.tsx'
import { href, navigate, route, setQuery } from '../router.ts'

export const TIERS = ['STARTER', 'GROWTH', 'ENTERPRISE'] as const
export const STATUSES = ['ACTIVE', 'SUSPENDED', 'CLOSED'] as const

export default function Customers(): VNode {
  const { query } = route.value
  const filter = {
    tier: TIERS.find((tier) => tier === query.get('tier')),
    status: (['PENDING', ...STATUSES] as const).find((status) => status === query.get('status')),
    email: query.get('email') ?? undefined,
  }
  const list = useList(
    (cursor, signal) => call('get', '/v1/admin/customers', { query: { ...filter, cursor }, signal }),
    [query.toString()],
  )
  return (
    <Page title="Customers" lead="Find a customer, change its tier, or suspend it.">
      <Card title="Find">
        <div class="fields filters">
          <Input
            label="Email"
            name="email"
            type="email"
            value={filter.email ?? ''}
            onValue={(value) => setQuery({ email: value })}
          />
          <Input
            label="Customer id"
            name="customer_id"
            placeholder="cust_…"
            onValue={(value) => value !== '' && navigate(`/customers/${value.trim()}`)}
          />
          <Select
            label="Tier"
            name="tier"
            value={filter.tier ?? ''}
            options={[['', 'all'], ...TIERS.map((tier) => [tier, tier.toLowerCase()] as const)]}
            onValue={(value) => setQuery({ tier: value })}
          />
          <Select
            label="Status"
            name="status"
            value={filter.status ?? ''}
            options={[
              ['', 'all'],
              ...(['PENDING', ...STATUSES] as const).map((status) => [status, status.toLowerCase()] as const),
            ]}
            onValue={(value) => setQuery({ status: value })}
          />
        </div>
      </Card>
      <Card title="Customers, newest first">
        <ListView
          list={list}
          empty={
            <Empty title="No such customer">
              <p>No customer matches. Enter the complete email address.</p>
            </Empty>
          }
        >
          {(rows) => (
            <Table
              caption="Customers"
              rows={rows}
              rowKey={({ customer_id }) => customer_id}
              columns={[
                {
                  title: 'Name',
                  cell: ({ name, customer_id }) => <a href={href(`/customers/${customer_id}`)}>{name}</a>,
                },
                { title: 'Email', cell: ({ email }) => email },
                { title: 'Tier', cell: ({ tier }) => tier.toLowerCase() },
                { title: 'Status', cell: ({ status }) => status.toLowerCase() },
                { title: 'Since', cell: ({ created_at }) => <Time at={created_at} /> },
              ]}
            />
          )}
        </ListView>
      </Card>
    </Page>
  )
}
