import type { VNode } from 'preact'
import { useId, useState } from 'preact/hooks'
import { parseExact } from '../../../widgets/src/exact.ts'
import { type AnswerOf, ApiProblem, call, type RowOf } from '../api/call.ts'
import { isZero } from '../api/decimal.ts'
import { useApi } from '../api/use-api.ts'
import { Action } from '../components/action.tsx'
import { Amount } from '../components/amount.tsx'
import { AmountInput, type Fields, Form, Input, Select } from '../components/form.tsx'
import { ListView, useList } from '../components/list.tsx'
import { Card, Empty, Page, Show } from '../components/page.tsx'
import { plain } from '../components/plain.ts'
import { Table } from '../components/table.tsx'
import { Time } from '../components/time.tsx'
import { may } from '../session.ts'

type BurnTable = RowOf<'/v1/burn-tables'>
type Simulated = AnswerOf<'/v1/rating/simulate', 'post'>

const ROUNDING = ['half_even', 'ceil', 'floor'] as const
const ROUNDING_NAMES = { half_even: 'half-even', ceil: 'up', floor: 'down' } as const
const ON_UNPRICED = ['flag', 'reject', 'ceiling'] as const
const UNPRICED_NAMES = {
  flag: 'recorded, and charged once its price is known',
  reject: 'refused',
  ceiling: "charged as the provider's most expensive model",
} as const
const DAYS = 30
const DAY_MS = 86_400_000

export default function BurnTables(): VNode {
  const active = useApi((signal) => call('get', '/v1/burn-tables/active', { signal }), [])
  const list = useList((cursor, signal) => call('get', '/v1/burn-tables', { query: { cursor }, signal }), [])
  const [edited, setEdited] = useState<BurnTable>()
  const reload = () => {
    setEdited(undefined)
    active.reload()
    list.reload()
  }
  const remove = async (id: string) => {
    await call('delete', '/v1/burn-tables/{id}', { path: { id } })
    reload()
  }
  return (
    <Page title="Burn tables" lead="The rules that convert provider costs or usage to credits.">
      <Card title="In force now">
        <Show from={active}>
          {(table) => (
            <>
              <dl class="pairs">
                <dt>Name</dt>
                <dd>
                  {table.name}, version {table.version}
                </dd>
                <dt>Credits per USD</dt>
                <dd>
                  <Amount value={table.credits_per_usd} />
                </dd>
                <dt>Rounding</dt>
                <dd>
                  {ROUNDING_NAMES[table.rounding.mode]} to <Amount value={table.rounding.step} />, at least{' '}
                  <Amount value={table.min_charge} /> for an event
                </dd>
                <dt>A model without a price</dt>
                <dd>{UNPRICED_NAMES[table.on_unpriced]}</dd>
              </dl>
              <Rules rules={table.rules} />
              {may('pricing:write') && (
                <button type="button" class="secondary" onClick={() => setEdited(table)}>
                  {table.id === null ? 'Create your own table' : 'Change and simulate'}
                </button>
              )}
            </>
          )}
        </Show>
      </Card>
      {edited && <Editor key={`${edited.id} ${edited.version}`} table={edited} done={reload} />}
      <Card title="All tables">
        <ListView
          list={list}
          empty={
            <Empty title="No custom table">
              <p>
                The default of the deployment is in force. Create your own table above, simulate your changes,
                then save it.
              </p>
            </Empty>
          }
        >
          {(rows) => (
            <Table
              caption="Burn tables"
              rows={rows}
              rowKey={({ id, version }) => `${id} ${version}`}
              columns={[
                { title: 'Name', cell: ({ name }) => name },
                { title: 'Version', numeric: true, cell: ({ version }) => version },
                { title: 'Rules', numeric: true, cell: ({ rules }) => rules.length },
                { title: 'In force', cell: ({ active }) => (active ? 'yes' : 'no') },
                {
                  title: 'From',
                  cell: ({ effective_from }) =>
                    effective_from === null ? 'always' : <Time at={effective_from} />,
                },
                {
                  title: '',
                  cell: (table) =>
                    may('pricing:write') &&
                    table.id !== null &&
                    table.deactivated_at === null && (
                      <span class="actions">
                        <button type="button" class="secondary" onClick={() => setEdited(table)}>
                          Change<span class="hidden"> {table.name}</span>
                        </button>
                        <Action
                          label="Deactivate"
                          of={table.name}
                          confirm="Deactivate this table?"
                          run={() => (table.id === null ? Promise.resolve() : remove(table.id))}
                        />
                      </span>
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

function Rules({ rules }: { readonly rules: BurnTable['rules'] }): VNode {
  if (rules.length === 0) return <p class="quiet">This table has no rules.</p>
  return (
    <Table
      caption="Rules"
      rows={rules}
      rowKey={(_, index) => String(index)}
      columns={[
        {
          title: 'For',
          cell: ({ match }) =>
            Object.entries(match ?? {})
              .map(([name, value]) => `${name} ${value}`)
              .join(', ') || 'everything else',
        },
        { title: 'Method', cell: ({ method }) => method },
        {
          title: 'Charges',
          cell: ({ match: _, method: __, ...charges }) => <code>{plain(charges)}</code>,
        },
      ]}
    />
  )
}

/**
 * A form for a new version of a table, or for the customer's first table. Before the version is saved, the form can
 * simulate its charges for past usage.
 */
function Editor({ table, done }: { readonly table: BurnTable; readonly done: () => void }): VNode {
  const [simulated, setSimulated] = useState<Simulated>()
  const rules = useId()
  const submit = async (fields: Fields, key: string) => {
    const draft = draftOf(fields)
    if (fields.act === 'simulate') {
      const to = new Date()
      const from = new Date(to.getTime() - DAYS * DAY_MS)
      setSimulated(undefined)
      const body = { burn_table: draft, from: from.toISOString(), to: to.toISOString() }
      setSimulated(await call('post', '/v1/rating/simulate', { body }))
      return
    }
    if (table.id === null) await call('post', '/v1/burn-tables', { body: draft, idempotency_key: key })
    else await call('patch', '/v1/burn-tables/{id}', { path: { id: table.id }, body: draft })
    done()
  }
  return (
    <Card title={table.id === null ? 'Your own table' : `Change ${table.name}`}>
      <Form
        label="Burn table"
        submit="Save and apply now"
        also={{ act: 'simulate', label: `Simulate on the last ${DAYS} days` }}
        keeps
        onSubmit={submit}
      >
        <Input
          label="Name"
          name="name"
          value={table.id === null ? 'My burn table' : table.name}
          maxLength={255}
          required
        />
        <AmountInput label="Credits per USD" name="credits_per_usd" value={table.credits_per_usd} required />
        <Select
          label="Rounding"
          name="rounding_mode"
          value={table.rounding.mode}
          options={ROUNDING.map((mode) => [mode, ROUNDING_NAMES[mode]] as const)}
        />
        <AmountInput label="Rounded to" name="rounding_step" value={table.rounding.step} required />
        <AmountInput label="Minimum charge per event" name="min_charge" value={table.min_charge} required />
        <Select
          label="Events of a model without a price"
          name="on_unpriced"
          value={table.on_unpriced}
          options={ON_UNPRICED.map((choice) => [choice, UNPRICED_NAMES[choice]] as const)}
        />
        <div class="field wide">
          <label for={rules}>Rules (JSON)</label>
          <textarea id={rules} name="rules" spellcheck={false} rows={12}>
            {JSON.stringify(table.rules, null, 2)}
          </textarea>
        </div>
      </Form>
      {simulated && <Simulation result={simulated} />}
    </Card>
  )
}

function draftOf(fields: Fields) {
  const { name = '', credits_per_usd, rounding_step, min_charge } = fields
  return {
    name,
    credits_per_usd,
    rounding: { mode: ROUNDING.find((mode) => mode === fields.rounding_mode), step: rounding_step },
    min_charge,
    on_unpriced: ON_UNPRICED.find((choice) => choice === fields.on_unpriced),
    rules: rulesOf(fields.rules ?? '[]'),
  }
}

/**
 * Parses the rules of a burn table and keeps the exact digits of numbers. Throws if the text is not JSON. The API
 * validates the rules.
 */
function rulesOf(text: string): [] {
  try {
    return parseExact(text) as []
  } catch (error) {
    throw new ApiProblem(0, { code: 'invalid_json', detail: `The rules are not JSON: ${String(error)}` })
  }
}

function Simulation({ result }: { readonly result: Simulated }): VNode {
  const { events, credits_recorded, credits_simulated, unrated_events } = result
  return (
    <section aria-label="Simulation">
      <h3>Simulated cost of the last {DAYS} days</h3>
      <p>
        <Amount value={events} /> events: <Amount value={credits_recorded} unit="credits" /> were burned,{' '}
        <Amount value={credits_simulated} unit="credits" /> would be burned. The difference is{' '}
        <strong>
          <Amount value={result.difference} unit="credits" signed />
        </strong>
        , worth{' '}
        <strong>
          <Amount value={result.customer_price_difference_usd} unit="USD" signed />
        </strong>
        . The customer price would be <Amount value={result.customer_price_usd} unit="USD" /> instead of{' '}
        <Amount value={result.customer_price_recorded_usd} unit="USD" />. The provider cost is{' '}
        <Amount value={result.provider_cost_usd} unit="USD" />.
      </p>
      {!isZero(unrated_events) && (
        <p class="notice">
          <Amount value={unrated_events} /> events without a price are not included.
        </p>
      )}
      <Difference
        by="Model"
        parts={result.by_model.map(({ provider, model, ...sums }) => ({
          name: model === null ? (provider ?? 'no model') : `${provider} ${model}`,
          sums,
        }))}
        others={result.other_models}
      />
      <Difference
        by="Feature"
        parts={result.by_feature.map(({ feature_id, ...sums }) => ({ name: feature_id, sums }))}
        others={result.other_features}
      />
    </section>
  )
}

type Sums = Omit<Simulated['by_feature'][number], 'feature_id'>

/** A table of simulated costs by model or feature, the most expensive first, with the sum of all others. */
function Difference({
  by,
  parts,
  others,
}: {
  readonly by: string
  readonly parts: readonly { readonly name: string; readonly sums: Sums }[]
  readonly others: Sums | null
}): VNode | null {
  if (parts.length === 0) return null
  const rows = others === null ? parts : [...parts, { name: 'all others', sums: others }]
  return (
    <Table
      caption={`Difference by ${by.toLowerCase()}`}
      rows={rows}
      rowKey={(_, index) => String(index)}
      columns={[
        { title: by, cell: ({ name }) => name },
        { title: 'Events', numeric: true, cell: ({ sums }) => <Amount value={sums.events} /> },
        { title: 'Burned', numeric: true, cell: ({ sums }) => <Amount value={sums.credits_recorded} /> },
        { title: 'Simulated', numeric: true, cell: ({ sums }) => <Amount value={sums.credits_simulated} /> },
        {
          title: 'Difference',
          numeric: true,
          cell: ({ sums }) => <Amount value={sums.difference} signed />,
        },
        {
          title: 'Difference (USD)',
          numeric: true,
          cell: ({ sums }) => <Amount value={sums.customer_price_difference_usd} signed />,
        },
        {
          title: 'Price (USD)',
          numeric: true,
          cell: ({ sums }) => <Amount value={sums.customer_price_usd} />,
        },
        {
          title: 'Margin',
          numeric: true,
          cell: ({ sums: { margin_percent } }) =>
            margin_percent === null ? '–' : <Amount value={margin_percent} unit="%" />,
        },
      ]}
    />
  )
}
