import { env } from 'cloudflare:workers'
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import type { TestLedger } from './ledgers.ts'

interface PagedEntry {
  readonly c: { readonly n: number; readonly pc?: string }
  readonly p: object
  readonly s?: string
  readonly h?: string
}

interface PageRow {
  readonly first_entry: number
  readonly last_entry: number
  readonly hash_before: string | null
  readonly hash_after: string | null
  readonly body: string
}

export interface StoredChain {
  readonly first_entry: number
  /** The hashes of all entries, starting with the first entry. */
  readonly hashes: readonly string[]
  readonly entries: readonly PagedEntry[]
}

const digest = (text: string) => createHash('sha256').update(text).digest('base64url')

/**
 * Checks that the pages in D1 follow the documented rules of the hash chain. Shares no code with the ledger. Returns
 * the hashes and the entries.
 */
export async function expectChained(ledger: TestLedger): Promise<StoredChain> {
  const ledger_id = ledgerKey(ledger.name)
  const row = await env.DB.prepare('SELECT chain_first_entry, chain_hash FROM ledgers WHERE ledger_id = ?')
    .bind(ledger_id)
    .first<{ chain_first_entry: number; chain_hash: string }>()
  const { results } = await env.DB.prepare(
    'SELECT first_entry, last_entry, hash_before, hash_after, body FROM ledger_pages WHERE ledger_id = ?',
  )
    .bind(ledger_id)
    .all<PageRow>()
  const first_entry = row?.chain_first_entry ?? 0
  const entries = results
    .flatMap(({ body }): PagedEntry[] => JSON.parse(body))
    .filter(({ c }) => c.n >= first_entry)
    .sort((a, b) => a.c.n - b.c.n)
  let hash = digest(`openmonetize ledger chain 1\n${ledger_id}\n${first_entry}`)
  const hashes = [hash]
  for (const { c, h } of entries) {
    hash = digest(`${hash}\n${JSON.stringify(c)}`)
    expect(h, `entry ${c.n}`).toBe(hash)
    hashes.push(hash)
  }
  expect(row?.chain_hash).toBe(hash)
  for (const page of results) {
    if (page.first_entry < first_entry) continue
    expect(page.hash_before).toBe(hashes[page.first_entry - first_entry])
    expect(page.hash_after).toBe(hashes[page.last_entry - first_entry + 1])
  }
  return { first_entry, hashes: hashes.slice(1), entries }
}
