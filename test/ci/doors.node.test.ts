import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/**
 * Tests the rules in biome.json that limit imports between the folders of `src/`. Runs biome on files that break these
 * rules.
 */

const ROOT = path.join(import.meta.dirname, '../..')
const RULES = ['lint/style/noRestrictedImports', 'lint/suspicious/noImportCycles'] as const

const FORBIDDEN = [
  ['src/ledger/model/planted.ts', '../commit/draft.ts'],
  ['src/ledger/model/messages/planted.ts', '../../wallets/settle.ts'],
  ['src/ledger/commit/planted.ts', '../wallets/settle.ts'],
  ['src/ledger/journal/planted.ts', '../flush/flush.ts'],
  ['src/ledger/burns/planted.ts', '../flush/flush.ts'],
  ['src/ledger/flush/planted.ts', '../client/client.ts'],
  ['src/ledger/client/planted.ts', '../commit/store.ts'],
  ['src/pricing/cost/planted.ts', '../../logging/log.ts'],
  ['src/pricing/planted.ts', 'hono'],
  ['src/time/planted.ts', '../http/env.ts'],
  ['src/logging/planted.ts', '../http/env.ts'],
  ['src/config.ts', './ledger/model/limits.ts'],
  ['src/usage/planted.ts', '../ledger/object.ts'],
  ['src/events/planted.ts', '../ledger/object.ts'],
  ['src/events/credits.ts', '../credits/movements.ts'],
  ['src/holds/planted.ts', '../events/schema.ts'],
  ['src/entitlements/planted.ts', '../burn-tables/schema.ts'],
  ['src/subjects/planted.ts', '../customers/accounts.ts'],
  ['src/credits/planted.ts', '../api-keys/changes.ts'],
  ['src/credits/commit.ts', '../ledger/commit/store.ts'],
  ['src/analytics/planted.ts', '../projection/reconcile/reconcile.ts'],
  ['src/provider-keys/planted.ts', '../gateway-routes/store.ts'],
  ['src/gateway-routes/planted.ts', '../provider-keys/store.ts'],
  ['src/portal-tokens/planted.ts', '../credits/render.ts'],
  ['src/portal-tokens/paid.ts', '../payments/render.ts'],
  ['src/webhooks/planted.ts', '../provider-keys/store.ts'],
  ['src/provider-keys/planted.ts', '../webhooks/records/endpoints.ts'],
  ['src/api-keys/planted.ts', '../customers/accounts.ts'],
  ['src/api-keys/authentication/planted.ts', '../../customers/accounts.ts'],
  ['src/gateway/planted.ts', '../holds/size.ts'],
  ['src/gateway/stream/planted.ts', '../../ledger/calls/calls.ts'],
  ['src/http/planted.ts', '../events/schema.ts'],
  ['src/http/ported.ts', '../portal-tokens/token.ts'],
  ['src/http/output/planted.ts', '../../api-keys/rows.ts'],
] as const

const ALLOWED = [
  ['src/ledger/model/fine.ts', '../../pricing/money.ts'],
  ['src/ledger/commit/fine.ts', '../burns/unrated-rows.ts'],
  ['src/ledger/burns/fine.ts', '../wallets/settle.ts'],
  ['src/pricing/cost/fine.ts', '../../time/windows.ts'],
  ['src/bindings.ts', './ledger/rpc.ts'],
  ['src/events/fine.ts', '../ledger/client/client.ts'],
  ['src/events/priced.ts', '../rating/event.ts'],
  ['src/credits/fine.ts', '../api-keys/authentication/authenticate.ts'],
  ['src/holds/fine.ts', '../ledger/model/messages/holds.ts'],
  ['src/analytics/fine.ts', '../projection/read/subjects.ts'],
  ['src/customers/fine.ts', '../api-keys/rows.ts'],
  ['src/portal-tokens/fine.ts', '../payments/packs/store.ts'],
  ['src/gateway/fine.ts', '../provider-keys/upstream.ts'],
  ['src/gateway/request/fine.ts', '../../api-keys/record.ts'],
  ['src/http/fine.ts', '../ledger/model/refusal.ts'],
] as const

const scratch = realpathSync(mkdtempSync(path.join(tmpdir(), 'doors-')))
let broken = new Map<string, string[]>()

beforeAll(() => {
  const config = JSON.parse(readFileSync(path.join(ROOT, 'biome.json'), 'utf8'))
  plant('biome.json', JSON.stringify({ ...config, vcs: undefined }))
  for (const [file, imported] of [...FORBIDDEN, ...ALLOWED]) plant(file, `export * from '${imported}'\n`)
  plant('src/usage/a.ts', "import type { B } from './b.ts'\n\nexport type A = B | 1\n")
  plant('src/usage/b.ts', "import type { A } from './a.ts'\n\nexport type B = A | 2\n")
  broken = lint()
})

afterAll(() => rmSync(scratch, { recursive: true }))

function plant(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(scratch, file)), { recursive: true })
  writeFileSync(path.join(scratch, file), text)
}

/** Runs biome on the test files, and returns for each file the rules of `RULES` that it breaks. */
function lint(): Map<string, string[]> {
  const { stdout } = spawnSync(
    path.join(ROOT, 'node_modules/.bin/biome'),
    [
      'lint',
      '--reporter=github',
      '--max-diagnostics=none',
      ...RULES.map((rule) => `--only=${rule.slice(5)}`),
      'src',
    ],
    { cwd: scratch, encoding: 'utf8' },
  )
  const found = new Map<string, string[]>()
  for (const [, rule = '', file = ''] of stdout.matchAll(/title=(lint\/[\w/]+),file=([^,]+)/g)) {
    const planted = path.relative(scratch, file)
    found.set(planted, [...(found.get(planted) ?? []), rule])
  }
  return found
}

describe('the doors between rooms', () => {
  it.each(FORBIDDEN)('%s may not import %s', (file) => {
    expect(broken.get(file)).toEqual(['lint/style/noRestrictedImports'])
  })

  it.each(ALLOWED)('%s may import %s', (file) => {
    expect(broken.get(file)).toBeUndefined()
  })

  it('refuses a circle of imports, of types too', () => {
    expect(broken.get('src/usage/a.ts')).toEqual(['lint/suspicious/noImportCycles'])
  })
})
