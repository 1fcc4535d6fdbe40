import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { type AnswerOf, call, type RowOf } from '../api/call.ts'
import { Action } from '../components/action.tsx'
import { Amount } from '../components/amount.tsx'
import { AmountInput, type Fields, Form, Input } from '../components/form.tsx'
import { ListView, useList } from '../components/list.tsx'
import { Card, Empty, Page } from '../components/page.tsx'
import { Table } from '../components/table.tsx'
import { Time } from '../components/time.tsx'
import { href } from '../router.ts'

type Row = RowOf<'/v1/admin/unrated'>
type Named = Pick<Row, 'provider' | 'model'>

const DAY_MS = 86_400_000
/**
 * The earliest start of a price, in days before today. The API accepts up to 35 days before the current time. The form
 * sends the beginning of a day, which can be almost one day earlier.
 */
const DAYS_BACK = 34

/** The page of models without a price. The operator sets a price and rates their events. */
export default function Unrated(): VNode {
  const [unavailable, setUnavailable] = useState<AnswerOf<'/v1/admin/unrated'>['unavailable']>([])
  const list = useList(async (cursor, signal) => {
    const page = await call('get', '/v1/admin/unrated', { query: { cursor }, signal })
    setUnavailable(page.unavailable)
    return page
  }, [])
  const [priced, setPriced] = useState<Named>()
  const [note, setNote] = useState<string>()
  const rerate = async () => {
    const { ledgers, examined, rated, unpaid, unpriced, more } = await call('post', '/v1/admin/rerate', {
      body: {},
    })
    setNote(
      `Ledgers: ${ledgers}. Examined events without a price: ${examined}. Rated: ${rated}. Not payable: ${unpaid}. Still without a price: ${unpriced}${more ? '. Not all events were examined. Rate them again' : ''}.`,
    )
    list.reload()
  }
  return (
    <Page
      title="Unrated events"
      lead="Models without a price. Their events are recorded, and charged once the model has a price."
      actions={<Action label="Rate them now" run={rerate} />}
    >
      {note !== undefined && <p role="status">{note}</p>}
      {unavailable.length > 0 && (
        <p class="notice">
          Ledgers that did not respond: {unavailable.map(ledgerText).join(', ')}. Reload the page later.
        </p>
      )}
      {priced && (
        <PriceForm
          key={`${priced.provider} ${priced.model}`}
          of={priced}
          done={() => {
            setPriced(undefined)
            setNote(
              `The price of ${priced.model} is set. A scheduled job rates its events; "Rate them now" rates them at once.`,
            )
          }}
        />
      )}
      <Card title="Models without a price, by customer">
        <ListView
          list={list}
          empty={
            <Empty title="Every event has a price">
              <p>An unknown model is listed here some seconds after its first event.</p>
            </Empty>
          }
        >
          {(rows) => (
            <Table
              caption="Models without a price"
              rows={rows}
              rowKey={({ customer_id, mode, provider, model }) =>
                JSON.stringify([customer_id, mode, provider, model])
              }
              columns={[
                { title: 'Model', cell: nameOf },
                {
                  title: 'Customer',
                  cell: (row) => <a href={href(`/customers/${row.customer_id}`)}>{ledgerText(row)}</a>,
                },
                {
                  title: 'Events',
                  numeric: true,
                  cell: ({ events, more_events }) => (
                    <>
                      <Amount value={events} />
                      {more_events && ' or more'}
                    </>
                  ),
                },
                { title: 'Oldest', cell: ({ oldest_at }) => <Time at={oldest_at} /> },
                { title: 'Waits for', cell: waitsFor },
                {
                  title: '',
                  cell: ({ provider, model }) =>
                    provider !== null &&
                    model !== null && (
                      <button type="button" class="secondary" onClick={() => setPriced({ provider, model })}>
                        Set a price<span class="hidden"> of {model}</span>
                      </button>
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

function ledgerText({ customer_id, mode }: Pick<Row, 'customer_id' | 'mode'>): string {
  return mode === 'live' ? customer_id : `${customer_id} (test)`
}

function nameOf({ provider, model }: Named): string {
  if (provider === null) return 'no provider'
  return `${provider} ${model ?? '(no model)'}`
}

function waitsFor({ provider, model, waits_for }: Row): string {
  if (waits_for === 'credits') return 'credits of its wallet'
  return provider === null || model === null ? 'nothing: it is never rated' : 'a price'
}

/** A form for the first price of a model. The price applies to all customers. */
function PriceForm({
  of: { provider, model },
  done,
}: {
  readonly of: Named
  readonly done: () => void
}): VNode {
  const first_day = new Date(Date.now() - DAYS_BACK * DAY_MS).toISOString().slice(0, 10)
  const submit = async (fields: Fields, idempotency_key: string) => {
    const body = {
      provider: provider ?? '',
      model: model ?? '',
      prices: pricesOf(fields),
      effective_from: `${fields.from ?? first_day}T00:00:00Z`,
    }
    await call('post', '/v1/admin/provider-costs', { body, idempotency_key })
    done()
  }
  return (
    <Card title={`The price of ${nameOf({ provider, model })}`}>
      <p class="quiet">
        The prices are in USD for a million tokens, and apply to all customers. Leave a unit empty if the
        provider does not charge it separately. The unit then costs as much as the unit that contains it. To
        change a price, set a new one.
      </p>
      <Form label="Set a price" submit="Set the price" onSubmit={submit}>
        {UNITS.map(([unit, label]) => (
          <AmountInput key={unit} label={label} name={unit} required={unit === 'input_tokens'} />
        ))}
        <Input
          label="In force from (UTC)"
          name="from"
          type="date"
          value={first_day}
          min={first_day}
          required
          hint="Events from this day on are rated."
        />
      </Form>
    </Card>
  )
}

const UNITS = [
  ['input_tokens', 'Input tokens'],
  ['output_tokens', 'Output tokens'],
  ['cache_read_tokens', 'Cached input tokens'],
] as const
const A_MILLION = 1_000_000

function pricesOf(fields: Fields) {
  return Object.fromEntries(
    UNITS.flatMap(([unit]) => {
      const amount = fields[unit]
      return amount === undefined ? [] : [[unit, { amount, per: A_MILLION }]]
    }),
  )
}
