import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Ending,
  type Fallback,
  MAX_DELAY_MS,
  MAX_TARGETS,
  type Made,
  nextAttempt,
  OWN,
  parseFallback,
  routeFor,
  type Target,
  verdictOf,
} from '../../src/gateway/fallback.ts'
import { retryAfterMs } from '../../src/http/outbound/retry-after.ts'

const status = (code: number, retry_after_s?: number): Ending => ({
  kind: 'status',
  status: code,
  retry_after_ms: retry_after_s && retry_after_s * 1_000,
})
const BACKUP: Target = { provider_key: 'Backup', model: null }
const SMALL: Target = { provider_key: 'Backup', model: 'small' }
const LOST: Ending = { kind: 'lost' }
const LATE: Ending = { kind: 'timeout', of: 'first_chunk' }

describe('how an attempt ended', () => {
  it.each([
    ['accepted', [200, 206, 301, 400, 405, 413, 415, 422]],
    ['refused', [401, 402, 403, 404, 408, 409, 425, 429, 500, 501, 502, 503, 520, 529]],
    ['ambiguous', [504, 522, 524]],
  ])('is %s for the status %j', (verdict, codes) => {
    for (const code of codes) expect([code, verdictOf(status(code))]).toEqual([code, verdict])
  })

  it.each<[string, Ending]>([
    ['refused', { kind: 'not_sent' }],
    ['ambiguous', LOST],
    ['ambiguous', LATE],
    ['ambiguous', { kind: 'timeout', of: 'headers' }],
    ['abandoned', { kind: 'client_gone' }],
  ])('is %s for %j', (verdict, ending) => {
    expect(verdictOf(ending)).toBe(verdict)
  })
})

describe('the pause that a provider requests with Retry-After', () => {
  const now_ms = Date.parse('2026-11-30T12:00:00Z')

  it.each([
    ['0', 0],
    ['7', 7_000],
    ['1.5', 1_500],
    [' 60 ', 60_000],
    ['Mon, 30 Nov 2026 12:01:00 GMT', 60_000],
    ['Monday, 30-Nov-26 12:01:00 GMT', 60_000],
    ['Mon, 30 Nov 2026 11:00:00 GMT', 0],
    ['9'.repeat(400), 1_000_000_000],
    ['Mon, 30 Nov 9999 12:00:00 GMT', 1_000_000_000],
    ...['-5', '+5', '', 'soon', '1e3', '0x10', '5 s', '2026-12-01', 'Nonsense, 99 Foo 2026'].map(
      (text) => [text, undefined] as const,
    ),
    [null, undefined],
  ] as const)('%j is %j ms', (header, expected) => {
    expect(retryAfterMs(header, now_ms)).toBe(expected)
  })
})

/** Returns the fallback positions of the attempts that are made when the attempts end with `endings` in order. */
function places(fallback: Fallback, endings: readonly Ending[], random = 0): number[] {
  const made: Made[] = []
  for (const ending of endings) {
    const next = nextAttempt(fallback, made, random)
    if (!next) break
    made.push({ place: next.place, target: next.target, ending })
  }
  return made.map(({ place }) => place)
}

describe('the attempts of a call', () => {
  const plan = (...targets: Target[]): Fallback => ({ targets, on_ambiguous: 'next' })

  it.each<[string, Fallback, Ending[], number[]]>([
    ['one without a fallback', plan(), [status(503), status(503)], [0]],
    ['one that is accepted', plan(OWN, BACKUP), [status(200), status(200)], [0]],
    ['one whose request is wrong', plan(OWN, BACKUP), [status(400), status(200)], [0]],
    ['a retry after an overload', plan(OWN), [status(529), status(200)], [0, 1]],
    ['another provider after an overload', plan(BACKUP), [status(503), status(200)], [0, 1]],
    ['two retries and a backup', plan(OWN, OWN, BACKUP), Array<Ending>(4).fill(status(503)), [0, 1, 2, 3]],
    ['no retry with a key that is refused', plan(OWN, BACKUP), [status(401), status(200)], [0, 2]],
    ['no retry of a model that is missing', plan(OWN, BACKUP, OWN), [status(404), status(503), LOST], [0, 2]],
    [
      'the same key with another model',
      plan(BACKUP, SMALL),
      [status(503), status(404), status(200)],
      [0, 1, 2],
    ],
    ['no retry before the time that is asked for', plan(OWN, BACKUP), [status(429, 60), status(200)], [0, 2]],
    ['a retry at the time that is asked for', plan(OWN), [status(429, 1), status(200)], [0, 1]],
    ['a backup of a key that does not exist', plan(OWN, BACKUP), [{ kind: 'not_sent' }, status(200)], [0, 2]],
    ['after a lost connection', plan(BACKUP), [LOST, status(200)], [0, 1]],
    ['after a timeout', plan(OWN), [LATE, status(200)], [0, 1]],
    ['one that the client left', plan(OWN, BACKUP), [{ kind: 'client_gone' }, status(200)], [0]],
  ])('are %s', (_, fallback, endings, expected) => {
    expect(places(fallback, endings)).toEqual(expected)
  })

  it('end with an ambiguous failure where the route asks for it', () => {
    const careful: Fallback = { targets: [BACKUP, OWN], on_ambiguous: 'stop' }
    for (const ending of [LOST, LATE, status(504)])
      expect(places(careful, [ending, status(200)])).toEqual([0])
    expect(places(careful, [status(503), LOST, status(200)])).toEqual([0, 1])
  })

  it('at the same target are apart by a growing pause, and others follow at once', () => {
    const delay = (fallback: Fallback, made: Made[], random: number) =>
      nextAttempt(fallback, made, random)?.delay_ms
    const first: Made = { place: 0, target: OWN, ending: status(503) }
    const second: Made = { place: 1, target: OWN, ending: status(503) }
    expect(delay(plan(OWN, OWN), [first], 0)).toBe(125)
    expect(delay(plan(OWN, OWN), [first], 1)).toBe(250)
    expect(delay(plan(OWN, OWN), [first, second], 1)).toBe(500)
    expect(delay(plan(BACKUP), [first], 1)).toBe(0)
    expect(delay(plan(OWN), [{ ...first, ending: status(429, 2) }], 1)).toBe(2_000)
  })

  it('are at most those of the plan, in order, with bounded pauses, for any outcomes', () => {
    const target = fc.constantFrom(OWN, BACKUP, SMALL)
    const ending = fc.oneof(
      fc.record({
        kind: fc.constant('status' as const),
        status: fc.integer({ min: 100, max: 599 }),
        retry_after_ms: fc.option(fc.integer({ min: 0, max: 100_000_000 }), { nil: undefined }),
      }),
      fc.constantFrom<Ending>({ kind: 'not_sent' }, LOST, LATE, { kind: 'client_gone' }),
    )
    fc.assert(
      fc.property(
        fc.array(target, { maxLength: MAX_TARGETS }),
        fc.constantFrom('next' as const, 'stop' as const),
        fc.array(ending, { minLength: 8, maxLength: 8 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (targets, on_ambiguous, endings, random) => {
          const made: Made[] = []
          for (const each of endings) {
            const next = nextAttempt({ targets, on_ambiguous }, made, random)
            if (!next) return
            expect(next.place).toBeGreaterThan(made.at(-1)?.place ?? -1)
            expect(next.place === 0 ? OWN : targets[next.place - 1]).toEqual(next.target)
            expect(next.delay_ms).toBeGreaterThanOrEqual(0)
            expect(next.delay_ms).toBeLessThanOrEqual(MAX_DELAY_MS)
            made.push({ place: next.place, target: next.target, ending: each })
            expect(made.length).toBeLessThanOrEqual(targets.length + 1)
          }
        },
      ),
    )
  })
})

describe('the header X-Meter-Fallback', () => {
  const targets = (text: string) => {
    const read = parseFallback(text)
    return read.kind === 'fallback' ? read.fallback.targets : read
  }

  it.each<[string, Target[]]>([
    ['Backup', [BACKUP]],
    ['"Backup"', [BACKUP]],
    ['retry', [OWN]],
    ['"retry"', [{ provider_key: 'retry', model: null }]],
    ['"off"', [{ provider_key: 'off', model: null }]],
    ['retry, Backup', [OWN, BACKUP]],
    [' retry ,retry,\tBackup ', [OWN, OWN, BACKUP]],
    ['Backup;model=small', [SMALL]],
    ['Backup; model="small"', [SMALL]],
    ['retry;model="gpt-4o-mini"', [{ provider_key: null, model: 'gpt-4o-mini' }]],
    [
      '"My key, the \\"second\\"";model="meta-llama/Llama-3.3-70B"',
      [{ provider_key: 'My key, the "second"', model: 'meta-llama/Llama-3.3-70B' }],
    ],
    [
      'Groq;model=llama-3.3-70b,"a;b";model="c,d"',
      [
        { provider_key: 'Groq', model: 'llama-3.3-70b' },
        { provider_key: 'a;b', model: 'c,d' },
      ],
    ],
  ])('%s names its attempts', (text, expected) => {
    expect(targets(text)).toEqual(expected)
  })

  it('switches a stored route off', () => {
    expect(parseFallback('off')).toEqual({ kind: 'off' })
    expect(parseFallback(' off ')).toEqual({ kind: 'off' })
  })

  it.each([
    '',
    ',',
    'Backup,',
    'a,b,c,d',
    'off, retry',
    'Backup small',
    'Backup;small',
    'Backup;model=',
    'Backup;model=""',
    'Backup;model=a;model=b',
    'Backup;weight=2',
    '"Backup',
    '""',
    '"a"b',
    `"${'x'.repeat(256)}"`,
    'x'.repeat(1_025),
  ])('%s is refused', (text) => {
    expect(parseFallback(text)).toMatchObject({ kind: 'invalid', message: expect.stringMatching(/^must /) })
  })

  it('takes a bounded time for hostile text, and never throws', () => {
    for (const part of ['"', '\\', '"\\', ';model=', 'a,', '","', ';', 'a;model="']) {
      const began_ms = performance.now()
      parseFallback(part.repeat(Math.floor(1_024 / part.length)))
      expect(performance.now() - began_ms, part).toBeLessThan(200)
    }
    fc.assert(fc.property(fc.string({ maxLength: 60 }), (text) => void parseFallback(text)))
  })
})

describe('the stored route of a call', () => {
  const route = (model: string, api = 'openai', enabled = true) => ({ model, api, enabled })
  const all = [
    route('*'),
    route('gpt-*'),
    route('gpt-4o*'),
    route('gpt-4o-mini'),
    route('gpt-4o-audio', 'openai', false),
    route('*', 'google'),
  ]

  it.each([
    ['gpt-4o-mini', 'gpt-4o-mini'],
    ['gpt-4o-mini-2024-07-18', 'gpt-4o*'],
    ['gpt-4o-audio', 'gpt-4o*'],
    ['gpt-5', 'gpt-*'],
    ['o3', '*'],
    ['', '*'],
  ])('of %s is that of %s', (model, expected) => {
    expect(routeFor(all, 'openai', model)?.model).toBe(expected)
    expect(routeFor(all.toReversed(), 'openai', model)?.model).toBe(expected)
  })

  it('has the same API', () => {
    expect(routeFor(all, 'google', 'gpt-4o-mini')?.model).toBe('*')
    expect(routeFor(all, 'anthropic', 'gpt-4o-mini')).toBeUndefined()
  })
})
