import fc from 'fast-check'
import { expect, inject, it, vi } from 'vitest'
import type { KeyHash } from '../../src/ledger/idempotency/hash.ts'
import { type KeysJournal, TINY } from '../support/keys-journal.ts'
import { withKeysJournal } from '../support/with-keys-journal.ts'

vi.setConfig({ testTimeout: 120_000 })

/**
 * Compares the store of idempotency keys with a Map, for random sequences of commits, rolled-back commits, deletions of
 * old keys, and restarts. The limits are so low that one of every few commits writes a run or a segment.
 */

const UNIVERSE = Array.from({ length: 300 }, (_, i) => (i % 7 === 0 ? `ключ-${i}` : `key-${i}`))

/** Returns one of only three hash values, so that the keys of every bucket and every look-up collide. */
const weak = (key: string): KeyHash => ({ low: 7, high: Math.imul(key.length % 3, 0x5555_5555) >>> 0 })
/**
 * Returns a hash value from the last two characters of the key, so that some keys have equal hashes, and some hashes
 * have equal first bits.
 */
const middling = (key: string): KeyHash => ({
  low: key.charCodeAt(key.length - 1),
  high: Math.imul(key.charCodeAt(key.length - 2), 0x0900_0001) >>> 0,
})
const HASHES = { keyed: undefined, weak, middling } as const

type Step =
  | { readonly op: 'commit' | 'undone commit'; readonly keys: readonly number[]; readonly later_ms: number }
  | { readonly op: 'forget' | 'undone forget'; readonly older_than_ms: number }
  | { readonly op: 'start' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      op: fc.constantFrom('commit' as const, 'commit' as const, 'commit' as const, 'undone commit' as const),
      keys: fc.array(fc.nat(UNIVERSE.length - 1), { maxLength: 12 }),
      later_ms: fc.nat(3),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constantFrom('forget' as const, 'forget' as const, 'undone forget' as const),
      older_than_ms: fc.nat(20),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ op: 'start' }) },
)

interface Remembered {
  readonly fingerprint: string
  readonly row: number
  readonly at_ms: number
}

function live(keys: KeysJournal, steps: readonly Step[]): void {
  const model = new Map<string, Remembered>()
  let now_ms = Date.now() + 1000
  for (const step of steps) {
    switch (step.op) {
      case 'start':
        keys.restart()
        break
      case 'commit':
      case 'undone commit': {
        now_ms += step.later_ms
        const asked = [...new Set(step.keys)].flatMap((index) => UNIVERSE[index] ?? [])
        const used = keys.remembered(asked)
        const fresh = asked.filter((key) => !used.has(key))
        expect(fresh).toEqual(asked.filter((key) => !model.has(key)))
        const undo = step.op === 'undone commit'
        keys.commit(fresh, now_ms, undo)
        if (undo) break
        const row = keys.journal.lastRow
        for (const key of fresh) model.set(key, { fingerprint: `f:${key}@${now_ms}`, row, at_ms: now_ms })
        break
      }
      case 'forget':
      case 'undone forget': {
        const before_ms = now_ms - step.older_than_ms
        const undo = step.op === 'undone forget'
        keys.forgetBefore(before_ms, undo)
        if (undo) break
        // The store never deletes the keys in the last row of the journal.
        for (const [key, { at_ms, row }] of model)
          if (at_ms < before_ms && row < keys.journal.lastRow) model.delete(key)
        break
      }
    }
    const all = [...keys.remembered(UNIVERSE)].sort()
    expect(all).toEqual([...model].map(([key, { fingerprint }]) => [key, fingerprint]).sort())
  }
}

it.each(['keyed', 'weak', 'middling'] as const)(
  'the key store agrees with a Map, with a %s hash',
  async (name) => {
    const { seed, runs } = inject('fuzz')
    const hash = HASHES[name]
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }), (steps) =>
        withKeysJournal({ limits: TINY, ...(hash && { hash }) }, (keys) => live(keys, steps)),
      ),
      { numRuns: runs ?? 30, ...(seed !== undefined && { seed }) },
    )
  },
)
