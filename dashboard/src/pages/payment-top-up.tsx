import type { VNode } from 'preact'
import { type AnswerOf, ApiProblem, call } from '../api/call.ts'
import { useApi } from '../api/use-api.ts'
import { Action } from '../components/action.tsx'
import { Amount } from '../components/amount.tsx'
import { AmountInput, type Fields, Form, Input } from '../components/form.tsx'
import { Card, Empty, Figure, Show } from '../components/page.tsx'
import { Time } from '../components/time.tsx'
import { type Owner, ownerOf, WalletPicker } from '../components/wallet.tsx'
import { route } from '../router.ts'
import { may } from '../session.ts'

type Rule = AnswerOf<'/v1/credits/auto-top-up'>

const PAUSES: Readonly<Record<NonNullable<Rule['paused_reason']>, string>> = {
  no_payment_method: 'No card is saved. Pay a checkout of this wallet that saves the card.',
  declined:
    'Three charges in a row were declined. Save another card or set the top-up again to end the pause.',
  monthly_limit: 'The limit of this month is reached. The pause ends when the next month (UTC) begins.',
  daily_limit: 'The limit of this day is reached. The pause ends when the next day (UTC) begins.',
}

/** The automatic top-up of the wallet in the query. */
export function AutoTopUp(): VNode {
  const owner = ownerOf(route.value.query)
  const rule = useApi((signal) => readRule(owner, signal), [owner.user_id, owner.team_id])
  const set = async (fields: Fields) => {
    await call('put', '/v1/credits/auto-top-up', { query: owner, body: draftOf(fields) })
    rule.reload()
  }
  const remove = async () => {
    await call('delete', '/v1/credits/auto-top-up', { query: owner })
    rule.reload()
  }
  return (
    <>
      <WalletPicker />
      <Card
        title="Automatic top-up of the wallet"
        actions={
          <button type="button" class="secondary" onClick={rule.reload} disabled={rule.is_loading}>
            Refresh
          </button>
        }
      >
        <Show from={rule}>
          {(data) => (
            <>
              {data === null ? (
                <Empty title="No automatic top-up">
                  <p>Set one below: when the wallet runs low, its saved card pays for more credits.</p>
                </Empty>
              ) : (
                <State rule={data} />
              )}
              {may('credits:write') && (
                <>
                  <Form
                    key={JSON.stringify([owner, data?.wallet_id])}
                    label="Set the automatic top-up"
                    submit="Set"
                    keeps
                    onSubmit={set}
                  >
                    <RuleFields rule={data} />
                  </Form>
                  {data !== null && (
                    <Action
                      label="Delete"
                      of="the automatic top-up"
                      confirm="Delete the automatic top-up? A charge in progress continues."
                      run={remove}
                    />
                  )}
                </>
              )}
            </>
          )}
        </Show>
      </Card>
    </>
  )
}

/** Returns the top-up rule of a wallet; null if the wallet has no rule. */
async function readRule(query: Owner, signal: AbortSignal): Promise<Rule | null> {
  try {
    return await call('get', '/v1/credits/auto-top-up', { query, signal })
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 404) return null
    throw error
  }
}

function State({ rule }: { readonly rule: Rule }): VNode {
  const { enabled, paused_reason, last_attempt: last } = rule
  return (
    <>
      {paused_reason !== null && <p class="notice">{PAUSES[paused_reason]}</p>}
      <div class="cards">
        <Figure name="State" note={last && <LastAttempt last={last} />}>
          {stateOf(enabled, paused_reason)}
        </Figure>
        <Figure
          name="Spent this month"
          note={
            <>
              of at most <Amount value={rule.max_usd_per_month} unit="USD" />
            </>
          }
        >
          <Amount value={rule.spent_usd_this_month} unit="USD" />
        </Figure>
      </div>
    </>
  )
}

function stateOf(enabled: boolean, paused: Rule['paused_reason']): string {
  if (!enabled) return 'disabled'
  return paused === null ? 'active' : 'paused'
}

function LastAttempt({ last }: { readonly last: NonNullable<Rule['last_attempt']> }): VNode {
  return (
    <>
      last charge <Time at={last.at} />: {last.status.replace('_', ' ')}
      {last.failure && (
        <>
          . {last.failure.message} <code>{last.failure.code}</code>
        </>
      )}
    </>
  )
}

function RuleFields({ rule }: { readonly rule: Rule | null }): VNode {
  return (
    <>
      <AmountInput
        label="When fewer credits are available than"
        name="below"
        value={rule?.below ?? ''}
        required
      />
      <AmountInput label="Credits to add" name="credits" value={rule?.credits ?? ''} required />
      <AmountInput label="Price (USD)" name="price_usd" value={rule?.price_usd ?? ''} required />
      <AmountInput
        label="Maximum amount in a month (USD)"
        name="max_usd_per_month"
        value={rule?.max_usd_per_month ?? ''}
        required
      />
      <Input
        label="Maximum number of charges in a day"
        name="max_per_day"
        type="number"
        min={1}
        max={1_000}
        value={rule?.max_per_day ?? ''}
        hint="Leave empty for no limit"
      />
      <label class="choice">
        <input type="checkbox" name="enabled" defaultChecked={rule?.enabled ?? true} /> enabled
      </label>
    </>
  )
}

function draftOf(fields: Fields) {
  const { below = '', credits = '', price_usd = '', max_usd_per_month = '', max_per_day, enabled } = fields
  return {
    ...{ below, credits, price_usd, max_usd_per_month, enabled: enabled !== undefined },
    ...(max_per_day !== undefined && { max_per_day: Number(max_per_day) }),
  }
}
