import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { freePort } from '../../scripts/local-server.ts'
import { useRealTime } from './real-time.ts'

useRealTime()

export const ROOT = path.join(import.meta.dirname, '..', '..')

export interface StartedServer {
  readonly url: string
  readonly port: number
  readonly child: ChildProcess
  /** The output of the server until it is ready. */
  readonly output: string
  /** Stops the server as Ctrl-C does. Resolves with its exit code. */
  stop(): Promise<number | null>
  /**
   * Kills the server and its child processes, as a power failure would, and waits until they have ended. Requires
   * `detached`.
   */
  kill(): Promise<void>
}

const GONE_WITHIN_MS = 10_000

export interface StartOptions {
  readonly state: string
  readonly port?: number
  readonly env?: Readonly<Record<string, string>>
  /** Whether the process gets a separate process group, so that a test can kill the whole group. */
  readonly detached?: boolean
}

/** Starts `npm start`. Resolves after it has printed its last curl command. */
export async function npmStart({ state, env, detached, ...options }: StartOptions): Promise<StartedServer> {
  const port = options.port ?? (await freePort())
  const child = spawn(process.execPath, ['scripts/start.ts'], {
    cwd: ROOT,
    env: { ...process.env, ...env, PORT: String(port), STATE_DIR: state },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(detached && { detached }),
  })
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
  let output = ''
  await new Promise<void>((resolve, reject) => {
    const listen = (chunk: Buffer) => {
      output += chunk.toString()
      if (output.includes('/v1/rating/calculate')) resolve()
    }
    child.stdout.on('data', listen)
    child.stderr.on('data', listen)
    child.on('error', reject)
    child.on('exit', (code) => reject(new Error(`npm start ended with ${code}:\n${output}`)))
  })
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    child,
    output,
    stop() {
      child.kill('SIGINT')
      return ended
    },
    async kill() {
      if (!detached) throw new Error('only the leader of a process group is killed with all that it started')
      if (isThere(child)) process.kill(-(child.pid ?? 0), 'SIGKILL')
      for (const deadline = Date.now() + GONE_WITHIN_MS; isThere(child); ) {
        if (Date.now() > deadline) throw new Error(`process group ${child.pid} is there after SIGKILL`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    },
  }
}

/**
 * Reports whether a process of the group still exists. A killed process keeps its port until the system has removed the
 * process.
 */
function isThere({ pid }: ChildProcess): boolean {
  try {
    process.kill(-(pid ?? 0), 0)
    return true
  } catch {
    return false
  }
}

export interface Ended {
  readonly code: number | null
  /** The text of standard output and standard error. */
  readonly output: string
}

/**
 * Runs a script of the `scripts` folder, and resolves with its exit code and output when it has ended. A variable that
 * is undefined in `env` is removed from the environment.
 */
export function runScript(
  script: string,
  env: Readonly<Record<string, string | undefined>> = {},
  args: readonly string[] = [],
): Promise<Ended> {
  const child = spawn(process.execPath, [`scripts/${script}`, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
  })
}
