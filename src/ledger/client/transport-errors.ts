/**
 * The meaning of a failed call to an object:
 * - `passing`: the connection or the object broke; it may work again at once, but the call may have been done;
 * - `overloaded`: the object has too much to do; trying again makes it worse;
 * - `bug`: the object's own code threw.
 */
export type TransportFailure = 'passing' | 'overloaded' | 'bug'

/** Reads the flags that the runtime puts on its errors; `instanceof` does not survive RPC. */
export function classifyTransportError(error: unknown): TransportFailure {
  if (hasFlag(error, 'overloaded')) return 'overloaded'
  if (hasFlag(error, 'retryable') || hasFlag(error, 'durableObjectReset')) return 'passing'
  return error instanceof Error && isResetMessage(error.message) ? 'passing' : 'bug'
}

/**
 * Whether the object has no such method, so that the call did nothing: for a few seconds, it may run an
 * earlier deployment.
 */
export function lacksMethod(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('The RPC receiver does not implement')
}

function hasFlag(error: unknown, flag: string): boolean {
  return typeof error === 'object' && error !== null && Reflect.get(error, flag) === true
}

/** Whether a message is the runtime's for a reset. Some resets reach the caller without a flag. */
function isResetMessage(message: string): boolean {
  return (
    message.includes('Durable Object reset') ||
    message.includes('Network connection lost') ||
    message.includes('Durable Object storage operation exceeded timeout')
  )
}
