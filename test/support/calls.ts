import { env } from 'cloudflare:workers'
import { vi } from 'vitest'
import { openCall, readOpenHolds, settleCall } from '../../src/ledger/client/client.ts'
import type { CallAnswer, OpenCallMessage, SettledCall } from '../../src/ledger/model/messages/calls.ts'
import type { Refusal } from '../../src/ledger/model/refusal.ts'
import type { PricedEvent } from '../../src/ledger/model/vocabulary.ts'
import { storedBalances, type TestLedger } from './ledgers.ts'
import { CALLER, eventItem } from './messages.ts'

/** Opens and settles provider calls in a ledger. */

export const CREDITS = 1_000_000
export const MINUTE_MS = 60_000

/** Returns an event with `output_tokens` output tokens that costs exactly `credits_micro` micro-credits. */
export function use(credits_micro: number, output_tokens = 100): PricedEvent {
  const { event } = eventItem(credits_micro, { usage: { input_tokens: 1000, output_tokens } })
  if (!event) throw new Error('an item without an event')
  return event
}

export type Opening = Partial<Omit<OpenCallMessage, 'most' | 'least'>> & {
  readonly most?: PricedEvent
  readonly least?: PricedEvent
}

export async function open(ledger: TestLedger, opening: Opening = {}) {
  return openCall(env, ledger.name, {
    caller: CALLER,
    feature_id: 'gateway',
    lifetime_ms: MINUTE_MS,
    most: use(100_000),
    ...opening,
  })
}

export async function opened(ledger: TestLedger, opening: Opening = {}): Promise<CallAnswer> {
  const result = await open(ledger, opening)
  if (result.kind === 'refused') throw new Error(JSON.stringify(result.refusal))
  return result.answer
}

export async function refusal(ledger: TestLedger, opening: Opening = {}): Promise<Refusal> {
  const result = await open(ledger, opening)
  if (result.kind !== 'refused') throw new Error('the call was opened')
  return result.refusal
}

export async function settle(
  ledger: TestLedger,
  { hold, credits: held }: CallAnswer,
  event: PricedEvent | null,
  capped = false,
): Promise<SettledCall> {
  const result = await settleCall(env, ledger.name, {
    hold,
    key_id: CALLER.key_id,
    event,
    capped,
    held,
  })
  if (result.kind === 'refused') throw new Error(JSON.stringify(result.refusal))
  return result.answer
}

export async function reserved(ledger: TestLedger): Promise<number> {
  const result = await readOpenHolds(env, ledger.name, {
    caller: CALLER,
    of: null,
    before_number: null,
    limit: 100,
  })
  if (result.kind === 'refused') throw new Error(result.refusal.code)
  return result.answer.holds.reduce((sum, { hold }) => sum + hold.remaining, 0)
}

export const balance = async (ledger: TestLedger) => (await storedBalances(ledger)).customer

export function later(ms: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms })
}
