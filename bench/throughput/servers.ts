import path from 'node:path'
import { post } from '../post.ts'
import { bundle, migrateD1, PROJECT, type RawWorkerd, ROOT, startWorkerd } from '../raw-workerd.ts'

/** A server that handles the requests of the scenarios. */
export interface Server {
  readonly url: string
  /** Returns the ids of the server's processes, whose CPU time is measured. */
  readonly pids: () => readonly number[]
  /** Returns the API keys of the first `customers` customers. Every call returns the same keys. */
  readonly keysOf: (customers: number) => Promise<readonly string[]>
  readonly stop: () => Promise<void>
}

const LIMIT_CONFIG = path.join(import.meta.dirname, 'limit.toml')
const TOKEN = 'bench-operator-token'
/** The maximum balance. */
const CREDITS = 8_000_000_000
const NEVER_MS = '3600000'

export interface OursOptions {
  readonly flush_delay_ms?: string
  readonly inspected?: boolean
  /** Whether the state folder already has the data of an earlier server, so that no migrations run. */
  readonly restarted?: boolean
  /** The root folder of the work tree that provides the configuration and the migrations. Default: this work tree. */
  readonly root?: string
}

/**
 * Bundles the Worker of this project and the limit Worker. Returns the paths of the scripts, which several servers can
 * run.
 */
export function bundleBoth(directory: string): { readonly ours: string; readonly limit: string } {
  return {
    ours: bundle(PROJECT, path.join(directory, 'ours')),
    limit: bundle(LIMIT_CONFIG, path.join(directory, 'limit')),
  }
}

/**
 * Starts the production bundle. The default flush delay is one hour, so that no ledger flushes during the measurement.
 */
export async function startOurs(
  script: string,
  state: string,
  { flush_delay_ms = NEVER_MS, inspected = false, restarted = false, root = ROOT }: OursOptions = {},
): Promise<Server & { readonly workerd: RawWorkerd }> {
  const bindings = {
    OPERATOR_TOKEN: TOKEN,
    RATE_LIMIT_ENTERPRISE: '1000000000',
    LOG_SAMPLE_RATE: '0',
    SLOW_REQUEST_MS: '600000',
    FLUSH_DELAY_MS: flush_delay_ms,
  }
  const config = path.join(root, 'wrangler.toml')
  const workerd = await startWorkerd(config, script, state, bindings, { inspected })
  if (!restarted) await migrateD1(await workerd.d1(), root)
  const keys: string[] = []
  return {
    workerd,
    url: workerd.url,
    pids: () => [workerd.pid],
    keysOf: async (customers) => {
      while (keys.length < customers) keys.push(await register(workerd.url, `customer-${keys.length}`))
      return keys.slice(0, customers)
    },
    stop: () => workerd.stop(),
  }
}

export async function startLimit(script: string, state: string): Promise<Server> {
  const workerd = await startWorkerd(LIMIT_CONFIG, script, state)
  return {
    url: workerd.url,
    pids: () => [workerd.pid],
    keysOf: async (customers) => Array.from({ length: customers }, (_, i) => `limit-${i}`),
    stop: () => workerd.stop(),
  }
}

/** Registers a customer with the maximum balance, and returns its API key. */
async function register(url: string, name: string): Promise<string> {
  const customer = { name, email: `${name}@bench.example`, tier: 'ENTERPRISE' }
  const answer = await post(`${url}/v1/customers/register`, TOKEN, customer)
  const key = 'api_key' in answer ? String(answer.api_key) : ''
  await post(`${url}/v1/credits/grant`, key, { amount: CREDITS - 10_000 })
  return key
}
