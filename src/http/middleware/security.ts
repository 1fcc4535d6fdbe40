/** How a request says who it is from, as the OpenAPI document names it. One of a list's alternatives is enough. */

export const SECURITY_SCHEMES = {
  apiKey: {
    type: 'http',
    scheme: 'bearer',
    description:
      'An API key of a customer, `om_live_…` or `om_test_…`. What it may do is said by its scopes: a route names the one that it needs in `x-required-scope`.',
  },
  apiKeyHeader: {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-Key',
    description: 'The same API key in a header of its own. Both headers with two different keys are a 401.',
  },
  operator: {
    type: 'http',
    scheme: 'bearer',
    description: "The operator's token: the Worker's secret `OPERATOR_TOKEN`.",
  },
} as const

/** OpenAPI's own type of these lists is of arrays that may be changed. */
type Security = Partial<Record<keyof typeof SECURITY_SCHEMES, string[]>>[]

export const CUSTOMER_SECURITY: Security = [{ apiKey: [] }, { apiKeyHeader: [] }]
export const OPERATOR_SECURITY: Security = [{ operator: [] }]
/** Nobody has to say who they are; the operator may. */
export const OPEN_OR_OPERATOR: Security = [{}, { operator: [] }]
export const OPEN: Security = []
