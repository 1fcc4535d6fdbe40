/**
 * The meaning of a failed call to an object:
 * - `passing`: the connection or the object failed. The next call can succeed, but the object might have executed the
 *   failed call.
 * - `overloaded`: the object has too many requests. A retry would increase its load.
 * - `bug`: any other error, such as an exception of the object's own code.
 */
export type TransportFailure = 'passing' | 'overloaded' | 'bug'

/**
 * Returns the meaning of an error. Reads the flags that the runtime sets on its errors, because `instanceof` does not
 * work across RPC.
 */
export function classifyTransportError(error: unknown): TransportFailure {
  if (hasFlag(error, 'overloaded')) return 'overloaded'
  if (hasFlag(error, 'retryable') || hasFlag(error, 'durableObjectReset')) return 'passing'
  return error instanceof Error && isResetMessage(error.message) ? 'passing' : 'bug'
}

/**
 * Reports whether the object lacks the called method, so the call had no effect. An object can run an earlier
 * deployment for a few seconds.
 */
export function lacksMethod(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('The RPC receiver does not implement')
}

function hasFlag(error: unknown, flag: string): boolean {
  return typeof error === 'object' && error !== null && Reflect.get(error, flag) === true
}

/**
 * Reports whether a message is the runtime's message for a reset or a lost connection. The runtime does not set a flag
 * on all of these errors.
 */
function isResetMessage(message: string): boolean {
  return (
    message.includes('Durable Object reset') ||
    message.includes('Network connection lost') ||
    message.includes('Durable Object storage operation exceeded timeout')
  )
}
