import fc from 'fast-check'
import { describe, expect, inject, it } from 'vitest'
import { sizeOf } from '../../../src/db/json-parameters.ts'
import { USAGE_UNITS } from '../../../src/pricing/usage.ts'
import type { UsageDelta } from '../../../src/usage/cells/delta.ts'
import {
  MAX_MESSAGE_BYTES,
  parseUsageMessage,
  type UsageMessage,
  usageMessages,
} from '../../../src/usage/queue/message.ts'
import { deltas, reference, said } from './arbitraries.ts'

const { seed, runs } = inject('fuzz')
const options = { numRuns: runs ?? 300, ...(seed !== undefined && { seed }) }
const LEDGER = 'cust_01h:test'

function range(to_entry: number, after_entry = 0) {
  return { ledger_id: LEDGER, after_entry, to_entry, at_ms: 1_790_000_000_000 }
}

/** Returns a copy of the message as the queue delivers it: serialized and parsed again. */
function sent(message: UsageMessage): unknown {
  return JSON.parse(JSON.stringify(message))
}

function parsed(message: UsageMessage) {
  const result = parseUsageMessage(sent(message))
  if (result.kind === 'poison') throw new Error(result.reason)
  return result.message
}

/** Returns the usage of an entry that takes as much space in a message as possible. */
function largest(entry: number): UsageDelta {
  const units = [
    ...Object.keys(USAGE_UNITS),
    ...Array.from({ length: 20 }, (_, i) => `u${i}`.padEnd(64, '_')),
  ]
  return {
    entry,
    timestamp_ms: 1_790_000_000_000 + entry * 3_600_000,
    event_type: 'CUSTOM',
    feature_id: [...`${entry} ${'🦄'.repeat(255)}`].slice(0, 255).join(''),
    provider: '"'.repeat(255),
    model: `${entry}${'\\'.repeat(255)}`.slice(0, 255),
    user: 9_000_000_000_000_000 + entry,
    team: 9_000_000_000_000_000 + entry,
    events: 1,
    units: Object.fromEntries(units.map((unit) => [unit, 9_999_999_999_999_123_456_789n])),
    credits_micro: 8_000_000_000_000_000,
    cost_pico: 8_000_000_000_000_000_000_001n,
    price_pico: 8_000_000_000_000_000_000_001n,
    paid_pico: 8_000_000_000_000_000_000_001n,
  }
}

function small(entry: number, more: Partial<UsageDelta> = {}): UsageDelta {
  return {
    entry,
    timestamp_ms: 1_790_000_000_000,
    event_type: 'TOKEN_USAGE',
    feature_id: 'chat',
    provider: 'OPENAI',
    model: 'gpt-4o',
    events: 1,
    units: { input_tokens: 1_000_000_000_000n },
    credits_micro: 15_000_000,
    cost_pico: 7_500_000_000n,
    price_pico: 15_000_000_000n,
    paid_pico: 0n,
    ...more,
  }
}

describe('the messages of a flush', () => {
  it('contain the usage of its entries once, without a gap between them, within the size of a message', () => {
    fc.assert(
      fc.property(deltas(300), fc.nat(3), (all, more) => {
        const to_entry = (all.at(-1)?.entry ?? 0) + more + 1
        const messages = usageMessages(range(to_entry), all)
        let reached = 0
        for (const message of messages) {
          expect(message.after_entry).toBe(reached)
          expect(sizeOf(JSON.stringify(message))).toBeLessThanOrEqual(MAX_MESSAGE_BYTES)
          const own = all.filter(({ entry }) => entry > reached && entry <= message.to_entry)
          expect(said(parsed(message).cells)).toEqual(reference(own))
          reached = message.to_entry
        }
        expect(reached).toBe(to_entry)
        expect(messages.map(({ at_ms }) => at_ms).lastIndexOf(null)).toBe(messages.length - 2)
      }),
      options,
    )
  })

  it('are the same bytes every time', () => {
    const all = Array.from({ length: 500 }, (_, i) =>
      small(i + 1, { feature_id: `feature ${i}`, user: i + 1 }),
    )
    const once = JSON.stringify(usageMessages(range(500), all))
    expect(
      JSON.stringify(
        usageMessages(
          range(500),
          all.map((delta) => ({ ...delta })),
        ),
      ),
    ).toBe(once)
  })

  it('are one message if there is no usage, so that the watermark moves', () => {
    expect(usageMessages(range(7, 3), [])).toMatchObject([{ after_entry: 3, to_entry: 7, cells: { c: [] } }])
  })

  it('fit a queue even if every entry has the maximum size', () => {
    const all = Array.from({ length: 60 }, (_, i) => largest(i + 1))
    const messages = usageMessages(range(60), all)
    expect(messages.length).toBeGreaterThan(4)
    for (const message of messages) {
      expect(sizeOf(JSON.stringify(message))).toBeLessThanOrEqual(MAX_MESSAGE_BYTES)
      parsed(message)
    }
  })

  it('take 6,000 usual events in one message, and well above 100 of different users', () => {
    const usual = Array.from({ length: 6_000 }, (_, i) => small(i + 1, { user: (i % 40) + 1 }))
    expect(usageMessages(range(6_000), usual)).toHaveLength(1)
    const users = Array.from({ length: 6_000 }, (_, i) => small(i + 1, { user: i + 1 }))
    expect(usageMessages(range(6_000), users).length).toBeLessThan(6_000 / 400)
  })

  it('refuse usage outside the range, or out of order', () => {
    expect(() => usageMessages(range(3), [small(4)])).toThrow(/out of order/)
    expect(() => usageMessages(range(9, 4), [small(4)])).toThrow(/out of order/)
    expect(() => usageMessages(range(9), [small(2), small(2)])).toThrow(/out of order/)
  })
})

describe('the version of a message', () => {
  /**
   * The text of a message of an earlier version, which has no API keys. A rebuild from the same pages must create
   * exactly this text.
   */
  const VERSION_1 =
    '{"v":1,"ledger_id":"cust_1","after_entry":0,"to_entry":3,"at_ms":5,"cells":{"h":497222,' +
    '"s":["OPENAI","TOKEN_USAGE","chat","gpt-4o","input_tokens","o3"],"k":[[2,0,3,1],[2,0,5,1]],"u":[[4]],' +
    '"c":[[0,0,0,0,0,1,15000000,7500000000,15000000000,0,1000],[0,0,3,0,0,1,15000000,7500000000,15000000000,0,1000],' +
    '[0,1,0,4,0,1,15000000,7500000000,15000000000,0,1000]]}}'
  const three = (more: Partial<UsageDelta> = {}) => [
    small(1, more),
    small(2, { user: 3, ...more }),
    small(3, { team: 4, model: 'o3', ...more }),
  ]
  const three_entries = { ledger_id: 'cust_1', after_entry: 0, to_entry: 3, at_ms: 5 }

  it('is 1 without API keys, and its bytes are those of earlier versions', () => {
    const [message] = usageMessages(three_entries, three())
    expect(JSON.stringify(message)).toBe(VERSION_1)
    const read = parseUsageMessage(JSON.parse(VERSION_1))
    expect(read.kind === 'message' && read.message.cells.map(({ key }) => key)).toEqual([null, null, null])
  })

  it('is 2 with API keys, each key once in its strings', () => {
    const key = 'key_01m831n6cg3ansb1rpmw7fxj7b'
    const [message] = usageMessages(three_entries, three({ key }))
    const text = JSON.stringify(message)
    expect(message?.v).toBe(2)
    expect(text.split(key)).toHaveLength(2)
    expect(sizeOf(text) - sizeOf(VERSION_1)).toBeLessThan(50)
    const read = parseUsageMessage(JSON.parse(text))
    expect(read.kind === 'message' && read.message.cells.map((cell) => cell.key)).toEqual([key, key, key])
  })

  it('that does not match its cells is poison', () => {
    const [keyed] = usageMessages(three_entries, three({ key: 'key_1' }))
    expect(parseUsageMessage(JSON.parse(JSON.stringify({ ...keyed, v: 1 }))).kind).toBe('poison')
    expect(parseUsageMessage({ ...JSON.parse(VERSION_1), v: 2 }).kind).toBe('poison')
  })
})

describe('a body that no ledger sent', () => {
  const [message] = usageMessages(range(3), [
    small(1),
    small(2, { user: 3 }),
    small(3, { team: 4, model: 'o3' }),
  ])
  const good = JSON.parse(JSON.stringify(message))

  it('differs from one that was sent', () => {
    expect(parseUsageMessage(good).kind).toBe('message')
  })

  it.each(oddBodies(good))('is poison, with a reason: %s', (_, body) => {
    const result = parseUsageMessage(body)
    expect(result.kind).toBe('poison')
    if (result.kind === 'poison') expect(result.reason.length).toBeGreaterThan(10)
  })

  it('never throws and never counts wrong usage, for any change of a valid body', () => {
    const texts = fc.record({
      at: fc.nat(),
      by: fc.constantFrom('0', '9', '-', '"', ',', ']', '[', '1e3', 'null', ' '),
    })
    const text = JSON.stringify(good)
    fc.assert(
      fc.property(texts, ({ at, by }) => {
        const place = at % text.length
        let body: unknown
        try {
          body = JSON.parse(`${text.slice(0, place)}${by}${text.slice(place + 1)}`)
        } catch {
          return
        }
        const result = parseUsageMessage(body)
        if (result.kind === 'message') expect(sizeOf(JSON.stringify(body))).toBeLessThan(MAX_MESSAGE_BYTES)
      }),
      { ...options, numRuns: runs ?? 3_000 },
    )
  })
})

type Path = readonly (string | number)[]

/**
 * Returns a copy of the value in which the part at this path is replaced by `to`. An index after the end of a list adds
 * an item.
 */
function put(value: unknown, [key, ...rest]: Path, to: unknown): unknown {
  if (key === undefined) return to
  if (Array.isArray(value)) {
    const list: unknown[] = [...value]
    list[Number(key)] = put(list[Number(key)], rest, to)
    return list
  }
  const fields = { ...(typeof value === 'object' ? value : {}) }
  return { ...fields, [key]: put(Reflect.get(fields, key), rest, to) }
}

/** Returns a copy of a message whose first cell occurs twice, with a sum of events above 2^53. */
function withTooManyEvents(message: unknown): unknown {
  const cells: { readonly c: readonly (readonly unknown[])[] } = Reflect.get(Object(message), 'cells')
  const cell = cells.c[0]?.with(5, Number.MAX_SAFE_INTEGER)
  return { ...Object(message), cells: { ...cells, c: [cell, cell] } }
}

function without(value: unknown, field: string): unknown {
  return Object.fromEntries(Object.entries(Object(value)).filter(([name]) => name !== field))
}

function oddBodies(good: unknown): [string, unknown][] {
  const whole: unknown[] = [
    null,
    undefined,
    0,
    1n,
    '',
    'poison',
    true,
    [],
    [good],
    {},
    new Date(0),
    new Map([[1, 2]]),
  ]
  const changes: [Path, readonly unknown[]][] = [
    [['v'], [0, 2, '1', null, undefined, 1.5, 1n]],
    [
      ['ledger_id'],
      ['', 'a b', "x' OR 1=1 --", 'cust:live', 'cust:test:test', '../x', 5, null, 'x'.repeat(101), '\u0000'],
    ],
    [['after_entry'], [-1, 0.5, '0', null, 3, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]],
    [['to_entry'], [0, -3, 0.5, '3', null, 2 ** 53]],
    [['at_ms'], [-1, 1.5, 'now', undefined, 1e15]],
    [['extra'], [1, null]],
    [['cells'], [null, [], {}, 'cells', 5]],
    [
      ['cells', 'h'],
      [-1, 0.5, '1', null, 1e9],
    ],
    [
      ['cells', 's'],
      [null, {}, ['chat'], []],
    ],
    [
      ['cells', 's', 0],
      ['', 5, null, 'chat', 'Z'.repeat(511), 'a\u0000b', '\ud800'],
    ],
    [['cells', 's', 6], ['unused']],
    [
      ['cells', 'k'],
      [null, [], [[]]],
    ],
    [
      ['cells', 'k', 0, 0],
      [-1, 99, '2', 0.5, null],
    ],
    [
      ['cells', 'k', 0, 3],
      [2, 99],
    ],
    [['cells', 'k', 0, 4], [0]],
    [
      ['cells', 'u'],
      [null, [], [[4, 4]], [[]]],
    ],
    [
      ['cells', 'u', 0, 0],
      [-1, 99, 'x', null],
    ],
    [
      ['cells', 'c'],
      [null, {}, [[]], [5]],
    ],
    [
      ['cells', 'c', 3],
      [null, [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ],
    [
      ['cells', 'c', 0, 0],
      [-1, 1, 0.5, null, '0'],
    ],
    [
      ['cells', 'c', 0, 1],
      [-1, 9, '0', null],
    ],
    [
      ['cells', 'c', 0, 2],
      [-1, 0.5, '3', null, 2 ** 53],
    ],
    [
      ['cells', 'c', 0, 3],
      [-1, 0.5, null],
    ],
    [
      ['cells', 'c', 0, 4],
      [-1, 1, null],
    ],
    [
      ['cells', 'c', 0, 5],
      [0.5, '1', null, 2 ** 53],
    ],
    [
      ['cells', 'c', 0, 6],
      [0.5, '1', '', null, '1e20', '0x10000000000000000', '9'.repeat(41), ' 99999999999999999999'],
    ],
    [
      ['cells', 'c', 0, 7],
      ['007500000000000000000', '12.5', {}, []],
    ],
    [
      ['cells', 'c', 0, 10],
      [0.5, '1000', '1.0', '1.0000000001', '1,5', 0, null],
    ],
    [['cells', 'c', 0, 11], [1]],
    [['cells', 'more'], [1]],
  ]
  return [
    ...whole.map((body, i): [string, unknown] => [`body ${i}: ${String(body)}`.slice(0, 60), body]),
    ['duplicate cells with too many events', withTooManyEvents(good)],
    ...['v', 'ledger_id', 'after_entry', 'to_entry', 'at_ms', 'cells'].map((field): [string, unknown] => [
      `no ${field}`,
      without(good, field),
    ]),
    ...changes.flatMap(([path, values]) =>
      values.map((value): [string, unknown] => [
        `${path.join('.')} is ${String(value).slice(0, 30)} (${typeof value})`,
        put(good, path, value),
      ]),
    ),
  ]
}
