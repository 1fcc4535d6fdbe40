import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

/**
 * The time limit of a test or hook, in milliseconds. It is long, because tests are slow when all of them run at once on
 * two cores.
 */
const testTimeout = 60_000
const hookTimeout = testTimeout

/** The folder of acceptance data, which is beside the project unless `SHARED_DATA` names another folder. */
const sharedData = process.env.SHARED_DATA ?? path.join(import.meta.dirname, '../shared/data')

/**
 * The test projects. `edge` runs tests that use the platform, in workerd with real D1, KV and Durable Objects. `node`
 * runs `*.node.test.ts`: pure modules with large data and generated cases, and tests that start servers or read files.
 * `sdk`, `dashboard` and `widgets` test the clients.
 */
export default defineConfig({
  test: {
    // Vitest reserves one core for itself but uses little of it. On two cores, a second worker saves a quarter of the
    // time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // Tests of failures log errors, and tests of cost log numbers. `--silent=false` also shows the logs of tests that
    // pass.
    silent: 'passed-only',
    // FC_SEED repeats a failed property test with the seed that the test printed. FC_RUNS sets its number of runs.
    // LEDGERS sets the number of ledgers in the test of late rating, and USAGE_EVENTS the number of events in the test
    // of the cost of usage.
    provide: {
      fuzz: { seed: numberFrom('FC_SEED'), runs: numberFrom('FC_RUNS') },
      ledgers: numberFrom('LEDGERS'),
      usageEvents: numberFrom('USAGE_EVENTS'),
      recorded: recordedResponses(200),
      clock: clockFrom('CLOCK'),
      situations: publicCases(),
    },
    coverage: {
      provider: 'istanbul',
      include: ['src/**/*.ts'],
      reporter: ['text-summary', 'html', 'json-summary'],
      thresholds: { lines: 80 },
    },
    projects: [
      {
        plugins: [
          cloudflareTest(async () => ({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: {
                OPERATOR_TOKEN: 'dev-operator-token',
                ENCRYPTION_KEY: 'dev-encryption-key',
                STRIPE_SECRET_KEY: 'sk_test_development',
                STRIPE_WEBHOOK_SECRET: 'whsec_development',
                STRIPE_TEST_SECRET_KEY: 'sk_test_development',
                STRIPE_TEST_WEBHOOK_SECRET: 'whsec_test_development',
                PORTAL_TOKEN_SECRET: 'dev-portal-token-secret',
                LEDGER_SIGNING_KEY: 'dev-signing-key',
                // These delays prevent a flush in the middle of a test that counts rows.
                FLUSH_DELAY_MS: '3600000',
                NOTIFICATION_DELAY_MS: '3600000',
                // Streams end at once, because the tests of every route read each response to its end.
                STREAM_SECONDS: '0',
                // Requests are slow while all tests run at once. Their log lines would hide the log lines of the tests.
                SLOW_REQUEST_MS: '600000',
                // Most customers in tests have this tier, and some of them send thousands of requests at once.
                RATE_LIMIT_ENTERPRISE: '1000000',
                D1_MIGRATIONS: await readD1Migrations(path.join(import.meta.dirname, 'migrations')),
              },
              ratelimits: { LIMIT_OF_3: { namespace_id: '9001', simple: { limit: 3, period: 60 } } },
            },
          })),
        ],
        test: {
          name: 'edge',
          testTimeout,
          hookTimeout,
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.node.test.ts'],
          globalSetup: ['test/support/document-setup.ts', 'test/support/runtime-log.ts'],
          setupFiles: ['test/support/clock.ts', 'test/setup.ts'],
        },
      },
      {
        test: {
          name: 'node',
          testTimeout,
          hookTimeout,
          environment: 'node',
          include: ['test/**/*.node.test.ts'],
          globalSetup: ['test/support/shared-server-setup.ts'],
          setupFiles: ['test/support/clock.ts'],
        },
      },
      {
        // The examples import the SDK by its package name. They need only one function of Next.js, so a test double
        // replaces Next.js.
        resolve: {
          alias: [
            {
              find: /^@openmonetize\/edge$/,
              replacement: path.join(import.meta.dirname, 'sdk/src/index.ts'),
            },
            {
              find: /^@openmonetize\/edge\/(\w+)$/,
              replacement: path.join(import.meta.dirname, 'sdk/src/$1.ts'),
            },
            {
              find: 'next/server',
              replacement: path.join(import.meta.dirname, 'sdk/test/support/next-server.ts'),
            },
          ],
        },
        test: {
          name: 'sdk',
          testTimeout,
          hookTimeout,
          environment: 'node',
          include: ['sdk/test/**/*.test.ts'],
          globalSetup: ['sdk/test/support/setup.ts'],
        },
      },
      {
        test: {
          name: 'dashboard',
          testTimeout,
          environment: 'node',
          include: ['dashboard/test/**/*.test.ts'],
          globalSetup: ['dashboard/test/support/setup.ts'],
        },
      },
      {
        test: {
          name: 'widgets',
          testTimeout,
          environment: 'node',
          include: ['widgets/test/**/*.test.ts'],
        },
      },
    ],
  },
})

function numberFrom(variable: string): number | undefined {
  const text = process.env[variable]
  return text === undefined ? undefined : Number(text)
}

/**
 * Returns the time at which each test file starts, from the variable `CLOCK`, such as `2028-02-29T23:59:30Z`. Returns
 * null if the variable is not set.
 */
function clockFrom(variable: string): string | null {
  const text = process.env[variable]
  if (text === undefined) return null
  if (Number.isNaN(Date.parse(text))) throw new Error(`${variable} is "${text}", which is not a time`)
  return text
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly fuzz: { readonly seed: number | undefined; readonly runs: number | undefined }
    /** The number of ledgers in the test of late rating. */
    readonly ledgers: number | undefined
    /** The number of events in the test of the cost of usage. */
    readonly usageEvents: number | undefined
    readonly recorded: readonly RecordedResponse[]
    readonly situations: readonly PublicCase[]
  }
}

/**
 * Returns situations from public bug reports, each with its expected response. Returns none if their file does not
 * exist.
 */
function publicCases(): PublicCase[] {
  const file = path.join(sharedData, 'public-cases/pricing.json')
  if (!existsSync(file)) return []
  const cases: PublicCase[] = JSON.parse(readFileSync(file, 'utf8'))
  return cases
}

interface Expected {
  readonly status: number | '4xx'
  readonly provider_cost_usd?: string
  readonly warnings?: 'at least one'
}

export interface PublicCase {
  readonly id: string
  readonly request: { readonly body: Readonly<Record<string, unknown>> & { readonly at: string } }
  readonly expect: Expected | { readonly any_of: readonly Expected[] }
}

/**
 * Returns up to `count` of the recorded provider responses, spread over all of them; none if the recordings do not
 * exist.
 */
function recordedResponses(count: number): RecordedResponse[] {
  const file = path.join(sharedData, 'provider-responses.json')
  if (!existsSync(file)) return []
  const cases: RecordedResponse[] = JSON.parse(readFileSync(file, 'utf8'))
  return cases.filter(
    (_, index) =>
      Math.floor((index * count) / cases.length) !== Math.floor(((index - 1) * count) / cases.length),
  )
}

interface RecordedResponse {
  readonly provider: string
  readonly api: string
  readonly model: string
  readonly at: string
  readonly body: unknown
  readonly usage: Readonly<Record<string, number>>
  readonly input_cost_usd: string
  readonly output_cost_usd: string
}
