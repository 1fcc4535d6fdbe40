import { it } from 'vitest'
import page from '../../docs/provider-keys.md?raw'
import { createCustomer } from '../support/customers.ts'
import { runCurlLines } from './curl-lines.ts'

it('every curl line of docs/provider-keys.md has the effect that the page describes', async () => {
  const { api_key } = await createCustomer()
  await runCurlLines(page, new Map([['KEY', api_key]]))
})
