import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { OpenMonetize, type OpenMonetizeOptions } from '../../src/index.ts'

const ROOT = path.join(import.meta.dirname, '..', '..', '..')
export const OPERATOR_TOKEN = 'dev-operator-token'

/** A server of the real Worker, in a separate process group. */
export interface Server {
  readonly url: string
  /** Returns the memory of the processes of the server, in bytes. */
  memory(): number
  /** Kills the server, like a loss of power. */
  kill(): Promise<void>
}

/** Starts the Worker with the state in `state` and the script in `bundle`. Builds the script if it is missing. */
export async function startServer(
  bundle: string,
  state: string,
  variables: Readonly<Record<string, string>> = {},
  /** The file descriptor of the log. Default: the log of the test. */
  log: number | 'inherit' = 'inherit',
): Promise<Server> {
  const serve = path.join(ROOT, 'test', 'sdk', 'serve.ts')
  const child = spawn(process.execPath, [serve, bundle, state, JSON.stringify(variables)], {
    cwd: ROOT,
    detached: true,
    stdio: ['ignore', 'pipe', log],
  })
  const url = await firstUrl(child)
  return { url, memory: () => memoryOf(child), kill: () => kill(child) }
}

function memoryOf({ pid }: ChildProcess): number {
  const processes = execFileSync('ps', ['-A', '-o', 'pgid=,rss='], { encoding: 'utf8' })
  const rows = processes.split('\n').map((row) => row.trim().split(/ +/).map(Number))
  return rows.reduce((sum, [group, kb = 0]) => (group === pid ? sum + kb * 1024 : sum), 0)
}

async function firstUrl(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('the server has no output')
  for await (const line of createInterface({ input: child.stdout })) {
    const message: unknown = line.startsWith('{') ? JSON.parse(line) : undefined
    if (typeof message === 'object' && message !== null && 'url' in message) return String(message.url)
  }
  throw new Error('the server ended before it had an address')
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const ended = new Promise((resolve) => child.on('exit', resolve))
  // The negative id kills the whole group, because the runtime is a separate process.
  process.kill(-child.pid, 'SIGKILL')
  await ended
}

/** Creates a customer whose rate limit is very high. Returns its client, its API key and its id. */
export async function newCustomer(
  url: string,
  options: Partial<OpenMonetizeOptions> = {},
): Promise<{ om: OpenMonetize; apiKey: string; customer_id: string }> {
  const operator = new OpenMonetize({ apiKey: OPERATOR_TOKEN, baseUrl: url })
  const { customer_id, api_key } = await operator.customers.register({
    name: 'SDK tests',
    email: `${randomUUID()}@example.com`,
    tier: 'ENTERPRISE',
  })
  const om = new OpenMonetize({ apiKey: api_key, baseUrl: url, ...options })
  return { om, apiKey: api_key, customer_id }
}
