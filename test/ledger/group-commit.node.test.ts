import { describe, expect, it } from 'vitest'
import { GroupCommit, MAX_WAITING_WEIGHT } from '../../src/ledger/commit/commits.ts'
import type { Draft } from '../../src/ledger/commit/draft.ts'
import { applyCredit } from '../../src/ledger/credits/credit.ts'
import { ZERO_CREDITS } from '../../src/pricing/money.ts'
import { MemoryLedger } from '../support/memory-ledger.ts'
import { grant } from '../support/messages.ts'

/**
 * Creates a group commit on a ledger in memory. `log` has the commits that succeed. A commit fails if `fails` returns
 * true for its number.
 */
function groupWith(fails: (attempt: number) => boolean = () => false, durable = async () => {}) {
  const ledger = new MemoryLedger()
  const log: string[] = []
  let attempt = 0
  const commit = (change: (draft: Draft) => void) => {
    attempt++
    ledger.commit(0, (draft) => {
      change(draft)
      if (fails(attempt)) throw new Error(`commit ${attempt} failed`)
    })
    log.push(`commit ${attempt}`)
  }
  const group = new GroupCommit(commit, durable)
  return { group, log, ledger }
}

/** Returns a request that adds an entry with this name. The entries show how often each request is committed. */
function mark(name: string) {
  return (draft: Draft) => {
    applyCredit(draft, grant(1, { reason: name }))
    return name
  }
}

function marks(ledger: MemoryLedger): (string | undefined)[] {
  return ledger.entries.map((entry) => entry.description)
}

describe('requests that arrive together', () => {
  it('share one commit, in the order of their arrival, and get their results after it', async () => {
    const { group, log, ledger } = groupWith()
    const answers = ['a', 'b', 'c'].map(async (name) => log.push(await group.submit(1, mark(name))))
    await Promise.all(answers)
    expect(log).toEqual(['commit 1', 'a', 'b', 'c'])
    expect(marks(ledger)).toEqual(['a', 'b', 'c'])
  })

  it('see the changes of the earlier ones', async () => {
    const { group } = groupWith()
    const first = group.submit(1, (draft) => draft.createWallet({ kind: 'user', id: 'u' }).number)
    const second = group.submit(1, (draft) => draft.wallet({ kind: 'user', id: 'u' })?.number)
    expect(await Promise.all([first, second])).toEqual([2, 2])
  })

  it('are not joined by a request that arrives after the commit', async () => {
    const { group, log } = groupWith()
    const later = group.submit(1, mark('a')).then(() => group.submit(1, mark('b')))
    await later
    expect(log).toEqual(['commit 1', 'commit 2'])
  })

  it('share the next commit when they arrive while one becomes durable', async () => {
    let becomesDurable = () => {}
    const { group, log } = groupWith(undefined, () => new Promise((resolve) => (becomesDurable = resolve)))
    const submit = async (name: string) => log.push(await group.submit(1, mark(name)))
    await submit('a')
    const later = [submit('b'), submit('c')]
    await Promise.resolve()
    expect(log).toEqual(['commit 1', 'a'])
    becomesDurable()
    await Promise.all(later)
    expect(log).toEqual(['commit 1', 'a', 'commit 2', 'b', 'c'])
  })

  it('are divided when they are too large for one commit, and keep their order', async () => {
    const { group, log, ledger } = groupWith()
    const names = Array.from({ length: 9 }, (_, i) => String(i))
    await Promise.all(names.map((name) => group.submit(1000, mark(name))))
    expect(log).toEqual(['commit 1', 'commit 2', 'commit 3'])
    expect(marks(ledger)).toEqual(names)
  })

  it('are divided when they make too many records for one commit', async () => {
    const { group, log } = groupWith()
    const many = (draft: Draft) => {
      const wallet = draft.createWallet({ kind: 'user', id: 'u' })
      for (let i = 0; i < 900; i++)
        draft.append(wallet, { type: 'ADJUSTMENT', amount: ZERO_CREDITS, lots: [] })
    }
    await Promise.all(Array.from({ length: 4 }, () => group.submit(1, many)))
    expect(log).toEqual(['commit 1', 'commit 2'])
  })

  it('accept a request that is larger than a commit should be', async () => {
    const { group, log } = groupWith()
    await Promise.all([group.submit(9000, mark('a')), group.submit(1, mark('b'))])
    expect(log).toEqual(['commit 1', 'commit 2'])
  })
})

describe('a commit that throws', () => {
  const bug = () => {
    throw new Error('a bug in one request')
  }

  it('for one request does not fail its neighbours: each runs alone once', async () => {
    const { group, log, ledger } = groupWith()
    const results = await Promise.allSettled([
      group.submit(1, mark('a')),
      group.submit(1, bug),
      group.submit(1, mark('c')),
    ])
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(results[1]).toMatchObject({ reason: { message: 'a bug in one request' } })
    expect(marks(ledger)).toEqual(['a', 'c'])
    // The log has neither the shared commit (1) nor the commit of the faulty request (3), because both are rolled back.
    expect(log).toEqual(['commit 2', 'commit 4'])
  })

  it('once, for all of them, is repeated for each alone without a duplicate change', async () => {
    const { group, ledger } = groupWith((attempt) => attempt === 1)
    await Promise.all([group.submit(1, mark('a')), group.submit(1, mark('b'))])
    expect(marks(ledger)).toEqual(['a', 'b'])
  })

  it('always, fails every request with its error after a bounded number of tries', async () => {
    let attempts = 0
    const { group, ledger } = groupWith((attempt) => {
      attempts = attempt
      return true
    })
    const results = await Promise.allSettled([group.submit(1, mark('a')), group.submit(1, mark('b'))])
    expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected'])
    expect(attempts).toBe(3)
    expect(ledger.records).toEqual([])
  })

  it('alone fails that request, and the next one works', async () => {
    const { group } = groupWith((attempt) => attempt === 1)
    await expect(group.submit(1, mark('a'))).rejects.toThrow('commit 1 failed')
    await expect(group.submit(1, mark('a'))).resolves.toBe('a')
  })
})

describe('what waits', () => {
  it('is bounded, and finished work makes room', async () => {
    const { group } = groupWith()
    const requests = MAX_WAITING_WEIGHT / 1000
    const waiting = Array.from({ length: requests }, (_, i) => group.submit(1000, mark(String(i))))
    expect(group.hasRoom(1)).toBe(false)
    expect(group.hasRoom(0)).toBe(true)
    await Promise.all(waiting)
    expect(group.hasRoom(MAX_WAITING_WEIGHT)).toBe(true)
    expect(group.hasRoom(MAX_WAITING_WEIGHT + 1)).toBe(false)
  })

  it('frees its room even when it fails', async () => {
    const { group } = groupWith(() => true)
    await Promise.allSettled(Array.from({ length: 20 }, (_, i) => group.submit(1000, mark(String(i)))))
    expect(group.hasRoom(MAX_WAITING_WEIGHT)).toBe(true)
  })
})
