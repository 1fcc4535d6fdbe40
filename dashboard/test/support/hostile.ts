import { api, type Customer, newCustomer } from './browser.ts'

/**
 * The names of the traces that a hostile text leaves: a global variable if a page runs the text, and an element
 * attribute if a page interprets the text as markup.
 */
export const MARKS = { global: 'hostile_ran', element: 'hostile' } as const

const RUN = `window.${MARKS.global}=1`

/** Texts that try to break out of markup, attributes, URLs and templates. */
const TEXTS = [
  `<img src=x data-${MARKS.element} onerror="${RUN}">`,
  `"><script data-${MARKS.element}>${RUN}</script>`,
  `javascript:${RUN}//`,
  `' onmouseover='${RUN}' data-${MARKS.element}='`,
  `\${${RUN}}{{${RUN}}}`,
] as const

let prepared: Promise<Customer> | undefined

/** Returns a customer whose texts are all hostile, with content on every page. */
export function hostileCustomer(): Promise<Customer> {
  prepared ??= prepare()
  return prepared
}

async function prepare(): Promise<Customer> {
  const customer = await newCustomer({ name: TEXTS[0] })
  const { api_key: key } = customer
  const events = TEXTS.flatMap((text, index) => [
    {
      event_type: 'TOKEN_USAGE',
      feature_id: text,
      user_id: text,
      provider: 'OPENAI',
      model: 'gpt-4o',
      input_tokens: 1_000 + index,
      output_tokens: 500,
      metadata: { [text]: text },
    },
    // An event of a model without a price is recorded and listed.
    {
      event_type: 'TOKEN_USAGE',
      feature_id: 'chat',
      team_id: text,
      provider: 'OPENAI',
      model: text,
      input_tokens: 1,
    },
  ])
  await api('POST', '/v1/events/ingest', { key, body: { events } })
  await api('POST', '/v1/credits/grant', {
    key,
    body: { amount: 7.000001, user_id: TEXTS[0], reason: TEXTS[1], metadata: { [TEXTS[2]]: TEXTS[3] } },
  })
  await api('PATCH', `/v1/users/${encodeURIComponent(TEXTS[0])}`, {
    key,
    body: { metadata: { note: TEXTS[1] } },
  })
  await api('POST', '/v1/api-keys', { key, body: { name: TEXTS[1] } })
  await api('POST', '/v1/entitlements', {
    key,
    body: { feature_id: TEXTS[0], limit_type: 'HARD', limit_value: 1000, unit: 'credits', period: 'MONTHLY' },
  })
  await api('POST', '/v1/burn-tables', {
    key,
    body: { name: TEXTS[1], rules: [{ match: { model: TEXTS[0] }, method: 'flat', amount: 1 }] },
  })
  await api('POST', '/v1/credits/grant', {
    key,
    body: { amount: 1, reason: TEXTS[3], recurring: { every: 'month' } },
  })
  await api('POST', '/v1/alerts', {
    key,
    body: { type: 'spend_above', threshold: { credits: 5 }, feature_id: TEXTS[0], user_id: TEXTS[1] },
  })
  await api('POST', '/v1/webhook-endpoints', {
    key,
    body: { url: 'http://127.0.0.1:9/%3Cimg%3E', types: ['hold.*'], description: TEXTS[0] },
  })
  await api('POST', '/v1/credit-packs', { key, body: { name: TEXTS[1], credits: 7.000001, price_usd: 0.5 } })
  await api('POST', '/v1/payments/checkout', {
    key,
    body: {
      ...{ credits: 1, price_usd: 0.5, user_id: TEXTS[0] },
      ...{ success_url: 'https://app.example.com/', cancel_url: 'https://app.example.com/' },
    },
  })
  await api('PUT', '/v1/credits/auto-top-up', {
    key,
    body: { below: 1, credits: 1, price_usd: 0.5, max_usd_per_month: 1 },
  })
  return customer
}
