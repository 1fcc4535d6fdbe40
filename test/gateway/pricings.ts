import type { MeteredEndpoint } from '../../src/gateway/dialect.ts'
import type { CallRequest } from '../../src/gateway/request/call-request.ts'
import type { Pricing } from '../../src/gateway/request/prices.ts'
import { NO_OVERLAYS } from '../../src/pricing/cost/price-book.ts'

/** Returns the data that is needed to price a call of a customer without prices of its own. */
export function pricingOfCall(endpoint: MeteredEndpoint, call: CallRequest, provider = 'openai'): Pricing {
  return {
    key: {
      key_id: 'key_1',
      customer_id: 'cust_1',
      mode: 'live',
      scopes: [],
      tier: 'STARTER',
      customer_status: 'ACTIVE',
      price_epochs: { operator: 0, customer: 0 },
      ends_at_ms: null,
    },
    book: NO_OVERLAYS,
    meter: { feature_id: 'gateway', clip: false, trailer: false, drain: false },
    provider,
    endpoint,
    call,
  }
}
