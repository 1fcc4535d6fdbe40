import { Chain, type LinkedEntry } from '../../src/ledger/chain/chain.ts'
import type { Entry, JournalRecord } from '../../src/ledger/model/journal.ts'

/** Returns the entries of a journal in the form that pages store, without hashes. */
export function linked(entries: readonly Entry[]): LinkedEntry[] {
  const chain = new Chain('cust_1', Number.MAX_SAFE_INTEGER, null)
  return entries.map((entry) => chain.link(entry))
}

/** Returns journal records without the random salts of their commits. Throws if an entry has no valid salt. */
export function unsalted(records: readonly JournalRecord[]): JournalRecord[] {
  return records.map((record) => {
    if (record.kind !== 'entry') return record
    const { salt, ...entry } = record
    if (!/^[\w-]{22}$/.test(salt ?? '')) throw new Error(`entry ${entry.number} has the salt ${salt}`)
    return entry
  })
}
