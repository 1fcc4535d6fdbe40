/**
 * The texts of the widgets. A page can replace them with the property `labels`. `{…}` is a placeholder for a value.
 */
export const LABELS = {
  balance: 'Credits',
  held: '{amount} more are reserved.',
  expiring: '{amount} expire on {date}.',
  no_wallet: 'No credits yet.',
  announced: '{amount} credits',
  usage: 'Credits used in {days} days',
  no_usage: 'No credits were used in these days.',
  as_table: 'Show as a table',
  day: 'Day',
  model: 'Model',
  no_model: 'Without a model',
  events: 'Events',
  credits: 'Credits',
  top_up: 'Buy credits',
  pack_credits: '{amount} credits',
  pack_days: 'valid for {days} days',
  buy: 'Buy for {price}',
  opening: 'Opening the payment page…',
  no_packs: 'No credit packs are available.',
  loading: 'Loading…',
  unreachable: 'The credit meter cannot be reached.',
  no_token: 'This page has no access to the credit meter.',
  bad_base_url: 'The address of the credit meter is not an https address.',
  bad_payment_page: 'The address of the payment page is not an https address.',
  retry: 'Try again',
}

export type Labels = { readonly [name in keyof typeof LABELS]: string }
