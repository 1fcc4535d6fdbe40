import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { overlaySchema } from '../../src/rating/price-overrides/schema.ts'

const page = readFileSync(path.join(import.meta.dirname, '../../docs/rating.md'), 'utf8')

it('docs/rating.md sets prices as the API takes them', () => {
  const section = page.split('## Prices at run time')[1]?.split('\n## ')[0] ?? ''
  const bodies = [...section.matchAll(/-d '([^']+)'/g)].map(([, body = '']) => JSON.parse(body))
  expect(bodies).toHaveLength(2)
  for (const body of bodies) expect(overlaySchema.parse(body)).toBeDefined()
})
