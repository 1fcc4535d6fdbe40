import { describe, expect, it } from 'vitest'
import {
  classifyTransportError,
  lacksMethod,
  type TransportFailure,
} from '../../src/ledger/client/transport-errors.ts'

interface Case {
  readonly name: string
  readonly error: unknown
  readonly is: TransportFailure
}

/** Returns an error as RPC delivers it: it has the properties of the runtime's error, but not its class. */
function rpcError(message: string, flags: Readonly<Record<string, boolean>> = {}): Error {
  return Object.assign(new Error(message), { remote: true }, flags)
}

const cases: readonly Case[] = [
  {
    name: 'a lost connection that the runtime calls retryable',
    error: rpcError('Network connection lost.', { retryable: true }),
    is: 'passing',
  },
  {
    name: 'an object that was reset by a deploy',
    error: rpcError('Durable Object reset because its code was updated.', { durableObjectReset: true }),
    is: 'passing',
  },
  {
    name: 'a reset without a flag, by its words',
    error: rpcError(
      'Internal error in Durable Object storage caused object to be reset: Durable Object reset',
    ),
    is: 'passing',
  },
  { name: 'a lost connection without a flag', error: new Error('Network connection lost.'), is: 'passing' },
  {
    name: 'a storage that took too long',
    error: new Error('Durable Object storage operation exceeded timeout which caused object to be reset.'),
    is: 'passing',
  },
  {
    name: 'an overloaded object',
    error: rpcError('Durable Object is overloaded. Too many requests queued.', { overloaded: true }),
    is: 'overloaded',
  },
  {
    name: 'an overloaded object that is also retryable: trying again makes it worse',
    error: rpcError('Durable Object is overloaded.', { overloaded: true, retryable: true }),
    is: 'overloaded',
  },
  {
    name: 'a flag that is false',
    error: rpcError('boom', { retryable: false, overloaded: false, durableObjectReset: false }),
    is: 'bug',
  },
  { name: 'an error that our own code threw', error: new TypeError('x is undefined'), is: 'bug' },
  { name: 'a string that was thrown', error: 'Network connection lost.', is: 'bug' },
  { name: 'null', error: null, is: 'bug' },
  { name: 'undefined', error: undefined, is: 'bug' },
]

describe('a call of a method that the object does not have', () => {
  it.each([
    ['in a deployment', 'The RPC receiver does not implement the method "ingest".', true],
    ['in the tests of this project', 'The RPC receiver does not implement "ingest".', true],
    ['but threw something else', 'does not implement', false],
  ])('is recognised by the message of the runtime %s', (_where, message, is) => {
    expect(lacksMethod(rpcError(message))).toBe(is)
  })
})

describe('a failed call to a ledger object', () => {
  it.each(cases)('is $is: $name', ({ error, is }) => {
    expect(classifyTransportError(error)).toBe(is)
  })
})
