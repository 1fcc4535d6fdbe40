import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { call, type RowOf } from '../api/call.ts'
import { Action } from '../components/action.tsx'
import { Amount } from '../components/amount.tsx'
import { AmountInput, type Fields, Form, Input } from '../components/form.tsx'
import { type List, ListView } from '../components/list.tsx'
import { Card, Empty } from '../components/page.tsx'
import { Table } from '../components/table.tsx'
import { may } from '../session.ts'

type Pack = RowOf<'/v1/credit-packs'>

/** The list of credit packs, with forms to create and change a pack. */
export function CreditPacks({ list }: { readonly list: List<Pack> }): VNode {
  const [changing, setChanging] = useState<Pack>()
  const create = async (fields: Fields, idempotency_key: string) => {
    const { expires_in_days, ...pack } = draftOf(fields)
    const body = { ...pack, ...(expires_in_days !== null && { expires_in_days }) }
    await call('post', '/v1/credit-packs', { body, idempotency_key })
    list.reload()
  }
  const change = async (id: string, fields: Fields) => {
    await call('patch', '/v1/credit-packs/{id}', { path: { id }, body: draftOf(fields) })
    setChanging(undefined)
    list.reload()
  }
  const remove = async (id: string) => {
    await call('delete', '/v1/credit-packs/{id}', { path: { id } })
    setChanging((old) => (old?.id === id ? undefined : old))
    list.reload()
  }
  return (
    <>
      <Card title="Credit packs">
        <ListView
          list={list}
          empty={
            <Empty title="No pack yet">
              <p>
                Create one below, such as 10,000 credits for 25 USD. Checkouts and your end users' pages sell
                packs.
              </p>
            </Empty>
          }
        >
          {(rows) => <PackTable rows={rows} change={setChanging} remove={remove} />}
        </ListView>
      </Card>
      {changing && (
        <Card
          title="Change a pack"
          actions={
            <button type="button" class="secondary" onClick={() => setChanging(undefined)}>
              Cancel
            </button>
          }
        >
          <Form
            key={changing.id}
            label="Change a pack"
            submit="Save"
            keeps
            onSubmit={(fields) => change(changing.id, fields)}
          >
            <PackFields pack={changing} />
          </Form>
          <p class="quiet">Checkouts that are open keep the credits and the price that they began with.</p>
        </Card>
      )}
      {may('credits:write') && (
        <Card title="Create a pack">
          <Form label="Create a pack" submit="Create" onSubmit={create}>
            <PackFields />
          </Form>
        </Card>
      )}
    </>
  )
}

interface PackTableProps {
  readonly rows: readonly Pack[]
  readonly change: (pack: Pack) => void
  readonly remove: (id: string) => Promise<void>
}

function PackTable({ rows, change, remove }: PackTableProps): VNode {
  return (
    <Table
      caption="Credit packs"
      rows={rows}
      rowKey={({ id }) => id}
      columns={[
        {
          title: 'Name',
          cell: ({ id, name }) => (
            <>
              {name}
              <div class="quiet">
                <code>{id}</code>
              </div>
            </>
          ),
        },
        { title: 'Credits', numeric: true, cell: ({ credits }) => <Amount value={credits} /> },
        { title: 'Price', numeric: true, cell: ({ price_usd }) => <Amount value={price_usd} unit="USD" /> },
        {
          title: 'Credits last',
          cell: ({ expires_in_days: days }) =>
            days === null ? 'forever' : `${days} ${String(days) === '1' ? 'day' : 'days'}`,
        },
        {
          title: '',
          cell: (pack) =>
            may('credits:write') && (
              <span class="actions">
                <button type="button" class="secondary" onClick={() => change(pack)}>
                  Change<span class="hidden"> {pack.name}</span>
                </button>
                <Action
                  label="Delete"
                  of={pack.name}
                  confirm="Delete this pack? Open checkouts can still be paid."
                  run={() => remove(pack.id)}
                />
              </span>
            ),
        },
      ]}
    />
  )
}

function PackFields({ pack }: { readonly pack?: Pack }): VNode {
  return (
    <>
      <Input
        label="Name"
        name="name"
        value={pack?.name ?? ''}
        maxLength={255}
        hint="Stripe shows the name to the buyer"
        required
      />
      <AmountInput label="Credits" name="credits" value={pack?.credits ?? ''} required />
      <AmountInput
        label="Price (USD)"
        name="price_usd"
        value={pack?.price_usd ?? ''}
        hint="At least 0.50"
        required
      />
      <Input
        label="Days that the credits last"
        name="expires_in_days"
        type="number"
        min={1}
        max={36_500}
        value={pack?.expires_in_days ?? ''}
        hint="Leave empty for credits that do not expire"
      />
    </>
  )
}

function draftOf({ name = '', credits = '', price_usd = '', expires_in_days: days }: Fields) {
  return { name, credits, price_usd, expires_in_days: days === undefined ? null : Number(days) }
}
