import { describe, expect, it } from 'vitest'
import { renderBatchAnswer } from '../../src/events/render.ts'
import { stringifyJson } from '../../src/http/output/json.ts'
import type { BatchItemAnswer } from '../../src/ledger/model/answers.ts'
import { microCredits } from '../../src/pricing/money.ts'

/**
 * Tests that the replay of a response stays byte-identical after later deployments, for as long as the idempotency key
 * is kept.
 */

const MOST = microCredits(8_000_000_000_000_000)

function text(results: readonly BatchItemAnswer[]): string {
  return stringifyJson(renderBatchAnswer({ batch_id: 'batch_1', results }))
}

describe('the response to a batch in format 1', () => {
  it('has these bytes', () => {
    const results: BatchItemAnswer[] = [
      {
        status: 'accepted',
        id: 'evt_1',
        credits: microCredits(4_150),
        balance_after: microCredits(-500_000),
      },
      { status: 'duplicate', id: 'evt_2', credits: microCredits(7_000_000), balance_after: microCredits(0) },
      { status: 'rejected', code: 'insufficient_credits', detail: 'A "quoted" detail \\ \u2028.' },
    ]
    expect(text(results)).toBe(
      '{"batch_id":"batch_1","accepted":1,"duplicates":1,"rejected":1,"credits_burned":0.00415,"balance_after":-0.5,"results":[' +
        '{"index":0,"id":"evt_1","status":"accepted","credits_burned":0.00415,"balance_after":-0.5},' +
        '{"index":1,"id":"evt_2","status":"duplicate","credits_burned":7,"balance_after":0},' +
        '{"index":2,"id":null,"status":"rejected","credits_burned":0,"balance_after":null,"error":{"code":"insufficient_credits","detail":"A \\"quoted\\" detail \\\\ \u2028."}}]}',
    )
  })

  it('sums credits exactly, beyond the maximum of one wallet', () => {
    const burned: BatchItemAnswer = {
      status: 'accepted',
      id: 'evt_1',
      credits: MOST,
      balance_after: microCredits(1),
    }
    expect(text([burned, burned, { ...burned, credits: microCredits(1) }])).toContain(
      '"credits_burned":16000000000.000001,',
    )
  })

  it('without an accepted event has no balance', () => {
    expect(text([])).toBe(
      '{"batch_id":"batch_1","accepted":0,"duplicates":0,"rejected":0,"credits_burned":0,"balance_after":null,"results":[]}',
    )
  })
})
