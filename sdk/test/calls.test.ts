import { randomUUID } from 'node:crypto'
import { expect, inject, it } from 'vitest'
import { OpenMonetize, OpenMonetizeError } from '../src/index.ts'
import table from './calls.json' with { type: 'json' }
import { OPERATOR_TOKEN } from './support/server.ts'

/** A row of the table of calls, which every client runs. `scripts/calls.ts` writes the table. */
interface Row {
  readonly name: string
  readonly method: string
  readonly args: readonly unknown[]
  readonly as: string
  readonly save?: Readonly<Record<string, readonly (string | number)[]>>
  readonly match?: Readonly<Record<string, unknown>>
  readonly error?: { readonly status: number; readonly code: string }
}

const { url } = inject('server')

it('every call of the table gets the response that the table expects', async () => {
  const rows: readonly Row[] = JSON.parse(JSON.stringify(table))
  const known = new Map<unknown, unknown>()
  const clients: Record<string, OpenMonetize> = {
    operator: new OpenMonetize({ apiKey: OPERATOR_TOKEN, baseUrl: url }),
    anonymous: new OpenMonetize({ apiKey: null, baseUrl: url }),
  }
  const translated = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value), (_key, part) => (known.has(part) ? known.get(part) : part))
  const wrong: string[] = []
  for (const row of rows) {
    const args = row.args.map(translated)
    if (row.method === 'customers.register' && row.error === undefined) {
      Object.assign(Object(args[0]), { email: `${randomUUID()}@example.com`, tier: 'ENTERPRISE' })
    }
    const client = clients[row.as]
    const answer = await call(client, row.method, args).catch((error: unknown) => error)
    const problem = judge(row, answer)
    if (problem !== undefined) wrong.push(`${row.name}: ${problem}`)
    for (const [text, place] of Object.entries(row.save ?? {})) known.set(text, at(answer, place))
    if (row.method === 'customers.register' && answer instanceof Object && 'api_key' in answer) {
      clients.customer = new OpenMonetize({ apiKey: String(answer.api_key), baseUrl: url })
    }
  }
  expect(wrong).toEqual([])
  expect(rows.length).toBeGreaterThanOrEqual(200)
})

async function call(client: unknown, method: string, args: readonly unknown[]): Promise<unknown> {
  const path = method.split('.')
  const owner = at(client, path.slice(0, -1))
  const found: unknown = Reflect.get(Object(owner), path.at(-1) ?? '')
  if (typeof found !== 'function') throw new Error(`there is no ${method}`)
  return await Reflect.apply(found, owner, args)
}

function judge({ match = {}, error }: Row, answer: unknown): string | undefined {
  if (error !== undefined) {
    if (!(answer instanceof OpenMonetizeError)) return `not refused: ${JSON.stringify(answer)}`
    return answer.status === error.status && answer.code === error.code
      ? undefined
      : `refused with ${answer.message}`
  }
  if (answer instanceof Error) return answer.message
  const found = Object.fromEntries(Object.keys(match).map((field) => [field, at(answer, [field])]))
  const same = Object.entries(match).every(([field, value]) => found[field] === value)
  return same ? undefined : `${JSON.stringify(found)} is not ${JSON.stringify(match)}`
}

function at(value: unknown, place: readonly (string | number)[]): unknown {
  return place.reduce<unknown>((inner, key) => Reflect.get(Object(inner), key), value)
}
