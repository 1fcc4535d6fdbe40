import { it } from 'vitest'
import page from '../../docs/api-keys.md?raw'
import { createCustomer, OPERATOR_TOKEN } from '../support/customers.ts'
import { runCurlLines } from './curl-lines.ts'

it('every curl line of docs/api-keys.md has the effect that the page describes', async () => {
  const { api_key, customer_id, email } = await createCustomer()
  const given = { KEY: api_key, OPERATOR: OPERATOR_TOKEN, CUSTOMER: customer_id, EMAIL: email }
  await runCurlLines(page, new Map(Object.entries(given)))
})
