import { describe, expect, it } from 'vitest'
import { MAX_OPEN_LOTS } from '../../src/ledger/model/lots.ts'
import { MAX_MICRO_CREDITS } from '../../src/pricing/money.ts'
import { MemoryLedger } from '../support/memory-ledger.ts'
import { eventItem, grant } from '../support/messages.ts'

const DUE = 1_000_000
const CUSTOMER = { kind: 'customer' } as const

/** Returns the ledger's entries, with only the fields that the tests compare. */
function statement(ledger: MemoryLedger) {
  return ledger.entries.map(({ type, amount, balance_after, lots, at_ms, effective_at_ms }) => ({
    type,
    amount,
    balance_after,
    lots,
    at_ms,
    ...(effective_at_ms !== undefined && { effective_at_ms }),
  }))
}

describe('a lot that is due', () => {
  it('burns until the last moment before its expiry, and not from its expiry on', () => {
    const ledger = new MemoryLedger()
    ledger.credit(1, grant(100, { expires_at_ms: DUE }))
    expect(ledger.burn(DUE - 1, eventItem(10)).kind).toBe('done')
    expect(ledger.burn(DUE, eventItem(10))).toMatchObject({
      kind: 'refused',
      refusal: { code: 'insufficient_credits', balance: '0', required: '0.00001' },
    })
    expect(ledger.walletOf(CUSTOMER)).toMatchObject({ balance: 0, lots: [] })
  })

  it('is skipped by a burn and becomes an EXPIRATION of its rest, dated at its time', () => {
    const ledger = new MemoryLedger()
    ledger.credit(1, grant(100, { expires_at_ms: DUE, priority: 0 }))
    ledger.credit(2, grant(100))
    ledger.burn(3, eventItem(30))
    ledger.burn(DUE + 5000, eventItem(20))
    expect(statement(ledger)).toEqual([
      { type: 'GRANT', amount: 100, balance_after: 100, lots: [[1, 100]], at_ms: 1 },
      { type: 'GRANT', amount: 100, balance_after: 200, lots: [[2, 100]], at_ms: 2 },
      { type: 'BURN', amount: -30, balance_after: 170, lots: [[1, -30]], at_ms: 3 },
      {
        type: 'EXPIRATION',
        amount: -70,
        balance_after: 100,
        lots: [[1, -70]],
        at_ms: DUE + 5000,
        effective_at_ms: DUE,
      },
      { type: 'BURN', amount: -20, balance_after: 80, lots: [[2, -20]], at_ms: DUE + 5000 },
    ])
  })

  it('expires with others one after the other, the earliest first and not in burn order', () => {
    const ledger = new MemoryLedger()
    ledger.credit(1, grant(10, { expires_at_ms: DUE + 2, priority: 0 }))
    ledger.credit(1, grant(20, { expires_at_ms: DUE + 1, priority: 100 }))
    ledger.credit(1, grant(30, { expires_at_ms: DUE + 2, lot_kind: 'paid', priority: 0 }))
    ledger.credit(1, grant(40))
    ledger.credit(DUE + 9, grant(1))
    expect(statement(ledger).slice(4)).toMatchObject([
      { type: 'EXPIRATION', amount: -20, lots: [[2, -20]], effective_at_ms: DUE + 1, balance_after: 80 },
      { type: 'EXPIRATION', amount: -10, lots: [[1, -10]], effective_at_ms: DUE + 2, balance_after: 70 },
      { type: 'EXPIRATION', amount: -30, lots: [[3, -30]], effective_at_ms: DUE + 2, balance_after: 40 },
      { type: 'GRANT', amount: 1, balance_after: 41 },
    ])
  })

  it('expires once, for a request and an alarm alike', () => {
    const ledger = new MemoryLedger()
    ledger.credit(1, grant(10, { expires_at_ms: DUE }))
    ledger.burn(DUE, eventItem(5))
    ledger.burn(DUE + 1, eventItem(5))
    ledger.credit(DUE + 2, grant(7))
    expect(statement(ledger).map(({ type }) => type)).toEqual(['GRANT', 'EXPIRATION', 'GRANT'])
  })

  it('is not touched by a replay: the result stays the same', () => {
    const ledger = new MemoryLedger()
    ledger.credit(1, grant(10, { expires_at_ms: DUE }))
    ledger.burn(2, eventItem(5, { key: 'k' }))
    expect(ledger.burn(DUE, eventItem(5, { key: 'k' })).kind).toBe('replayed')
    expect(ledger.entries).toHaveLength(2)
  })

  it('still expires when the clock of the machine runs backwards, because the time of the ledger does not', () => {
    const ledger = new MemoryLedger()
    ledger.credit(1, grant(10, { expires_at_ms: DUE }))
    ledger.credit(DUE, grant(1, { owner: { kind: 'user', id: 'u' } }))
    expect(ledger.burn(2, eventItem(5))).toMatchObject({ refusal: { code: 'insufficient_credits' } })
  })

  it('is refused if it has expired already', () => {
    const ledger = new MemoryLedger()
    expect(ledger.credit(DUE, grant(10, { expires_at_ms: DUE }))).toMatchObject({
      kind: 'refused',
      refusal: { code: 'invalid_request', errors: [{ path: '/expires_at' }] },
    })
    expect(ledger.credit(DUE, grant(10, { expires_at_ms: DUE + 1 })).kind).toBe('done')
  })
})

describe('the limits of a wallet', () => {
  const REFUSED = { kind: 'refused', refusal: { code: 'too_many_open', what: 'lots', limit: 1000 } }

  function fullLedger(options: Parameters<typeof grant>[1] = {}): MemoryLedger {
    const ledger = new MemoryLedger()
    for (let i = 0; i < MAX_OPEN_LOTS; i++) {
      expect(ledger.credit(1, grant(1, i === 0 ? options : {})).kind).toBe('done')
    }
    return ledger
  }

  it('refuses lot 1,001 and changes nothing', () => {
    const ledger = fullLedger()
    expect(ledger.credit(2, grant(1, { idempotency: { key: 'k', fingerprint: 'f' } }))).toEqual(REFUSED)
    expect(ledger.walletOf()).toMatchObject({ balance: MAX_OPEN_LOTS })
    expect(ledger.entries).toHaveLength(MAX_OPEN_LOTS)
    expect(ledger.usedKeys([{ key: 'k', fingerprint: 'f' }]).size).toBe(0)
  })

  it('has room again when a burn closes a lot', () => {
    const ledger = fullLedger()
    ledger.burn(2, eventItem(1))
    expect(ledger.credit(3, grant(1)).kind).toBe('done')
    expect(ledger.credit(4, grant(1))).toEqual(REFUSED)
  })

  it('has room again when a lot expires, even without a request since', () => {
    const ledger = fullLedger({ expires_at_ms: DUE })
    expect(ledger.credit(DUE - 1, grant(1))).toEqual(REFUSED)
    expect(ledger.credit(DUE, grant(1)).kind).toBe('done')
  })

  it('counts lots by wallet', () => {
    expect(fullLedger().credit(2, grant(1, { owner: { kind: 'user', id: 'u' } })).kind).toBe('done')
  })

  it('burns all of 1,000 lots with one event', () => {
    const ledger = fullLedger()
    expect(ledger.burn(2, eventItem(MAX_OPEN_LOTS))).toMatchObject({ entry: { balance_after: 0 } })
    expect(ledger.entries.at(-1)?.lots).toHaveLength(MAX_OPEN_LOTS)
  })

  it('holds exactly 8e9 credits, and refuses one micro-credit more', () => {
    const ledger = new MemoryLedger()
    expect(ledger.credit(1, grant(MAX_MICRO_CREDITS - 5)).kind).toBe('done')
    expect(ledger.credit(2, grant(6))).toMatchObject({ kind: 'refused', refusal: { code: 'conflict' } })
    expect(ledger.credit(3, grant(5)).kind).toBe('done')
    expect(ledger.credit(4, grant(1))).toMatchObject({ kind: 'refused', refusal: { code: 'conflict' } })
    expect(ledger.walletOf()).toMatchObject({ balance: MAX_MICRO_CREDITS })
    expect(ledger.burn(5, eventItem(MAX_MICRO_CREDITS))).toMatchObject({ entry: { balance_after: 0 } })
  })

  it('returns the exact required amount of an event that no wallet could ever pay', () => {
    const ledger = new MemoryLedger()
    const price_version = 'test'
    const cost = { micro: 8_000_000_000_000_000, pico: 1 }
    expect(ledger.burn(1, eventItem(0, { charge: { kind: 'priced', cost, price_version } }))).toMatchObject({
      kind: 'refused',
      refusal: { code: 'insufficient_credits', balance: '0', required: '16000000000000' },
    })
  })
})
