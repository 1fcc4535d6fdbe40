import { expect, it } from 'vitest'
import page from '../../docs/credits.md?raw'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'

/** The curl lines of docs/credits.md against the API, in their order, each with the answer that its comment promises. */

interface Line {
  readonly path: string
  readonly body: unknown
  readonly status: number
  readonly answer: unknown
}

const CURL =
  /curl -s localhost:8787(?<path>\S+)[^']*'Content-Type: application\/json' \\\n +-d '(?<body>[^']+)'\n# (?<status>\d{3}) (?<answer>\{.*\})/g

const lines = [...page.matchAll(CURL)].map(({ groups = {} }): Line => {
  const { path = '', body = '', status = '', answer = '' } = groups
  return { path, body: JSON.parse(body), status: Number(status), answer: JSON.parse(answer) }
})

it('every curl line of docs/credits.md does what the page says', async () => {
  expect(lines).toHaveLength(page.split('\ncurl ').length - 1)
  const { api_key: key } = await createCustomer()
  for (const { path, body, status, answer } of lines) {
    const response = await api(path, { key, body })
    expect({ path, status: response.status, answer: await jsonOf(response) }).toMatchObject({
      path,
      status,
      answer,
    })
  }
})
