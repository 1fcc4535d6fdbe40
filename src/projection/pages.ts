import type { Entry } from '../ledger/journal.ts'
import { FORMAT, packPage, type SubjectNumber } from '../ledger/packing.ts'

/** A page for each wallet among the entries of a flush, each a JSON object with the columns of `ledger_pages`. */
export function packPages(entries: readonly Entry[], subject: SubjectNumber): string[] {
  const byWallet = new Map<number, Entry[]>()
  for (const entry of entries) {
    const run = byWallet.get(entry.wallet)
    if (run) run.push(entry)
    else byWallet.set(entry.wallet, [entry])
  }
  return [...byWallet.values()].map((run) => packRun(run, subject))
}

function packRun(run: readonly Entry[], subject: SubjectNumber): string {
  const first = run[0]
  const last = run.at(-1)
  if (!first || !last) throw new Error('a page without entries')
  assertChain(run)
  const columns = JSON.stringify({
    wallet_number: first.wallet,
    format: FORMAT,
    first_entry: first.number,
    last_entry: last.number,
    entry_count: run.length,
    first_at_ms: first.at_ms,
    last_at_ms: last.at_ms,
    balance_before_micro: first.balance_after - first.amount,
    balance_after_micro: last.balance_after,
  })
  // The body stands in the object as JSON, not as a string of JSON: every quote of it would be escaped, and what is
  // mostly quotes would double.
  return `${columns.slice(0, -1)},"body":${packPage(run, subject)}}`
}

/** Rule 4: each entry of a wallet begins where the one before it ended. */
function assertChain(run: readonly Entry[]): void {
  let balance: number | undefined
  for (const entry of run) {
    if (balance !== undefined && entry.balance_after - entry.amount !== balance) {
      throw new Error(`entry ${entry.number} does not begin where the wallet's last entry ended`)
    }
    balance = entry.balance_after
  }
}
