import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'

export const ROOT = path.join(import.meta.dirname, '..')
/**
 * The directory of the local D1, KV and objects. If it is deleted, the server starts without data. STATE_DIR selects
 * another directory.
 */
export const STATE = path.resolve(process.env.STATE_DIR ?? path.join(ROOT, '.wrangler', 'state'))

/**
 * The lock of the state directory. Two servers on one directory would answer 500 and return stale balances. A server
 * therefore writes its processes and its address into this file. A second server reads the file and ends. `npm run
 * demo` and `npm run db:seed` read the address of the running server here.
 */
const LOCK = path.join(STATE, 'server.json')
const ATTEMPTS = 5

const lockSchema = z.object({
  url: z.string(),
  /**
   * The processes that hold the lock. `started` distinguishes a process from a later one with the same id; null if
   * the system does not report it.
   */
  processes: z.array(z.object({ pid: z.int().positive(), started: z.string().nullable() })),
})
type Lock = z.infer<typeof lockSchema>
type Process = Lock['processes'][number]

/** Returns the address of the server that runs on this state directory; undefined if none runs. */
export function runningServer(): string | undefined {
  return liveLock()?.url
}

/**
 * Locks the state directory for a server at `url` until this process ends. Throws if another server has locked it.
 */
export function holdState(url: string): void {
  mkdirSync(STATE, { recursive: true })
  // A link is created with its whole content and never replaces a file, so only one of two servers can create it.
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

/** Adds a child process to the lock. The child may continue to run after this process is killed. */
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

/** Removes a stale lock. If another server has created a new lock after the check, restores that lock. */
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

/** Returns the lock if one of its processes is running. The lock of a killed server is stale. */
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
    // A process of another user also counts as running.
    if (!hasCode(error, 'EPERM')) return false
  }
  return started === startOf(pid)
}

function processOf(pid: number): Process {
  return { pid, started: startOf(pid) }
}

/** The start time of a process that has ended but that its parent has not collected yet. */
const ENDED = 'ended'

function startOf(pid: number): string | null {
  try {
    if (process.platform !== 'linux') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    }
    // The 3rd and the 22nd field are read. The second one, the name in brackets, may itself contain spaces and
    // brackets.
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
