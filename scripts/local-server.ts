import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import path from 'node:path'
import { alsoHeldBy, ROOT, STATE } from './local-state.ts'

const WRANGLER = path.join(ROOT, 'node_modules', 'wrangler', 'bin', 'wrangler.js')
const STARTS_WITHIN_MS = 60_000

/**
 * Runs a wrangler command on the local state of this project, without printing its output. Throws an error with the
 * output if the command fails.
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

// `-c` prevents wrangler from searching parent folders for a configuration.
const LOCAL = ['-c', path.join(ROOT, 'wrangler.toml'), '--local', '--persist-to', STATE]

const OPTIONS = {
  cwd: ROOT,
  env: {
    ...process.env,
    WRANGLER_SEND_METRICS: 'false',
    // The next two variables disable network requests of wrangler: the check for a newer version, and the download of a
    // `cf` object for local requests.
    WRANGLER_HIDE_BANNER: 'true',
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  },
}

export interface LocalServer {
  readonly url: string
  /** Resolves when the server has stopped: with 0 after `stop` or a signal, and otherwise with its exit code. */
  readonly ended: Promise<number>
  stop(): Promise<void>
}

/** Returns the port in PORT; 8787 if PORT is not set. Throws if PORT is not a port number. */
export function chosenPort(): number {
  const text = process.env.PORT ?? '8787'
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port > 0 && port < 65_536) return port
  throw new Error(`PORT is "${text}". It must be a whole number from 1 to 65535.`)
}

/** Throws if another program already uses the port. */
export async function requireFreePort(port: number): Promise<void> {
  if (await isFree(port)) return
  throw new Error(`Port ${port} is taken. Choose another one: PORT=8788 npm start`)
}

export function localUrl(port: number): string {
  return `http://127.0.0.1:${port}`
}

/**
 * Starts `wrangler dev`, and waits until it responds. The caller must first lock the state directory with `holdState`
 * (`local-state.ts`).
 */
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
  // Forwards signals to wrangler. The terminal sends Ctrl-C to both processes, but a signal to this process alone does
  // not reach wrangler.
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
  throw new Error(
    `wrangler dev ended or did not respond within ${STARTS_WITHIN_MS / 1_000} s. Its output is above.`,
  )
}

/**
 * Calls `stop` when npm ends. npm runs scripts in a shell, and a signal ends this shell without reaching the script.
 */
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

/**
 * Returns the wrangler arguments for the variables in VARS, for example `VARS="FLUSH_DELAY_MS=100
 * OPEN_REGISTRATION=false"`. They override the variables of wrangler.toml for one run.
 */
function variables(text: string): string[] {
  const pairs = text.split(/\s+/).filter((pair) => pair !== '')
  return pairs.flatMap((pair) => {
    if (!/^[A-Z_]+=/.test(pair))
      throw new Error(`VARS has "${pair}". Write each variable as NAME=value, separated by spaces.`)
    return ['--var', pair.replace('=', ':')]
  })
}

/** Waits for a successful response from `/health` for up to `within_ms`, and returns whether one arrived. */
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
