/** The words of the widgets. A page replaces them by the property `labels`; `{…}` is a placeholder for a value. */
export const LABELS = {
  balance: 'Credits',
  held: '{amount} more are held for running work.',
  expiring: '{amount} expire on {date}.',
  no_wallet: 'No credits yet.',
  announced: '{amount} credits',
  usage: 'Credits used in {days} days',
  no_usage: 'Nothing was used in these days.',
  as_table: 'Show as a table',
  day: 'Day',
  events: 'Events',
  credits: 'Credits',
  top_up: 'Buy credits',
  pack_credits: '{amount} credits',
  pack_days: 'valid for {days} days',
  buy: 'Buy for {price}',
  opening: 'Opening the payment page…',
  no_packs: 'There is nothing to buy at the moment.',
  loading: 'Loading…',
  unreachable: 'The credit meter cannot be reached.',
  no_token: 'The page did not get access to the credit meter.',
  bad_base_url: 'The attribute base-url is not an https address.',
  bad_payment_page: 'The address of the payment page is not an https address.',
  retry: 'Try again',
}

export type Labels = { readonly [name in keyof typeof LABELS]: string }
