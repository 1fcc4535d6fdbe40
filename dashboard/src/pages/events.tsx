import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { type AnswerOf, call, download, type RowOf } from '../api/call.ts'
import { save } from '../api/csv.ts'
import { useApi, usePolling } from '../api/use-api.ts'
import { Action } from '../components/action.tsx'
import { Amount } from '../components/amount.tsx'
import { Code, firstEvent } from '../components/code.tsx'
import { Input, Select } from '../components/form.tsx'
import { ListView, useList } from '../components/list.tsx'
import { Card, Empty, Page, Show } from '../components/page.tsx'
import { plain } from '../components/plain.ts'
import { QueryInputs, queryValues } from '../components/query-inputs.tsx'
import { Table } from '../components/table.tsx'
import { Time } from '../components/time.tsx'
import { href, route, setQuery } from '../router.ts'
import { may, shownKey } from '../session.ts'

type EventRow = RowOf<'/v1/events'>
type Explanation = AnswerOf<'/v1/events/{id}/explain'>

const FILTERS = [
  ['feature_id', 'Feature'],
  ['user_id', 'User'],
  ['team_id', 'Team'],
  ['provider', 'Provider'],
  ['model', 'Model'],
  ['key_id', 'API key'],
] as const

export default function Events(): VNode {
  const { query } = route.value
  const explained = query.get('event')
  return explained === null ? <AllEvents /> : <OneEvent id={explained} />
}

function AllEvents(): VNode {
  const { query } = route.value
  const [is_live, setLive] = useState(true)
  const filters = {
    ...queryValues(FILTERS),
    ...(query.get('unrated') === 'true' && { unrated: 'true' as const }),
  }
  const list = useList(
    (cursor, signal) => call('get', '/v1/events', { query: { ...filters, cursor }, signal }),
    [query.toString()],
  )
  // A reload shows only the first page, so the live view stops when further pages are shown.
  const is_first_page = (list.rows?.length ?? 0) <= PAGE
  const newest = list.rows?.[0]?.id
  // Requests only the newest event. An event without a price can get a price later, so a list with an unrated event is
  // always outdated.
  const isOutdated = async () => {
    if (list.rows?.some(({ unrated }) => unrated)) return true
    const { data } = await call('get', '/v1/events', { query: { ...filters, limit: 1 } })
    // A response without rows means that no recent event matches. Older events in the list can still match.
    return data.length > 0 && data[0]?.id !== newest
  }
  usePolling(async () => {
    if (!is_live || !is_first_page || list.is_loading) return
    // Reloads the list after a failed request, so that the list shows the problem.
    if (await isOutdated().catch(() => true)) list.reload()
  }, newest)
  const export_ = async () =>
    save('events.csv', await download('/v1/events', 'text/csv', { query: { ...filters, limit: 100 } }))
  return (
    <Page
      title="Events"
      lead="Each charge as it happens, and how it was calculated."
      actions={
        <>
          <button type="button" class="secondary" aria-pressed={is_live} onClick={() => setLive(!is_live)}>
            {is_live ? 'Live: on' : 'Live: off'}
          </button>
          <Action label="Download CSV" run={export_} />
        </>
      }
    >
      <Card title="Find an event">
        <div class="fields filters">
          <Input
            label="Event id"
            name="event"
            placeholder="evt_…"
            onValue={(value) => value !== '' && setQuery({ event: value.trim() })}
          />
          <QueryInputs fields={FILTERS} />
          <Select
            label="Rated"
            name="unrated"
            value={query.get('unrated') ?? ''}
            options={[
              ['', 'all events'],
              ['true', 'without a price'],
            ]}
            onValue={(value) => setQuery({ unrated: value })}
          />
        </div>
      </Card>
      <Card title="Events, newest first">
        <ListView
          list={list}
          empty={
            <Empty title="No events">
              <p>No event matches these filters. This command sends an event:</p>
              <Code label="The command that sends an event" text={firstEvent(shownKey())} />
            </Empty>
          }
        >
          {(rows) => <EventTable rows={rows} />}
        </ListView>
      </Card>
    </Page>
  )
}

const PAGE = 50

function EventTable({ rows }: { readonly rows: readonly EventRow[] }): VNode {
  return (
    <Table
      caption="Events"
      rows={rows}
      rowKey={({ id }) => id}
      columns={[
        { title: 'Time', cell: ({ timestamp }) => <Time at={timestamp} /> },
        { title: 'Feature', cell: ({ feature_id }) => feature_id },
        { title: 'Model', cell: ({ provider, model }) => (model === null ? '–' : `${provider} ${model}`) },
        { title: 'User or team', cell: ({ user_id, team_id }) => user_id ?? team_id ?? '–' },
        {
          title: 'Credits',
          numeric: true,
          cell: ({ credits_burned, unrated }) => (
            <>
              <Amount value={credits_burned} />
              {unrated && <span class="badge danger">no price</span>}
            </>
          ),
        },
        {
          title: 'Provider cost (USD)',
          numeric: true,
          cell: ({ provider_cost_usd }) => <Amount value={provider_cost_usd} />,
        },
        {
          title: 'Balance after',
          numeric: true,
          cell: ({ balance_after }) => <Amount value={balance_after} />,
        },
        {
          title: '',
          cell: ({ id }) => (
            <a href={href('/events', { event: id })}>
              Explain<span class="hidden"> {id}</span>
            </a>
          ),
        },
      ]}
    />
  )
}

function OneEvent({ id }: { readonly id: string }): VNode {
  const event = useApi((signal) => call('get', '/v1/events/{id}', { path: { id }, signal }), [id])
  const explanation = useApi(
    (signal) => call('get', '/v1/events/{id}/explain', { path: { id }, signal }),
    [id],
  )
  const giveBack = async () => {
    await call('post', '/v1/events/{id}/void', { path: { id }, idempotency_key: `void-${id}` })
    event.reload()
    explanation.reload()
  }
  return (
    <Page
      title="Event"
      lead="How this charge was calculated."
      actions={<a href={href('/events')}>All events</a>}
    >
      <Show from={event}>{(data) => <Facts event={data} />}</Show>
      <Show from={explanation}>
        {(data) => (
          <>
            <Explained explanation={data} />
            {may('credits:write') && data.status !== 'voided' && (
              <Action
                label="Void this event"
                confirm="Void this event and return its credits to the same lots?"
                run={giveBack}
              />
            )}
          </>
        )}
      </Show>
    </Page>
  )
}

function Facts({ event }: { readonly event: EventRow }): VNode {
  const metadata = Object.entries(event.metadata)
  return (
    <Card title={event.id}>
      <dl class="pairs">
        <dt>Time</dt>
        <dd>
          <Time at={event.timestamp} />
        </dd>
        <dt>Feature</dt>
        <dd>{event.feature_id}</dd>
        <dt>Model</dt>
        <dd>{event.model === null ? '–' : `${event.provider} ${event.model}`}</dd>
        <dt>User</dt>
        <dd>{event.user_id ?? '–'}</dd>
        <dt>Team</dt>
        <dd>{event.team_id ?? '–'}</dd>
        <dt>API key</dt>
        <dd>{event.key_id ?? '–'}</dd>
        <dt>Burned</dt>
        <dd>
          <Amount value={event.credits_burned} unit="credits" />
        </dd>
        <dt>Balance after</dt>
        <dd>
          <Amount value={event.balance_after} unit="credits" />
        </dd>
        {event.warnings?.map((warning) => (
          <>
            <dt>Warning</dt>
            <dd>{warning}</dd>
          </>
        ))}
        {metadata.map(([name, value]) => (
          <>
            <dt>{name}</dt>
            <dd>{typeof value === 'string' ? value : plain(value)}</dd>
          </>
        ))}
      </dl>
    </Card>
  )
}

function Explained({ explanation }: { readonly explanation: Explanation }): VNode {
  const { price, units, burn_table, rounding, lots, status, provider_cost_usd, credits_burned } = explanation
  return (
    <>
      <Card title="1. Usage times price is the provider's cost">
        <Table
          caption="Units and prices"
          rows={units}
          rowKey={(_, index) => String(index)}
          columns={[
            { title: 'Unit', cell: ({ unit, model }) => (model === undefined ? unit : `${unit} (${model})`) },
            { title: 'Read from', cell: ({ read_from }) => read_from },
            { title: 'Quantity', numeric: true, cell: ({ quantity }) => <Amount value={quantity} /> },
            {
              title: 'Price (USD)',
              numeric: true,
              cell: ({ price_usd, price_fraction }) =>
                price_usd === null ? 'none' : (price_fraction ?? <Amount value={price_usd} />),
            },
            {
              title: 'Cost (USD)',
              numeric: true,
              cell: ({ cost_usd }) => (cost_usd === null ? '–' : <Amount value={cost_usd} />),
            },
          ]}
        />
        <p>
          Together <Amount value={provider_cost_usd} unit="USD" />, rounded half-even to{' '}
          <Amount value={rounding.provider_cost_usd.step} unit="USD" />.
        </p>
        <dl class="pairs">
          <dt>Price rule</dt>
          <dd>
            {price.rule === null
              ? 'No price was known.'
              : `${price.rule.provider} ${price.rule.model}, matched by ${price.rule.matched_by}`}
          </dd>
          <dt>Source</dt>
          <dd>
            {price.source ?? 'none'}
            {price.published_by !== undefined && `, published by ${price.published_by}`}, version{' '}
            {price.price_version}
          </dd>
          <dt>In force since</dt>
          <dd>
            {price.effective_from === null ? (
              'the first prices of the list'
            ) : (
              <Time at={price.effective_from} />
            )}
          </dd>
          <dt>Context tier</dt>
          <dd>
            {price.tier === null ? (
              'none'
            ) : (
              <>
                {price.tier.inclusive ? 'from' : 'above'} <Amount value={price.tier.input_tokens} /> input
                tokens
              </>
            )}
          </dd>
          {price.modifiers.map(({ by, name, factor }) => (
            <>
              <dt>{by}</dt>
              <dd>
                {name}
                {factor !== undefined && <> × {factor}</>}
              </dd>
            </>
          ))}
          {price.note !== undefined && (
            <>
              <dt>Note</dt>
              <dd>{price.note}</dd>
            </>
          )}
        </dl>
      </Card>
      <Card title="2. The burn table turns cost into credits">
        {burn_table === null ? (
          <p>No burn table was applied: the event has no price yet.</p>
        ) : (
          <dl class="pairs">
            <dt>Burn table</dt>
            <dd>
              version {burn_table.version}
              {burn_table.id === null ? ', the default of this deployment' : `, ${burn_table.id}`}
            </dd>
            <dt>Rule</dt>
            <dd>
              <code>{plain(burn_table.rule)}</code>
            </dd>
            <dt>Credits per USD</dt>
            <dd>
              <Amount value={burn_table.credits_per_usd} />
            </dd>
            <dt>Exact credits</dt>
            <dd>{burn_table.exact_credits ?? '–'}</dd>
            {rounding.credits && (
              <>
                <dt>Rounding</dt>
                <dd>
                  {rounding.credits.mode} to <Amount value={rounding.credits.step} />, at least{' '}
                  <Amount value={burn_table.min_charge} />
                </dd>
              </>
            )}
            {burn_table.note !== undefined && (
              <>
                <dt>Note</dt>
                <dd>{burn_table.note}</dd>
              </>
            )}
          </dl>
        )}
        <p>
          <strong>
            <Amount value={credits_burned} unit="credits" />
          </strong>{' '}
          burned{status === 'rated' ? '' : `, ${status.replaceAll('_', ' ')}`}
          {explanation.credits_given_back !== '0' && (
            <>
              ; <Amount value={explanation.credits_given_back} /> given back
            </>
          )}
          .
        </p>
      </Card>
      <Card title="3. The credits were taken from these lots">
        {lots.length === 0 ? (
          <p class="quiet">No credits were taken.</p>
        ) : (
          <Table
            caption="Lots"
            rows={lots}
            rowKey={({ lot_id }, index) => lot_id ?? String(index)}
            columns={[
              { title: 'Lot', cell: ({ lot_id }) => lot_id ?? 'overdraft' },
              { title: 'Credits', numeric: true, cell: ({ amount }) => <Amount value={amount} /> },
            ]}
          />
        )}
      </Card>
    </>
  )
}
