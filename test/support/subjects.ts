import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { api, jsonOf } from './api.ts'
import type { Json } from './client.ts'
import type { TestLedger } from './ledgers.ts'

/** Helpers for tests of users and teams. They send requests, and find the stored rows that contain an id. */

export function userPath(id: string): string {
  return `/v1/users/${encodeURIComponent(id)}`
}

export function teamPath(id: string): string {
  return `/v1/teams/${encodeURIComponent(id)}`
}

/** Erases a user or team and returns its alias. */
export async function erased(key: string, path: string): Promise<string> {
  const response = await api(path, { key, method: 'DELETE' })
  const body = await jsonOf(response)
  expect({ status: response.status, ...body }).toMatchObject({ status: 200, deleted: true })
  expect(body.erased_id).toMatch(/^erased_[0-9a-z]{26}$/)
  return String(body.erased_id)
}

/** Returns the rows of all tables of the object that contain a text. */
export function objectRowsWith(ledger: TestLedger, text: string): Promise<string[]> {
  return runInDurableObject(ledger.stub, (_, { storage }) => {
    const tables = storage.sql
      .exec<{ name: string }>(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'",
      )
      .toArray()
    return tables.flatMap(({ name }) =>
      rowsWith(name, storage.sql.exec(`SELECT * FROM "${name}"`).toArray(), text),
    )
  })
}

/** Returns the rows of all D1 tables that contain a text. */
export async function d1RowsWith(text: string): Promise<string[]> {
  const { results: tables } = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' AND name <> 'd1_migrations'",
  ).all<{ name: string }>()
  const found: string[] = []
  for (const { name } of tables) {
    const { results } = await env.DB.prepare(`SELECT * FROM "${name}"`).all<Json>()
    found.push(...rowsWith(name, results, text))
  }
  return found
}

function rowsWith(table: string, rows: readonly Json[], text: string): string[] {
  // Also finds the text in escaped form, because a stored JSON body can contain other JSON texts.
  const needles = [text, JSON.stringify(text).slice(1, -1)]
  return rows.flatMap((row) => {
    const values = Object.values(row).map(String)
    const holds = values.some((value) => needles.some((needle) => value.includes(needle)))
    return holds ? [`${table}: ${JSON.stringify(row)}`] : []
  })
}

/**
 * Returns all stored amounts of a ledger, in the object and in D1. An erasure must not change these amounts. Audit
 * records (kind `L`) are left out.
 */
export async function booksOf(ledger: TestLedger): Promise<unknown> {
  const ledger_id = ledgerKey(ledger.name)
  const pages = await env.DB.prepare(
    `SELECT p.flush_entry, p.wallet_number, p.first_entry, p.last_entry, p.entry_count, p.balance_before_micro,
       p.balance_after_micro, e.value ->> 'n' AS n, e.value ->> 't' AS t, e.value ->> 'w' AS w, e.value ->> 'a' AS a,
       e.value ->> 'b' AS b, e.value ->> 'l' AS l, e.value ->> 'nl' AS nl, e.value ->> 'd' AS d, e.value ->> 'e' AS e
     FROM ledger_pages AS p, json_each(p.body) AS e WHERE ledger_id = ? ORDER BY n`,
  )
    .bind(ledger_id)
    .all()
  const wallets = await env.DB.prepare('SELECT * FROM wallets WHERE ledger_id = ?').bind(ledger_id).all()
  const object = await runInDurableObject(ledger.stub, (_, { storage }) => ({
    entries: storage.sql
      .exec(
        `SELECT row_id, first_entry, last_entry, e.key, e.value ->> 'n' AS n, e.value ->> 't' AS t, e.value ->> 'w' AS w,
           e.value ->> 'a' AS a, e.value ->> 'b' AS b, e.value ->> 'l' AS l, e.value ->> 'nl' AS nl, e.value ->> 'k' AS k
         FROM journal, json_each(body) AS e WHERE e.value ->> 'L' IS NULL ORDER BY row_id, e.key`,
      )
      .toArray(),
    wallets: storage.sql
      .exec(
        `SELECT wallet_number, balance_micro, due_at_ms, state ->> 'lots' AS lots FROM wallets ORDER BY wallet_number`,
      )
      .toArray(),
    keys: storage.sql
      .exec(
        "SELECT row_id, keys_total, hex(key_hashes) FROM journal WHERE body ->> '$[0].L' IS NULL ORDER BY row_id",
      )
      .toArray(),
  }))
  return { pages: pages.results, wallets: wallets.results, object }
}
