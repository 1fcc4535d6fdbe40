import type { Bindings } from '../../bindings.ts'
import { configOf } from '../../config.ts'
import { ledgerKey } from '../../db/ledger-db.ts'
import type { Caller } from '../model/account.ts'
import type { Refused } from '../model/refusal.ts'
import type { LedgerName } from '../model/vocabulary.ts'
import type { LedgerRpc } from '../rpc.ts'
import { openAnswer, sealMessage } from './envelope.ts'
import { waitForObject } from './object-wait.ts'
import { classifyTransportError } from './transport-errors.ts'

/**
 * How the Worker reaches a ledger object. A broken connection and an object that does not answer are `overloaded` or
 * `unavailable`; only bugs throw, and nothing waits for ever.
 */

export type Stub = DurableObjectStub<LedgerRpc>

export const SAFE_TO_REPEAT = true

export interface CallOptions {
  readonly location_hint?: DurableObjectLocationHint
  /** For what works with D1 too, batch after batch: it may take three times as long as other calls. */
  readonly long?: boolean
}

/**
 * A client's question to a ledger; what the ledger counted of it is noted on its caller. A second try is not counted: the
 * first one may have been, and may have been done, and its answer must not become that there were too many.
 */
export function ask<T, M extends { readonly caller: Caller }>(
  env: Bindings,
  ledger: LedgerName,
  message: M,
  repeatable: boolean,
  rpc: (stub: Stub, json: string) => Promise<string>,
  options: CallOptions = {},
): Promise<T | Refused> {
  const { caller } = message
  const asked = ledgerKey(ledger)
  let sent = message
  return call(
    env,
    ledger,
    repeatable,
    async (stub) => {
      const json = sealMessage(sent)
      sent = { ...message, caller: { ...caller, counted_by: [...(caller.counted_by ?? []), asked] } }
      const { body, rate } = openAnswer(await rpc(stub, json))
      if (rate) caller.onCounted?.(asked, rate)
      return JSON.parse(body)
    },
    options,
  )
}

/**
 * One call, and one more with a fresh stub if the runtime says that the failure was passing and repeating is safe:
 * reads are, and what carries an idempotency key. Anything else might have been done, and is not done twice. So might
 * what was not answered in time: it is given up, and with its key it can be sent again.
 */
export async function call<T>(
  env: Bindings,
  ledger: LedgerName,
  repeatable: boolean,
  rpc: (stub: Stub) => Promise<T>,
  { location_hint, long = false }: CallOptions = {},
): Promise<T | Refused> {
  const timeout_ms = configOf(env).ledger_timeout_ms * (long ? 3 : 1)
  const hint = location_hint ? { locationHint: location_hint } : {}
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await waitForObject(() => inTime(rpc(stubOf(env, ledger, hint)), timeout_ms))
      return answer === LATE ? UNAVAILABLE : answer
    } catch (error) {
      const failure = classifyTransportError(error)
      if (failure === 'bug') throw error
      if (failure === 'passing' && repeatable && attempt === 1) continue
      return failure === 'overloaded' ? OVERLOADED : UNAVAILABLE
    }
  }
}

export function stubOf(
  env: Bindings,
  ledger: LedgerName,
  options: DurableObjectNamespaceGetDurableObjectOptions = {},
): Stub {
  return env.LEDGER.get(env.LEDGER.idFromName(ledgerKey(ledger)), options)
}

const OVERLOADED: Refused = { kind: 'refused', refusal: { code: 'overloaded' } }
const UNAVAILABLE: Refused = { kind: 'refused', refusal: { code: 'unavailable' } }
const LATE = Symbol('late')

async function inTime<T>(work: Promise<T>, timeout_ms: number): Promise<T | typeof LATE> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), timeout_ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
