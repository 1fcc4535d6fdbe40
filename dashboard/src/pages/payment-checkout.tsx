import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { call, type RowOf } from '../api/call.ts'
import { grouped } from '../api/decimal.ts'
import { AmountInput, type Fields, Form, Select } from '../components/form.tsx'
import { Card } from '../components/page.tsx'
import { OwnerFields, ownerIn } from '../components/wallet.tsx'
import { href } from '../router.ts'

type Pack = RowOf<'/v1/credit-packs'>

/** The value of the option that sells an amount of credits instead of a pack. No pack has this id. */
const AMOUNT = ''

/** A form that creates a checkout for a pack or an amount of credits, and opens its Stripe page. */
export function NewCheckout({ packs }: { readonly packs: readonly Pack[] }): VNode {
  const [chosen, setChosen] = useState(AMOUNT)
  const pack = packs.find(({ id }) => id === chosen)
  const options = [
    [AMOUNT, 'an amount of credits'] as const,
    ...packs.map(
      ({ id, name, price_usd }) => [id, `the pack ${name} for ${grouped(price_usd)} USD`] as const,
    ),
  ]
  return (
    <Card title="Open a checkout">
      <Form label="Open a checkout" submit="Continue to Stripe" keeps onSubmit={checkOut}>
        <Select
          label="Sells"
          name="credit_pack_id"
          value={pack?.id ?? AMOUNT}
          options={options}
          onValue={setChosen}
        />
        {!pack && (
          <>
            <AmountInput label="Credits" name="credits" required />
            <AmountInput label="Price (USD)" name="price_usd" required />
          </>
        )}
        <OwnerFields label="Credits go to" />
        <label class="choice wide">
          <input type="checkbox" name="saves_card" /> save the card for automatic top-ups
        </label>
      </Form>
      <p class="quiet">The payment page of Stripe opens in this tab, and leads back here.</p>
    </Card>
  )
}

async function checkOut(fields: Fields, idempotency_key: string): Promise<void> {
  const { credit_pack_id, credits, price_usd, saves_card } = fields
  const here = `${location.origin}${location.pathname}`
  const body = {
    ...ownerIn(fields),
    credit_pack_id,
    credits,
    price_usd,
    save_payment_method: saves_card !== undefined,
    success_url: here + href('/payments', { checkout: 'paid' }),
    cancel_url: here + href('/payments', { checkout: 'cancelled' }),
  }
  const { url } = await call('post', '/v1/payments/checkout', { body, idempotency_key })
  if (!isWebAddress(url)) throw new Error(`the checkout URL "${url}" does not begin with http:// or https://`)
  // Opens the page in this tab. If a page opens a new tab after a request, browsers block the tab as a pop-up.
  location.assign(url)
}

/** Reports whether an address is an http or https URL, and not, for example, a `javascript:` URL. */
export function isWebAddress(address: string): boolean {
  return /^https?:\/\//i.test(address)
}
