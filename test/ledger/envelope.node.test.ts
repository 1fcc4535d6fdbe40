import { describe, expect, it } from 'vitest'
import { callerIn, openAnswer, sealAnswer, sealMessage } from '../../src/ledger/client/envelope.ts'
import type { RateCount } from '../../src/ledger/model/account.ts'

const CALLER = { key_id: 'key_1', mode: 'test', counted_by: ['cust_1', 'cust_1:test'] } as const
const RATE: RateCount = { allowed: true, limit: 100, remaining: 42, resets_in_s: 17 }

describe('the caller of a message', () => {
  it('is read without the rest: that need not even be JSON', () => {
    const json = sealMessage({ items: ['much'], caller: CALLER })
    const broken = `${json.slice(0, json.indexOf('much'))}… and then the connection broke`
    expect(() => JSON.parse(broken)).toThrow()
    expect(callerIn(broken)).toEqual(CALLER)
  })

  it.each([
    ['a brace', '}'],
    ['braces and quotation marks', '"}{"caller":{"key_id":"key_2"}}'],
    ['a backslash', '\\'],
    ['a line break', '\n'],
  ])('is the very same when one of its texts has %s', (_, text) => {
    const caller = { ...CALLER, request_id: text }
    expect(callerIn(sealMessage({ caller, amount: 1 }))).toEqual(caller)
  })

  it('is found in a message that another has written, wherever it stands', () => {
    expect(callerIn(JSON.stringify({ owner: { kind: 'customer' }, caller: CALLER }))).toEqual(CALLER)
  })

  it('is not what the rest of the message says it is', () => {
    const json = sealMessage({ caller: CALLER, metadata: { caller: { key_id: 'key_2' } } })
    expect(callerIn(json)).toEqual(CALLER)
    expect(JSON.parse(json)).toEqual({ caller: CALLER, metadata: { caller: { key_id: 'key_2' } } })
  })

  it('leaves its functions behind', () => {
    const json = sealMessage({ caller: { ...CALLER, onCounted: () => {} }, amount: 1 })
    expect(callerIn(json)).toEqual(CALLER)
  })
})

describe('an answer', () => {
  it.each([
    ['with what was counted', RATE],
    ['without', undefined],
  ])('%s arrives as it was sent', (_, rate) => {
    const result = { kind: 'done', answer: { text: 'two\nlines', line_separator: '\u2028' } }
    const { body, ...opened } = openAnswer(sealAnswer(result, rate))
    expect(JSON.parse(body)).toEqual(result)
    expect(opened).toEqual(rate ? { rate } : {})
  })
})
