import { describe, expect, it } from 'vitest'
import { type VersionTimes, versionInForce } from '../../src/pricing/burn-table/versions.ts'

/**
 * Parses versions of burn tables in the form `table from-to [began time] [x deactivated]`. The versions have the
 * numbers 2, 3 and so on, in the order in which they were saved.
 */
function versions(...written: string[]): VersionTimes[] {
  return written.map((text, index) => {
    const [, table_id = '', from, to, began, deactivated] =
      /^(\w) (\d+)-(\d*)(?: began (\d+))?(?: x(\d+))?$/.exec(text) ?? []
    return {
      version: index + 2,
      table_id,
      effective_from_ms: Number(from),
      effective_to_ms: to ? Number(to) : null,
      began_at_ms: Number(began ?? from),
      deactivated_at_ms: deactivated === undefined ? null : Number(deactivated),
    }
  })
}

describe('the version in force', () => {
  it.each<[string, VersionTimes[], [at: number, version: number | undefined][]]>([
    ['none before there is one', versions(), [[0, undefined]]],
    [
      'from its time on',
      versions('a 10-'),
      [
        [9, undefined],
        [10, 2],
        [1e9, 2],
      ],
    ],
    [
      'to its end, which is not in it',
      versions('a 10-20'),
      [
        [19, 2],
        [20, undefined],
      ],
    ],
    [
      'the newer one of a table from its time on',
      versions('a 10-', 'a 20- began 10'),
      [
        [19, 2],
        [20, 3],
      ],
    ],
    [
      'not the older one again when the newer has ended',
      versions('a 10-', 'a 20-30 began 10'),
      [
        [29, 3],
        [30, undefined],
      ],
    ],
    ['the last of two versions of one moment', versions('a 10-', 'a 20-', 'a 20-'), [[20, 4]]],
    [
      'the last edit, though one before it was to begin later',
      versions('a 10-', 'a 50- began 50', 'a 20- began 10'),
      [
        [20, 4],
        [60, 4],
      ],
    ],
    [
      'the table that began last',
      versions('a 10-', 'b 20-'),
      [
        [19, 2],
        [20, 3],
      ],
    ],
    ['the table that was saved last, of two that began together', versions('a 10-', 'b 10-'), [[10, 3]]],
    [
      'the other table, when the one that began last has ended',
      versions('a 10-', 'b 20-30'),
      [
        [25, 3],
        [30, 2],
      ],
    ],
    [
      'the table that began last, though the other was edited since',
      versions('a 10-', 'b 20-', 'a 30- began 10'),
      [[30, 3]],
    ],
    [
      'an edited table that was given a later beginning',
      versions('a 10-', 'b 20-', 'a 30- began 30'),
      [
        [29, 3],
        [30, 4],
      ],
    ],
    [
      'none of a table from its deactivation on',
      versions('a 10-', 'a 20- began 10 x30'),
      [
        [15, 2],
        [29, 3],
        [30, undefined],
      ],
    ],
    [
      'the other table from a deactivation on',
      versions('a 10-', 'b 20- x30'),
      [
        [29, 3],
        [30, 2],
      ],
    ],
    [
      'none of a table that was deactivated before it began',
      versions('a 50- x30'),
      [
        [40, undefined],
        [60, undefined],
      ],
    ],
  ])('%s', (_, all, expected) => {
    expect(expected.map(([at]) => [at, versionInForce(all, at).version?.version])).toEqual(expected)
  })

  it('is returned with the interval in which it is in force', () => {
    const all = versions('a 10-40', 'b 20- x30', 'a 35- began 10')
    for (let at = 0; at < 60; at++) {
      const { version, from_ms, to_ms } = versionInForce(all, at)
      expect(from_ms <= at && at < to_ms).toBe(true)
      for (let other = Math.max(0, from_ms); other < Math.min(60, to_ms); other++) {
        expect(versionInForce(all, other).version).toBe(version)
      }
    }
  })
})
