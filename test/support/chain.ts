import { Chain, type LinkedEntry } from '../../src/ledger/chain/link.ts'
import type { Entry, JournalRecord } from '../../src/ledger/model/journal.ts'

/** Returns entries in the form in which pages store them, without hashes. */
export function linked(entries: readonly Entry[]): LinkedEntry[] {
  const chain = new Chain('cust_1', Number.MAX_SAFE_INTEGER, null)
  return entries.map((entry) => chain.link(entry))
}

/** Returns records of the journal without the random salts of their commit. */
export function unsalted(records: readonly JournalRecord[]): JournalRecord[] {
  return records.map((record) => {
    if (record.kind !== 'entry') return record
    const { salt, ...entry } = record
    if (!/^[\w-]{22}$/.test(salt ?? '')) throw new Error(`entry ${entry.number} has the salt ${salt}`)
    return entry
  })
}
