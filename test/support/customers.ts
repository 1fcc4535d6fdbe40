import type { Tier } from '../../src/db/schema.ts'
import { api, jsonOf, textField } from './api.ts'

export const OPERATOR_TOKEN = 'dev-operator-token'

export interface TestCustomer {
  readonly customer_id: string
  readonly api_key: string
  readonly email: string
}

let made = 0

/** Returns an id that no other test uses. All tests share one storage, so ids must be unique. */
export function unique(prefix: string): string {
  made += 1
  return `${prefix}-${made}-${crypto.randomUUID()}`
}

export function uniqueEmail(): string {
  return `${unique('customer')}@example.com`
}

/** Registers a customer over HTTP with the operator token. The customer has its sign-up credits. */
export async function createCustomer({
  tier = 'ENTERPRISE',
}: {
  readonly tier?: Tier
} = {}): Promise<TestCustomer> {
  const email = uniqueEmail()
  const response = await api('/v1/customers/register', {
    key: OPERATOR_TOKEN,
    body: { name: 'Test customer', email, tier },
  })
  const body = await jsonOf(response)
  if (response.status !== 201) throw new Error(`not registered: ${JSON.stringify(body)}`)
  return { customer_id: textField(body, 'customer_id'), api_key: textField(body, 'api_key'), email }
}
