/**
 * `npm run test:clock [-- --quick]`: runs the tests that could depend on the date at times that often break such tests,
 * for example the end of a year. test/support/clock.ts sets the clock when a test file starts. All times are in the
 * future, because the alarms of the platform use the real time, and an alarm in the past would run immediately. With
 * `--quick`, which CI uses, only the end of the year is tested, in fewer folders.
 */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { ROOT } from './local-state.ts'

const VITEST = path.join(ROOT, 'node_modules', 'vitest', 'vitest.mjs')

/** The test folders whose tests use dates of events, lots, limits, keys or rollups. */
const ROOMS = [
  'admin',
  'analytics',
  'audit',
  'burn-tables',
  'credits',
  'customers',
  'docs',
  'entitlements',
  'events',
  'holds',
  'ledger',
  'projection',
  'rating',
  'subjects',
  'time',
  'usage',
]
const QUICK_ROOMS = ['admin', 'analytics', 'credits', 'entitlements', 'events', 'holds', 'rating', 'time']
/**
 * The excluded files: tests that run for several minutes, that run wrangler commands, or that use a server. They do not
 * depend on the date.
 */
const LEFT_OUT = ['**/cost.test.ts', 'test/docs/deploy.node.test.ts', 'test/docs/guides.node.test.ts']

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

function moments(now: Date): readonly Date[] {
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()]
  const tomorrow_ms = (Math.floor(now.getTime() / DAY_MS) + 1) * DAY_MS
  const [month_end, year_end] = [Date.UTC(year, month + 2), Date.UTC(year + 1, 0)]
  const leap_day = leapDayAfter(year)
  return [
    // Tests begin some seconds after the clock of their file starts, so some of them run across midnight.
    new Date(year_end - 4_000),
    new Date(tomorrow_ms + MINUTE_MS / 2),
    new Date(tomorrow_ms + (7 * 60 + 59) * MINUTE_MS),
    new Date(tomorrow_ms + DAY_MS / 2),
    new Date(month_end - MINUTE_MS / 2),
    new Date(leap_day + DAY_MS / 2),
    new Date(leap_day + DAY_MS - 4_000),
  ]
}

function leapDayAfter(year: number): number {
  for (let leap = year + 1; ; leap++) {
    const day = new Date(Date.UTC(leap, 1, 29))
    if (day.getUTCMonth() === 1) return day.getTime()
  }
}

function main(): number {
  const quick = process.argv.includes('--quick')
  const rooms = (quick ? QUICK_ROOMS : ROOMS).map((room) => `test/${room}/`)
  const failed = moments(new Date())
    .slice(0, quick ? 1 : undefined)
    .map((moment) => moment.toISOString())
    .filter((moment) => {
      console.log(`\nTests that start at ${moment}`)
      const args = ['run', '--reporter=dot', ...LEFT_OUT.flatMap((file) => ['--exclude', file]), ...rooms]
      const { status } = spawnSync(process.execPath, [VITEST, ...args], {
        cwd: ROOT,
        stdio: 'inherit',
        env: { ...process.env, CLOCK: moment },
      })
      return status !== 0
    })
  if (failed.length === 0) return 0
  const [first = ''] = failed
  console.error(
    `Tests failed at ${failed.join(', ')}. To repeat the first of these times: CLOCK=${first} npm test`,
  )
  return 1
}

process.exit(main())
