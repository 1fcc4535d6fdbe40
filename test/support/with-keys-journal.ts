import { runInDurableObject } from 'cloudflare:test'
import type { PackedKeysOptions } from '../../src/ledger/idempotency/store.ts'
import { KeysJournal } from './keys-journal.ts'
import { freshLedger, storeOf } from './ledgers.ts'

/** Runs `use` inside a separate ledger object. */
export async function withKeysJournal<T>(
  options: PackedKeysOptions,
  use: (keys: KeysJournal) => T,
): Promise<T> {
  const ledger = await freshLedger()
  return runInDurableObject(ledger.stub, (instance, { storage }) =>
    use(new KeysJournal(storage, storeOf(instance), options)),
  )
}
