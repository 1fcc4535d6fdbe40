import { runInDurableObject } from 'cloudflare:test'
import type { PackedKeysOptions } from '../../src/ledger/idempotency/store.ts'
import { KeysJournal } from './keys-journal.ts'
import { freshLedger, storeOf } from './ledgers.ts'

/** Runs `use` with a `KeysJournal` in a new ledger object, and returns the result. */
export async function withKeysJournal<T>(
  options: PackedKeysOptions,
  use: (keys: KeysJournal) => T,
): Promise<T> {
  const ledger = await freshLedger()
  return runInDurableObject(ledger.stub, (instance, { storage }) =>
    use(new KeysJournal(storage, storeOf(instance), options)),
  )
}
