import type { VNode } from 'preact'
import { call, type RowOf } from '../api/call.ts'
import { isZero } from '../api/decimal.ts'
import { usePolling } from '../api/use-api.ts'
import { Amount } from '../components/amount.tsx'
import { type List, ListView, useList } from '../components/list.tsx'
import { Card, Empty, Page } from '../components/page.tsx'
import { Table } from '../components/table.tsx'
import { Time } from '../components/time.tsx'
import { walletName } from '../components/wallet.tsx'
import { href, route } from '../router.ts'
import { may, session } from '../session.ts'
import { isWebAddress, NewCheckout } from './payment-checkout.tsx'
import { CreditPacks } from './payment-packs.tsx'
import { AutoTopUp } from './payment-top-up.tsx'

type Payment = RowOf<'/v1/payments'>

const STATUSES: Readonly<Record<Payment['status'], string>> = {
  pending: 'pending',
  succeeded: 'succeeded',
  failed: 'failed',
  action_required: 'needs confirmation by the card owner',
  refunded: 'refunded',
  disputed: 'disputed',
}

/** The number of packs that one request loads, which is the API's maximum. A checkout offers only the loaded packs. */
const MAX_PACKS = 100

export default function Payments(): VNode {
  const packs = useList(
    (cursor, signal) =>
      call('get', '/v1/credit-packs', {
        query: { limit: MAX_PACKS, cursor },
        signal,
      }),
    [],
  )
  const payments = useList((cursor, signal) => call('get', '/v1/payments', { query: { cursor }, signal }), [])
  const returned = route.value.query.get('checkout')
  const rows = payments.rows ?? []
  const is_awaited = returned === 'paid' && rows.some(({ status }) => status === 'pending')
  usePolling(
    () => is_awaited && !payments.is_loading && payments.reload(),
    rows.map(({ status }) => status).join(),
  )
  const is_configured = [packs, payments].every(
    ({ problem }) => problem === undefined || problem.code !== 'payments_not_configured',
  )
  return (
    <Page
      title="Payments"
      lead="Sell credits through Stripe: packs, checkouts, payments and automatic top-ups."
    >
      {is_configured ? (
        <>
          <Returned from={returned} />
          <CreditPacks list={packs} />
          {may('credits:write') && <NewCheckout packs={packs.rows ?? []} />}
          <PaymentList list={payments} />
          <AutoTopUp />
        </>
      ) : (
        <NotConfigured />
      )}
    </Page>
  )
}

function NotConfigured(): VNode {
  const current = session.value
  const prefix = current?.kind === 'customer' && current.mode === 'test' ? 'STRIPE_TEST' : 'STRIPE'
  return (
    <Card title="Payments are not set up">
      <p>
        Credits cannot be sold here yet, because this deployment has no Stripe account for the mode of your
        key. The operator stores the secrets <code>{prefix}_SECRET_KEY</code> and{' '}
        <code>{prefix}_WEBHOOK_SECRET</code>; then reload this page.
      </p>
      <p>
        Until then, record payments that were made elsewhere under <a href={href('/credits')}>Credits</a>.
      </p>
    </Card>
  )
}

/**
 * The notice after the browser returns from Stripe. The return does not prove a payment, so the notice does not confirm
 * one.
 */
function Returned({ from }: { readonly from: string | null }): VNode | null {
  if (from === 'paid') {
    return (
      <p class="notice" role="status">
        Stripe has sent you back. The payment below is credited as soon as Stripe confirms it.
      </p>
    )
  }
  if (from !== 'cancelled') return null
  return (
    <p class="notice" role="status">
      The checkout was left without a payment. It can still be paid within 24 hours after it was opened.
    </p>
  )
}

function PaymentList({ list }: { readonly list: List<Payment> }): VNode {
  return (
    <Card
      title="Payments"
      actions={
        <button type="button" class="secondary" onClick={list.reload} disabled={list.is_loading}>
          Refresh
        </button>
      }
    >
      <ListView
        list={list}
        empty={
          <Empty title="No payment yet">
            <p>Open a checkout above. It is listed here as pending until it is paid.</p>
          </Empty>
        }
      >
        {(rows) => (
          <Table
            caption="Payments"
            rows={rows}
            rowKey={({ payment_id }) => payment_id}
            columns={[
              { title: 'Time', cell: ({ created_at }) => <Time at={created_at} /> },
              { title: 'Type', cell: ({ type }) => (type === 'top_up' ? 'automatic top-up' : type) },
              { title: 'Wallet', cell: (payment) => <WalletLink payment={payment} /> },
              { title: 'Credits', numeric: true, cell: ({ credits }) => <Amount value={credits} /> },
              {
                title: 'Price',
                numeric: true,
                cell: ({ price_usd }) => <Amount value={price_usd} unit="USD" />,
              },
              { title: 'Status', cell: (payment) => <Status payment={payment} /> },
              { title: 'At Stripe', cell: (payment) => <AtStripe payment={payment} /> },
            ]}
          />
        )}
      </ListView>
    </Card>
  )
}

function WalletLink({ payment }: { readonly payment: Payment }): VNode {
  const { user_id, team_id } = payment
  const query = { user_id: user_id ?? undefined, team_id: team_id ?? undefined }
  return <a href={href('/credits', query)}>{walletName(payment)}</a>
}

function Status({ payment }: { readonly payment: Payment }): VNode {
  const { status, failure, refunded_usd, disputed_usd, credits_taken_back } = payment
  const is_bad = status === 'failed' || status === 'disputed'
  const sums = [
    ['refunded', refunded_usd, 'USD'],
    ['in disputes', disputed_usd, 'USD'],
    ['taken back', credits_taken_back, 'credits'],
  ] as const
  return (
    <>
      <span class={is_bad ? 'badge danger' : 'badge'}>{STATUSES[status]}</span>
      {failure && (
        <div>
          {failure.message} <code>{failure.code}</code>
        </div>
      )}
      {sums.map(
        ([name, value, unit]) =>
          !isZero(value) && (
            <div key={name} class="quiet">
              {name}: <Amount value={value} unit={unit} />
            </div>
          ),
      )}
    </>
  )
}

/** Shows the links to pay or confirm a payment, the link to its receipt, and its id at Stripe. */
function AtStripe({ payment }: { readonly payment: Payment }): VNode {
  const { payment_id, status, url, receipt_url, provider_reference } = payment
  const links = [
    [status === 'action_required' ? 'Confirm' : 'Pay', url],
    ['Receipt', receipt_url],
  ] as const
  return (
    <>
      {links.map(
        ([text, to]) =>
          to !== undefined &&
          isWebAddress(to) && (
            <div key={text}>
              <a href={to} target="_blank" rel="noopener noreferrer">
                {text}
                <span class="hidden"> {payment_id} in a new tab</span>
              </a>
            </div>
          ),
      )}
      <code class="quiet">{provider_reference ?? '–'}</code>
    </>
  )
}
