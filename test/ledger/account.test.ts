import { evictDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  credit,
  ingest,
  openLedger,
  readBalance,
  rerateEvents,
  revokeLedgerKey,
  setLedgerAccount,
} from '../../src/ledger/client/client.ts'
import { failNextTransaction } from '../faults/injection.ts'
import { ACCOUNT, ask, freshLedger, inStore, ledgerOf, rowsWrittenBy } from '../support/ledgers.ts'
import { CALLER, eventItem, grant, single } from '../support/messages.ts'

const CREDITS = 100_000_000
const SUSPENDED = { ...ACCOUNT, status: 'SUSPENDED' } as const
const CLOSED = { ...ACCOUNT, status: 'CLOSED' } as const
const refused = { kind: 'refused', refusal: { code: 'customer_suspended' } }

afterEach(() => {
  vi.useRealTimers()
})

describe('an opening', () => {
  it('that succeeds after a failed one gives the wallet the same id as every later start', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(Date.UTC(2027, 0, 31))
    const ledger = ledgerOf('cust_opened_twice')
    const open = () =>
      ask(ledger.stub, 'open', { ledger: ledger.name, signup_grant_micro: 5, account: ACCOUNT })
    const balance = () => readBalance(env, ledger.name, { caller: CALLER, owner: { kind: 'customer' } })
    await failNextTransaction(ledger)
    await expect(open()).rejects.toThrow('the disk is full')
    vi.setSystemTime(Date.UTC(2027, 1, 1))
    await open()
    const answered = await balance()
    await evictDurableObject(ledger.stub)
    expect(answered).toEqual(await balance())
  })
})

describe('the account of a ledger', () => {
  it('refuses every write of a suspended or closed customer from the moment it is set, and no read', async () => {
    for (const account of [SUSPENDED, CLOSED]) {
      const ledger = await freshLedger(CREDITS)
      await setLedgerAccount(env, ledger.name, { ...account, revision: 2 })
      expect(await ingest(env, ledger.name, single(eventItem(1)))).toEqual(refused)
      expect(await credit(env, ledger.name, grant(1))).toEqual(refused)
      const balance = await readBalance(env, ledger.name, { caller: CALLER, owner: { kind: 'customer' } })
      expect(balance).toMatchObject({ kind: 'done', answer: { balance: CREDITS } })
      // The operator can still rate events that the ledger accepted before the suspension.
      const rated = await rerateEvents(env, ledger.name, { caller: CALLER, items: [] })
      expect(rated).toMatchObject({ kind: 'done' })
    }
  })

  it('is accepted only if it is newer, for any order of arrival, and then costs a row', async () => {
    const ledger = await freshLedger(CREDITS)
    const set = (account: typeof ACCOUNT) => setLedgerAccount(env, ledger.name, account)
    expect(await rowsWrittenBy(ledger, () => set({ ...ACCOUNT, revision: 5 }))).toBe(1)
    for (const stale of [1, 4, 5]) {
      expect(await rowsWrittenBy(ledger, () => set({ ...SUSPENDED, revision: stale }))).toBe(0)
    }
    expect((await credit(env, ledger.name, grant(1))).kind).toBe('done')
    await set({ ...SUSPENDED, revision: 6 })
    expect(await credit(env, ledger.name, grant(1))).toEqual(refused)
    await set({ ...ACCOUNT, revision: 7 })
    expect((await credit(env, ledger.name, grant(1))).kind).toBe('done')
  })

  it('survives a restart of the object, and a second opening replaces it by a newer one', async () => {
    const ledger = await freshLedger()
    await setLedgerAccount(env, ledger.name, { ...SUSPENDED, revision: 2 })
    await evictDurableObject(ledger.stub)
    expect(await inStore(ledger, (store) => store.account.current)).toEqual({ ...SUSPENDED, revision: 2 })
    const open = (revision: number) =>
      openLedger(env, { ledger: ledger.name, signup_grant_micro: 0, account: { ...ACCOUNT, revision } })
    await open(1)
    expect(await credit(env, ledger.name, grant(1))).toEqual(refused)
    await open(3)
    expect((await credit(env, ledger.name, grant(1))).kind).toBe('done')
  })

  it('does not open an unopened ledger', async () => {
    const ledger = ledgerOf(`cust_never_opened_${crypto.randomUUID()}`)
    await setLedgerAccount(env, ledger.name, { ...ACCOUNT, revision: 9 })
    const result = await credit(env, ledger.name, grant(1))
    expect(result).toEqual({ kind: 'refused', refusal: { code: 'unavailable' } })
  })
})

describe('a key that the ledger refuses from a time on', () => {
  it('works until then and not from then on, and only an earlier time replaces the time', async () => {
    const ledger = await freshLedger(CREDITS)
    const revoke = (at_ms: number) => revokeLedgerKey(env, ledger.name, CALLER.key_id, at_ms)
    await revoke(Date.now() + 60_000)
    expect((await credit(env, ledger.name, grant(1))).kind).toBe('done')
    await revoke(Date.now() + 120_000)
    await revoke(Date.now())
    const revoked = { kind: 'refused', refusal: { code: 'revoked_api_key' } }
    expect(await credit(env, ledger.name, grant(1))).toEqual(revoked)
    await revoke(Date.now() + 60_000)
    expect(await credit(env, ledger.name, grant(1))).toEqual(revoked)
  })
})
