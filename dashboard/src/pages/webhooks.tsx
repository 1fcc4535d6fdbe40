import type { VNode } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { call, type RowOf } from '../api/call.ts'
import { Action } from '../components/action.tsx'
import { Code } from '../components/code.tsx'
import { type Fields, Form, Input, Select } from '../components/form.tsx'
import { type List, ListView, useList } from '../components/list.tsx'
import { Card, Empty, Page } from '../components/page.tsx'
import { Table } from '../components/table.tsx'
import { Time } from '../components/time.tsx'
import { may } from '../session.ts'
import { type DeliveryFilter, DeliveryLog, useDeliveries } from './webhook-deliveries.tsx'

type Endpoint = RowOf<'/v1/webhook-endpoints'>

/** The subscriptions that the form offers, each with its label. `*` includes all types. */
const SUBSCRIPTIONS = [
  ['*', 'everything'],
  ['credits.*', 'credits'],
  ['limit.*', 'limits'],
  ['spend.*', 'spending alerts'],
  ['runway.*', 'runway alerts'],
  ['top_up.*', 'automatic top-ups'],
  ['payment.*', 'payments'],
  ['event.*', 'unrated events'],
  ['hold.*', 'holds'],
  ['api_key.*', 'API keys'],
  ['customer.*', 'the account'],
  ['ledger.*', 'checkpoints of the ledger'],
  ['webhook_endpoint.*', 'endpoints'],
] as const

const OVERLAP_SECONDS = 86_400
const DAY_MS = 86_400_000
const MAX_REPLAY_DAYS = 30

export default function Webhooks(): VNode {
  const list = useList(
    (cursor, signal) => call('get', '/v1/webhook-endpoints', { query: { cursor }, signal }),
    [],
  )
  const [filter, setFilter] = useState<DeliveryFilter>({})
  const deliveries = useDeliveries(filter)
  const [shown, setShown] = useState<{ readonly url: string; readonly secret: string }>()
  const create = async (fields: Fields, idempotency_key: string) => {
    const { url = '', description } = fields
    const types = SUBSCRIPTIONS.map(([type]) => type).filter((type) => fields[`type ${type}`] !== undefined)
    const body = { url, types, ...(description !== undefined && { description }) }
    setShown(await call('post', '/v1/webhook-endpoints', { body, idempotency_key }))
    list.reload()
  }
  return (
    <Page
      title="Webhooks"
      lead="Send notifications to your servers, see each attempt, and repeat missed notifications."
    >
      {shown && (
        <Card title="The signing secret">
          <p>
            Copy it now. It is shown only once. Your server at {shown.url} verifies the signature of each
            message with it.
          </p>
          <Code label="The signing secret" text={shown.secret} />
        </Card>
      )}
      <Card title="Endpoints">
        <ListView
          list={list}
          empty={
            <Empty title="No endpoint yet">
              <p>
                Add the https URL of your server below, then send it a test message. Messages are signed
                according to Standard Webhooks.
              </p>
            </Empty>
          }
        >
          {(rows) => <Endpoints rows={rows} list={list} deliveries={deliveries} show={setShown} />}
        </ListView>
      </Card>
      {may('webhooks:write') && (
        <Card title="Add an endpoint">
          <Form label="Add an endpoint" submit="Add" onSubmit={create}>
            <Input label="URL" name="url" maxLength={2_048} placeholder="https://" required />
            <Input label="Description" name="description" maxLength={500} />
            <fieldset class="wide">
              <legend>Notifications</legend>
              {SUBSCRIPTIONS.map(([type, text]) => (
                <label key={type} class="choice">
                  <input type="checkbox" name={`type ${type}`} defaultChecked={type === '*'} /> {text}
                </label>
              ))}
            </fieldset>
          </Form>
        </Card>
      )}
      <DeliveryLog
        list={deliveries}
        endpoints={list.rows ?? []}
        filter={filter}
        onFilter={(change) => setFilter((old) => ({ ...old, ...change }))}
      />
      {may('webhooks:write') && list.rows !== undefined && list.rows.length > 0 && (
        <Replay endpoints={list.rows} done={deliveries.reload} />
      )}
    </Page>
  )
}

interface EndpointsProps {
  readonly rows: readonly Endpoint[]
  readonly list: List<Endpoint>
  readonly deliveries: { readonly reload: () => void }
  readonly show: (secret: { readonly url: string; readonly secret: string }) => void
}

function Endpoints({ rows, list, deliveries, show }: EndpointsProps): VNode {
  const [tested, setTested] = useState('')
  const enable = async (id: string, enabled: boolean) => {
    await call('patch', '/v1/webhook-endpoints/{id}', { path: { id }, body: { enabled } })
    list.reload()
  }
  const remove = async (id: string) => {
    await call('delete', '/v1/webhook-endpoints/{id}', { path: { id } })
    list.reload()
    deliveries.reload()
  }
  const rotate = async (id: string) => {
    const body = { overlap_seconds: OVERLAP_SECONDS }
    show(await call('post', '/v1/webhook-endpoints/{id}/rotate-secret', { path: { id }, body }))
    list.reload()
  }
  const test = async (id: string, url: string) => {
    const { status, attempts } = await call('post', '/v1/webhook-endpoints/{id}/test', { path: { id } })
    const last = attempts.at(-1)
    setTested(`The test message to ${url} ${status}: ${last?.status_code ?? last?.error ?? 'no attempt'}.`)
    deliveries.reload()
  }
  return (
    <>
      <Table
        caption="Endpoints"
        rows={rows}
        rowKey={({ id }) => id}
        columns={[
          {
            title: 'URL',
            cell: ({ url, description }) => (
              <>
                <code>{url}</code>
                {description !== null && <div class="quiet">{description}</div>}
              </>
            ),
          },
          { title: 'Notifications', cell: ({ types }) => types.join(', ') },
          { title: 'State', cell: (endpoint) => <State endpoint={endpoint} /> },
          {
            title: '',
            cell: ({ id, url, enabled }) =>
              may('webhooks:write') && (
                <span class="actions">
                  <Action label="Test" of={url} run={() => test(id, url)} />
                  <Action label={enabled ? 'Disable' : 'Enable'} of={url} run={() => enable(id, !enabled)} />
                  <Action
                    label="Rotate secret"
                    of={url}
                    confirm="Rotate the secret? For one more day, messages are also signed with the old secret."
                    run={() => rotate(id)}
                  />
                  <Action label="Delete" of={url} confirm="Delete this endpoint?" run={() => remove(id)} />
                </span>
              ),
          },
        ]}
      />
      <p role="status">{tested}</p>
    </>
  )
}

function State({ endpoint }: { readonly endpoint: Endpoint }): VNode {
  const { enabled, disabled_reason, failing_since, previous_secret_expires_at } = endpoint
  return (
    <>
      <span>{enabled ? 'enabled' : 'disabled'}</span>
      {disabled_reason === 'gone' && <div class="quiet">the receiver responded with 410 Gone</div>}
      {disabled_reason === 'failing' && <div class="quiet">every attempt of five days failed</div>}
      {failing_since !== null && (
        <div class="quiet">
          failing since <Time at={failing_since} />
        </div>
      )}
      {previous_secret_expires_at !== null && (
        <div class="quiet">
          messages are also signed with the old secret until <Time at={previous_secret_expires_at} />
        </div>
      )}
    </>
  )
}

/**
 * A form that sends the notifications of a range of days again. It shows the progress before each call, and stops when
 * the page is closed.
 */
function Replay({
  endpoints,
  done,
}: {
  readonly endpoints: readonly Endpoint[]
  readonly done: () => void
}): VNode {
  const [progress, setProgress] = useState('')
  const is_open = useRef(true)
  useEffect(
    () => () => {
      is_open.current = false
    },
    [],
  )
  const replay = async ({ endpoint: id = '', from: day = '', only_failed }: Fields, key: string) => {
    // All calls have the same end, so notifications that arrive during the replay are not repeated.
    const to = new Date().toISOString()
    const first = new Date(Math.max(Date.parse(day), Date.now() - MAX_REPLAY_DAYS * DAY_MS + 60_000))
    let total = 0
    for (let from: string | null = first.toISOString(); from !== null && is_open.current; ) {
      setProgress(`Deliveries so far: ${total}. Continues from ${from}…`)
      const body = { from, to, only_failed: only_failed !== undefined }
      const idempotency_key = `${key}-${Date.parse(from)}`
      const answer: { readonly deliveries: string; readonly next_from: string | null } = await call(
        'post',
        '/v1/webhook-endpoints/{id}/replay',
        { path: { id }, body, idempotency_key },
      )
      total += Number(answer.deliveries)
      from = answer.next_from
    }
    setProgress(`Repeated deliveries: ${total}.`)
    done()
  }
  return (
    <Card title="Replay">
      <Form label="Replay" submit="Send again" keeps onSubmit={replay}>
        <Select
          label="To"
          name="endpoint"
          options={endpoints.filter(({ enabled }) => enabled).map(({ id, url }) => [id, url] as const)}
        />
        <Input
          label="Notifications since"
          name="from"
          type="date"
          value={new Date(Date.now() - DAY_MS).toISOString().slice(0, 10)}
          hint="A day in UTC, at most 30 days back."
          required
        />
        <label class="choice">
          <input type="checkbox" name="only_failed" defaultChecked /> only undelivered notifications
        </label>
      </Form>
      <p role="status">{progress}</p>
    </Card>
  )
}
