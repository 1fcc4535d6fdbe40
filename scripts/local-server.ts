import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import path from 'node:path'

export const ROOT = path.join(import.meta.dirname, '..')
/** Where the local D1, KV and objects live. Deleting it is starting again. STATE_DIR chooses another place. */
export const STATE = path.resolve(process.env.STATE_DIR ?? path.join(ROOT, '.wrangler', 'state'))

const WRANGLER = path.join(ROOT, 'node_modules', 'wrangler', 'bin', 'wrangler.js')
const STARTS_WITHIN_MS = 60_000

/** Runs a wrangler command on this project's local state. Quiet; what it said is in the error when it fails. */
export function wrangler(...args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [WRANGLER, ...args, ...LOCAL], {
    ...OPTIONS,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`wrangler ${args.join(' ')} ended with ${code}:\n${said}`))
    })
  })
}

// Wrangler looks for a configuration in parent folders too, so it is told which one.
const LOCAL = ['-c', path.join(ROOT, 'wrangler.toml'), '--local', '--persist-to', STATE]

const OPTIONS = {
  cwd: ROOT,
  env: {
    ...process.env,
    WRANGLER_SEND_METRICS: 'false',
    // The banner is what looks for a newer wrangler; the `cf` object of a real request is fetched from Cloudflare.
    WRANGLER_HIDE_BANNER: 'true',
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  },
}

export interface LocalServer {
  readonly url: string
  /** Resolves when it ends: with 0 if it was asked to, else with its exit code. */
  readonly ended: Promise<number>
  stop(): Promise<void>
}

/** Starts `wrangler dev` and waits until it answers. */
export async function startServer(port: number): Promise<LocalServer> {
  if (!(await isFree(port))) throw new Error(`Port ${port} is taken. Choose another one: PORT=8788 npm start`)
  const args = [
    'dev',
    '--ip',
    '127.0.0.1',
    '--port',
    String(port),
    '--log-level',
    'warn',
    '--show-interactive-dev-session=false',
    ...variables(process.env.VARS ?? ''),
  ]
  const child = spawn(process.execPath, [WRANGLER, ...args, ...LOCAL], {
    ...OPTIONS,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  let asked = false
  const stop = () => {
    asked = true
    child.kill('SIGTERM')
  }
  // Ctrl-C reaches wrangler by itself; a signal to this process alone does not.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  const ended = exitOf(child).then((code) => (asked ? 0 : code))
  const server: LocalServer = {
    url: `http://127.0.0.1:${port}`,
    ended,
    async stop() {
      stop()
      await ended
    },
  }
  const answers = await Promise.race([isAnswering(server.url, STARTS_WITHIN_MS), ended.then(() => false)])
  if (answers) return server
  await server.stop()
  throw new Error('wrangler dev did not start; what it said is above.')
}

/** `VARS="FLUSH_DELAY_MS=100 OPEN_REGISTRATION=false"` sets variables of wrangler.toml otherwise, for one run. */
function variables(text: string): string[] {
  const pairs = text.split(/\s+/).filter((pair) => pair !== '')
  return pairs.flatMap((pair) => {
    if (!/^[A-Z_]+=/.test(pair)) throw new Error(`VARS has ${pair}, which is not NAME=value`)
    return ['--var', pair.replace('=', ':')]
  })
}

/** Whether `/health` answers within a time. */
export async function isAnswering(url: string, within_ms: number): Promise<boolean> {
  const deadline = Date.now() + within_ms
  do {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) }).catch(
      () => undefined,
    )
    if (response?.ok) return true
    await new Promise((resolve) => setTimeout(resolve, 100))
  } while (Date.now() < deadline)
  return false
}

export function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.on('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => resolve(code ?? 1))
  })
}
