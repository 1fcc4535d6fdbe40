import { AsyncLocalStorage } from 'node:async_hooks'
import type { Bindings } from '../../bindings.ts'
import { configOf } from '../../config.ts'
import { ledgerKey } from '../../db/ledger-db.ts'
import { LATE, withDeadline } from '../../time/durations.ts'
import type { Caller } from '../model/account.ts'
import { parse } from '../model/json.ts'
import { OVERLOADED, type Refused, UNAVAILABLE } from '../model/refusal.ts'
import type { LedgerName } from '../model/vocabulary.ts'
import {
  type LedgerRpc,
  type MessageOf,
  type OperationName,
  operationOf,
  type Reply,
  type ResultOf,
} from '../rpc.ts'
import { classifyTransportError } from './transport-errors.ts'

/**
 * The Worker's calls to a ledger object. If the connection fails, or if the object is overloaded or does not respond
 * before the deadline, a call returns the refusal `overloaded` or `unavailable`. A call throws only because of a bug.
 * `send` differs: it has no deadline and throws on any failure.
 */

export type Stub = DurableObjectStub<LedgerRpc>

export interface CallOptions {
  readonly location_hint?: DurableObjectLocationHint
  readonly long?: boolean
}

/** The message of an operation, with the caller of the client's request. */
export type Asked<N extends OperationName> = MessageOf<N> & { readonly caller: Caller }

/**
 * Sends a client's request and reports the object's rate count to the caller. The object does not count the second try
 * of a call. The object might have counted and executed the first try, so it must not refuse the second try with
 * `rate_limited`.
 */
export function ask<N extends OperationName>(
  env: Bindings,
  ledger: LedgerName,
  name: N,
  request: Asked<N>,
  { post, read }: Post<N> = posting(name, request),
): Promise<ResultOf<N> | Refused> {
  const { caller } = request
  const { repeatable, long } = operationOf(name)
  const key = ledgerKey(ledger)
  let sender: Caller = caller
  return call(
    env,
    ledger,
    repeatable(request),
    async (stub): Promise<ResultOf<N>> => {
      const from = JSON.stringify(sender)
      sender = { ...caller, counted_by: [...(caller.counted_by ?? []), key] }
      const { result, rate } = await post(stub, from)
      if (rate) caller.onCounted?.(key, rate)
      return read(result)
    },
    { long },
  )
}

/** A call, and the parser of its result. `post` accepts the caller as JSON. */
export interface Post<N extends OperationName> {
  readonly post: (stub: Stub, caller: string) => Promise<Reply>
  readonly read: (result: string) => ResultOf<N>
}

function posting<N extends OperationName>(name: N, request: Asked<N>): Post<N> {
  const { caller: _, ...message } = request
  const json = JSON.stringify(message)
  return { post: (stub, caller) => stub.handle(name, caller, json), read: parse }
}

/** Calls an operation with the access `service`. */
export function command<N extends OperationName>(
  env: Bindings,
  ledger: LedgerName,
  name: N,
  message: MessageOf<N>,
  options: Pick<CallOptions, 'location_hint'> = {},
): Promise<ResultOf<N> | Refused> {
  const { repeatable, long } = operationOf(name)
  return call(env, ledger, repeatable(message), (stub) => send(stub, name, message), { ...options, long })
}

const SERVICE = JSON.stringify({ key_id: 'service' })

/** Sends one call with the access `service`. Throws on any failure. */
export async function send<N extends OperationName>(
  stub: Stub,
  name: N,
  message: MessageOf<N>,
): Promise<ResultOf<N>> {
  const { result } = await stub.handle(name, SERVICE, JSON.stringify(message))
  return parse(result)
}

/**
 * Makes a call. Returns a refusal if the call fails. Throws if the cause is a bug. Repeats a repeatable call once, with
 * a fresh stub, if the failure is `passing`. Does not repeat other calls, because the object might have executed them.
 * Abandons a call if no reply arrives before the deadline. The client can then send the request again with its
 * idempotency key.
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
      const answer = await waitForObject(() => withDeadline(rpc(stubOf(env, ledger, hint)), timeout_ms))
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

/**
 * The time for which a request waits for ledger objects. An `AsyncLocalStorage` contains it, so the functions between a
 * route and its calls do not need a parameter for it.
 */
interface Wait {
  waited_ms: number
}

const waits = new AsyncLocalStorage<Wait>()

/**
 * Runs a request and returns how long it waited for ledger objects, in milliseconds. Adds up the durations of
 * concurrent calls.
 */
export async function measureObjectWait(request: () => Promise<unknown>): Promise<number> {
  const wait: Wait = { waited_ms: 0 }
  await waits.run(wait, request)
  return wait.waited_ms
}

/** Makes a call to an object. Adds the duration of the call to the request's wait, even if the call fails. */
export async function waitForObject<T>(call: () => Promise<T>): Promise<T> {
  const started_ms = Date.now()
  try {
    return await call()
  } finally {
    const wait = waits.getStore()
    if (wait) wait.waited_ms += Date.now() - started_ms
  }
}
