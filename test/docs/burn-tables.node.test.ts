import { readFileSync } from 'node:fs'
import path from 'node:path'
import { z } from '@hono/zod-openapi'
import { describe, expect, it } from 'vitest'
import { burnTableSchema } from '../../src/burn-tables/schema.ts'
import { completeDefinition } from '../../src/ledger/burn-tables/changes.ts'
import { checkBurnTable } from '../../src/pricing/burn-table/check.ts'
import { compileBurnTable } from '../../src/pricing/burn-table/table.ts'
import { costing, DEFAULTS, Meter } from '../pricing/burn-table-support.ts'

/**
 * Tests the worked examples of docs/rating.md. Each burn table must pass the API's schema, and its events must have the
 * charges that the page states. The events of a table are charged in order.
 */

const page = readFileSync(path.join(import.meta.dirname, '../../docs/rating.md'), 'utf8')
const section = page.split('\n## Burn tables\n')[1] ?? ''

const quantities = z.record(z.string(), z.number())
const example = z.strictObject({
  table: burnTableSchema,
  events: z
    .array(
      z.strictObject({
        feature_id: z.string().optional(),
        provider: z.string().optional(),
        model: z.string().optional(),
        usage: quantities.optional(),
        custom: quantities.optional(),
        provider_cost_usd: z.number().default(0),
        credits: z.number(),
      }),
    )
    .min(1),
})

const examples = [...section.matchAll(/```json\n(.*?)```/gs)].map(([, text = '']) =>
  example.parse(JSON.parse(text)),
)

describe('docs/rating.md on burn tables', () => {
  it.each(examples.map(({ table, events }) => [table.name, table, events] as const))(
    'works out: %s',
    (_, table, events) => {
      const definition = completeDefinition(table, DEFAULTS)
      expect(checkBurnTable(definition)).toEqual({ kind: 'sound' })
      const compiled = compileBurnTable(definition, { id: 'bt_docs', version: 2 }, DEFAULTS)
      const wallet = new Meter()
      const charged = events.map(({ credits: _, provider_cost_usd, ...event }) =>
        Number(wallet.credits(compiled, { ...event, cost: costing(String(provider_cost_usd)).cost })),
      )
      expect(charged).toEqual(events.map(({ credits }) => credits))
    },
  )

  it('has an example of every method', () => {
    const methods = examples.flatMap(({ table }) =>
      table.rules.map((rule) => `${rule.method}${'mode' in rule ? ` ${rule.mode}` : ''}`),
    )
    expect([...new Set(methods)].sort()).toEqual(
      ['cost_plus', 'flat', 'package', 'per_unit', 'tiered graduated', 'tiered volume'].sort(),
    )
  })
})
