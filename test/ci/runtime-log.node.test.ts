import { describe, expect, it } from 'vitest'
import { withoutExpected } from '../support/runtime-log.ts'

const aborted =
  'uncaught exception; exception = workerd/api/actor-state.c++:1249: failed: broken.outputGateBroken; jsg.Error: the power failed\nstack: workerd@3cf53e4 workerd@379dc65\n'
const full =
  'uncaught exception; source = Uncaught (in promise); stack = Error: the disk is full\n    at store.write (injection.ts:52:10)\n    at engine.ts:224:46\n'
const real =
  'uncaught exception; source = Uncaught (in promise); stack = Error: wallet 2 is broken: its balance is 7 and its lots hold 5\n    at check (wallet.ts:128:96)\n'

describe('the log of the runtime while tests run', () => {
  it('leaves out exceptions that tests cause, with their stacks', () => {
    expect(withoutExpected(`${aborted}${full}`)).toBe('')
  })

  it('keeps every other exception and all else', () => {
    expect(withoutExpected(`before\n${aborted}${real}${full}after\n`)).toBe(`before\n${real}after\n`)
    expect(withoutExpected('the power failed\n')).toBe('the power failed\n')
    const caused = 'uncaught exception; stack = Error: no power\n    at x: the power failed\n'
    expect(withoutExpected(caused)).toBe(caused)
  })
})
