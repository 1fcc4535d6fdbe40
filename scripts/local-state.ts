import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'

export const ROOT = path.join(import.meta.dirname, '..')
/** The directory of the local D1, KV and objects. Deleting it resets the server. STATE_DIR chooses another one. */
export const STATE = path.resolve(process.env.STATE_DIR ?? path.join(ROOT, '.wrangler', 'state'))

/**
 * The lock of the state directory. Two servers on one directory answer 500 and show stale balances, so a server writes
 * its processes and its address here, and a second one reads them and ends. `npm run demo` and `npm run db:seed` read
 * the address of the running server here.
 */
const LOCK = path.join(STATE, 'server.json')
const ATTEMPTS = 5

const lockSchema = z.object({
  url: z.string(),
  /** `started` distinguishes a process from a later one with the same id; null if the system does not report it. */
  processes: z.array(z.object({ pid: z.int().positive(), started: z.string().nullable() })),
})
type Lock = z.infer<typeof lockSchema>
type Process = Lock['processes'][number]

/** The address of the server that runs on this state directory; undefined when none does. */
export function runningServer(): string | undefined {
  return liveLock()?.url
}

/** Takes the state directory for a server at `url` until this process ends. Throws when another server holds it. */
export function holdState(url: string): void {
  mkdirSync(STATE, { recursive: true })
  // A link appears with its whole content and never replaces a file, so only one of two servers gets it.
  const draft = `${LOCK}.${process.pid}`
  writeFileSync(draft, JSON.stringify({ url, processes: [processOf(process.pid)] } satisfies Lock))
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (isLinked(draft)) {
        process.on('exit', () => rmSync(LOCK, { force: true }))
        return
      }
      const holder = liveLock()
      if (holder) {
        throw new Error(
          `The server on ${holder.url} already uses the state in ${STATE}. Stop it, or start another one beside it: STATE_DIR=/tmp/other PORT=8788 npm start`,
        )
      }
      removeStaleLock()
    }
  } finally {
    rmSync(draft, { force: true })
  }
  throw new Error(`The lock ${LOCK} could not be taken. Delete it if no server uses this state.`)
}

/** Holds the state for a child process, too, which may continue to run after this one is killed. */
export function alsoHeldBy(pid: number): void {
  const lock = readLock()
  if (!lock?.processes.some((holder) => holder.pid === process.pid)) {
    throw new Error(`The state in ${STATE} is not held by this process.`)
  }
  const draft = `${LOCK}.${process.pid}`
  writeFileSync(draft, JSON.stringify({ ...lock, processes: [...lock.processes, processOf(pid)] }))
  renameSync(draft, LOCK)
}

function isLinked(draft: string): boolean {
  try {
    linkSync(draft, LOCK)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

/** Restores a lock that another server took between the check and the removal. */
function removeStaleLock(): void {
  const removed = `${LOCK}.${process.pid}.stale`
  try {
    renameSync(LOCK, removed)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  if (liveLock(removed)) linkSync(removed, LOCK)
  rmSync(removed)
}

/** The lock if one of its processes is alive. The lock of a killed server is stale. */
function liveLock(file = LOCK): Lock | undefined {
  const lock = readLock(file)
  return lock?.processes.some(isAlive) ? lock : undefined
}

function readLock(file = LOCK): Lock | undefined {
  try {
    return lockSchema.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data
  } catch {
    return undefined
  }
}

function isAlive({ pid, started }: Process): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // A process of another user is alive as well.
    if (!hasCode(error, 'EPERM')) return false
  }
  return started === startOf(pid)
}

function processOf(pid: number): Process {
  return { pid, started: startOf(pid) }
}

/** The start time of a process that has ended but was not collected by its parent. */
const ENDED = 'ended'

function startOf(pid: number): string | null {
  try {
    if (process.platform !== 'linux') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    }
    // The 3rd and the 22nd field. The second, the name in brackets, may contain spaces and brackets itself.
    const [, text = ''] = /.*\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    const fields = text.split(' ')
    return fields[0] === 'Z' ? ENDED : (fields[19] ?? null)
  } catch {
    return null
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
