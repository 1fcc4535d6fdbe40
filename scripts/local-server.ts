import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import path from 'node:path'
import { alsoHeldBy, ROOT, STATE } from './local-state.ts'

const WRANGLER = path.join(ROOT, 'node_modules', 'wrangler', 'bin', 'wrangler.js')
const STARTS_WITHIN_MS = 60_000

/**
 * Runs a wrangler command on the local state of this project. Prints nothing. If it fails, the error has its output.
 */
export function wrangler(...args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [WRANGLER, ...args, ...LOCAL], {
    ...OPTIONS,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`wrangler ${args.join(' ')} ended with ${code}:\n${output}`))
    })
  })
}

// Without `-c`, wrangler also searches for a configuration in parent folders.
const LOCAL = ['-c', path.join(ROOT, 'wrangler.toml'), '--local', '--persist-to', STATE]

const OPTIONS = {
  cwd: ROOT,
  env: {
    ...process.env,
    WRANGLER_SEND_METRICS: 'false',
    // Disables two requests to the network: the search for a newer wrangler, and the fetch of the `cf` object of
    // requests from Cloudflare.
    WRANGLER_HIDE_BANNER: 'true',
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  },
}

export interface LocalServer {
  readonly url: string
  /** Resolves when the server has ended: to 0 after `stop`, and otherwise to its exit code. */
  readonly ended: Promise<number>
  stop(): Promise<void>
}

/** Returns the port in PORT, or 8787. */
export function chosenPort(): number {
  const text = process.env.PORT ?? '8787'
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port > 0 && port < 65_536) return port
  throw new Error(`PORT is "${text}". It must be a whole number from 1 to 65535.`)
}

/** Throws if another program listens on the port. */
export async function requireFreePort(port: number): Promise<void> {
  if (await isFree(port)) return
  throw new Error(`Port ${port} is taken. Choose another one: PORT=8788 npm start`)
}

export function localUrl(port: number): string {
  return `http://127.0.0.1:${port}`
}

/** Starts `wrangler dev`, and waits until it answers. The caller must hold the state directory (`local-state.ts`). */
export async function startServer(port: number): Promise<LocalServer> {
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
  if (child.pid !== undefined) alsoHeldBy(child.pid)
  let stopping = false
  const stop = () => {
    stopping = true
    child.kill('SIGTERM')
  }
  // Ctrl-C is also sent to wrangler, but a signal to this process alone is not.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  stopWithNpm(stop)
  const ended = exitOf(child).then((code) => (stopping ? 0 : code))
  const server: LocalServer = {
    url: localUrl(port),
    ended,
    async stop() {
      stop()
      await ended
    },
  }
  const answers = await Promise.race([isAnswering(server.url, STARTS_WITHIN_MS), ended.then(() => false)])
  if (answers) return server
  await server.stop()
  throw new Error('wrangler dev did not start. Its output is above.')
}

/** Calls `stop` when npm ends. npm runs a script in a shell, which ends at a signal without forwarding it. */
function stopWithNpm(stop: () => void): void {
  if (process.env.npm_lifecycle_event === undefined) return
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    stop()
  }, 500)
  watch.unref()
}

/** Reads `VARS="FLUSH_DELAY_MS=100 OPEN_REGISTRATION=false"`, which overrides wrangler.toml for one run. */
function variables(text: string): string[] {
  const pairs = text.split(/\s+/).filter((pair) => pair !== '')
  return pairs.flatMap((pair) => {
    if (!/^[A-Z_]+=/.test(pair)) throw new Error(`VARS has ${pair}, which is not NAME=value`)
    return ['--var', pair.replace('=', ':')]
  })
}

/** Reports whether `/health` answers within a time. */
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
