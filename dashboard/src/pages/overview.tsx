import type { VNode } from 'preact'
import { useEffect } from 'preact/hooks'
import { type AnswerOf, call, type RowOf } from '../api/call.ts'
import { compare, type Decimal, decimal, isZero, ZERO } from '../api/decimal.ts'
import { useApi, usePolling } from '../api/use-api.ts'
import { Amount } from '../components/amount.tsx'
import { Chart } from '../components/chart.tsx'
import { Code, firstEvent } from '../components/code.tsx'
import { Card, Empty, Figure, Page, Show } from '../components/page.tsx'
import { Table } from '../components/table.tsx'
import { dayText, Time } from '../components/time.tsx'
import { href } from '../router.ts'
import { shownKey } from '../session.ts'

const DAYS = 30
const DAY_MS = 86_400_000
const LATEST = 20
/** The wait before analytics are read again, in milliseconds, if they do not include the latest event yet. */
const LAG_MS = 2_000

/**
 * The first page of a customer. The balance and the latest events are current. The usage by day and model and the
 * forecast include an event some seconds later.
 */
export default function Overview(): VNode {
  const balance = useApi((signal) => call('get', '/v1/credits/balance', { signal }), [])
  const now = balance.data?.balance
  const events = useApi((signal) => call('get', '/v1/events', { query: { limit: LATEST }, signal }), [now])
  const newest = events.data?.data[0]?.id
  const usage = useApi((signal) => readUsage(signal), [newest])
  const forecast = useApi((signal) => call('get', '/v1/analytics/burn-rate', { signal }), [now])
  usePolling(() => !balance.is_loading && balance.reload(), now)
  // Analytics include a burn only some seconds later. Therefore, the page reads them again until they include the
  // latest event.
  const is_behind = usage.data !== undefined && isBehind(usage.data, events.data?.data[0])
  useEffect(() => {
    const timer = is_behind ? window.setTimeout(usage.reload, LAG_MS) : undefined
    return () => window.clearTimeout(timer)
  }, [is_behind, usage.data])
  return (
    <Page title="Overview" lead="The remaining credits, how long they last, and the models that burn them.">
      <div class="cards">
        <Figure name="Balance" note={<BalanceNote from={balance.data} />}>
          <Show from={balance}>{(data) => <Amount value={data.balance} unit="credits" />}</Show>
        </Figure>
        <Figure name="Burned today" note="Since 00:00 UTC">
          <Show from={usage}>
            {({ days }) => <Amount value={days.at(-1)?.credits ?? ZERO} unit="credits" />}
          </Show>
        </Figure>
        <Figure name="Lasts" note={forecast.data?.assumption}>
          <Show from={forecast}>{(data) => <Runway forecast={data} />}</Show>
        </Figure>
      </div>
      <Show from={forecast}>
        {({ recommendations }) =>
          recommendations.map(({ message, type }) => (
            <p key={message} class="notice">
              <strong>{type}</strong>: {message}
            </p>
          ))
        }
      </Show>
      <Card title="Latest events" actions={<a href={href('/events')}>All events</a>}>
        <Show from={events}>{({ data }) => <Latest events={data} />}</Show>
      </Card>
      <Card title={`Credits burned by day, ${DAYS} days`} actions={<a href={href('/usage')}>Explore</a>}>
        <Show from={usage}>
          {({ days }) => (
            <Chart
              title="Credits burned by day"
              axis="Day (UTC)"
              unit="credits"
              labels={days.map(({ day }) => dayText(day))}
              series={[{ name: 'Credits', values: days.map(({ credits }) => credits) }]}
            />
          )}
        </Show>
      </Card>
      <Card title={`Top models, ${DAYS} days`}>
        <Show from={usage}>{({ models }) => <TopModels models={models} />}</Show>
      </Card>
    </Page>
  )
}

type Balance = AnswerOf<'/v1/credits/balance'>
type UsageRow = RowOf<'/v1/analytics/usage'>
type EventRow = RowOf<'/v1/events'>

interface Usage {
  readonly days: readonly { readonly day: string; readonly credits: Decimal }[]
  readonly models: readonly UsageRow[]
  readonly as_of: string
}

/** Reads the usage by day and by model. The API omits days without usage; this function adds them with 0 credits. */
async function readUsage(signal: AbortSignal): Promise<Usage> {
  const today_ms = Math.floor(Date.now() / DAY_MS) * DAY_MS
  const from = new Date(today_ms - (DAYS - 1) * DAY_MS).toISOString()
  const [by_day, by_model] = await Promise.all([
    call('get', '/v1/analytics/usage', { query: { from, group_by: 'day' }, signal }),
    call('get', '/v1/analytics/usage', { query: { from, group_by: 'provider,model' }, signal }),
  ])
  const credits = new Map(by_day.data.map(({ group, credits }) => [group.day, credits]))
  const days = Array.from({ length: DAYS }, (_, index) => {
    const day = new Date(today_ms - (DAYS - 1 - index) * DAY_MS).toISOString()
    return { day, credits: credits.get(day) ?? ZERO }
  })
  const models = by_model.data.toSorted((a, b) => compare(b.credits, a.credits))
  return { days, models, as_of: by_day.as_of }
}

function isBehind({ as_of }: Usage, newest: EventRow | undefined): boolean {
  return newest !== undefined && newest.created_at >= as_of
}

function BalanceNote({ from }: { readonly from: Balance | undefined }): VNode | null {
  if (!from) return null
  const { available_balance, reserved_balance, expiring_next } = from
  return (
    <>
      <Amount value={available_balance} /> available, <Amount value={reserved_balance} /> reserved
      {expiring_next && (
        <>
          ; <Amount value={expiring_next.amount} /> expire on <Time at={expiring_next.at} />
        </>
      )}
    </>
  )
}

function Runway({
  forecast: { days_remaining, run_out_date, trend },
}: {
  readonly forecast: AnswerOf<'/v1/analytics/burn-rate'>
}): VNode {
  if (days_remaining === null || run_out_date === null)
    return <span class="unit">More than 100 years at the rate of the last 7 days</span>
  return (
    <>
      <Amount value={days_remaining} />{' '}
      <span class="unit">
        days, until {dayText(run_out_date)}, {trend}
      </span>
    </>
  )
}

function Latest({ events }: { readonly events: readonly EventRow[] }): VNode {
  if (events.length === 0) {
    return (
      <Empty title="No events yet">
        <p>Send the first event. This page shows it within seconds.</p>
        <Code label="The command that sends the first event" text={firstEvent(shownKey())} />
      </Empty>
    )
  }
  const oldest_first = events.toReversed()
  return (
    <>
      <p class="quiet">The credits of the {oldest_first.length} latest events, the newest on the right.</p>
      <Chart
        title="Credits of the latest events"
        axis="Event"
        unit="credits"
        labels={oldest_first.map((_, index) => String(index + 1))}
        series={[{ name: 'Credits', values: oldest_first.map(({ credits_burned }) => credits_burned) }]}
      />
      <Table
        caption="The latest events"
        rows={events.slice(0, 5)}
        rowKey={({ id }) => id}
        columns={[
          { title: 'Time', cell: ({ timestamp }) => <Time at={timestamp} /> },
          { title: 'Feature', cell: ({ feature_id }) => feature_id },
          { title: 'Model', cell: ({ model }) => model ?? '–' },
          { title: 'User', cell: ({ user_id }) => user_id ?? '–' },
          {
            title: 'Credits',
            numeric: true,
            cell: ({ credits_burned }) => <Amount value={credits_burned} />,
          },
          { title: '', cell: ({ id }) => <a href={href('/events', { event: id })}>Explain</a> },
        ]}
      />
    </>
  )
}

const TOP = 5

function TopModels({ models }: { readonly models: readonly UsageRow[] }): VNode {
  const shown = models.filter(({ credits }) => !isZero(credits)).slice(0, TOP)
  if (shown.length === 0) return <p class="quiet">No credits were burned in this period.</p>
  return (
    <Table
      caption="The models that burned the most credits"
      rows={shown}
      rowKey={({ group }) => `${group.provider}\n${group.model}`}
      columns={[
        { title: 'Model', cell: ({ group }) => group.model ?? 'no model' },
        { title: 'Provider', cell: ({ group }) => group.provider ?? '–' },
        { title: 'Events', numeric: true, cell: ({ events }) => <Amount value={events} /> },
        { title: 'Credits', numeric: true, cell: ({ credits }) => <Amount value={credits} /> },
        {
          title: 'Provider cost (USD)',
          numeric: true,
          cell: ({ provider_cost_usd }) => <Amount value={provider_cost_usd ?? decimal('0')} />,
        },
      ]}
    />
  )
}
