import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'

export const ROOT = path.join(import.meta.dirname, '..')
/**
 * The directory of the local D1 database, the KV namespaces and the objects. A server without this directory starts
 * with no data. STATE_DIR selects another directory.
 */
export const STATE = path.resolve(process.env.STATE_DIR ?? path.join(ROOT, '.wrangler', 'state'))

/**
 * The lock file of the state directory. Two servers that share the directory would fail with 500 and return stale
 * balances. A server therefore writes its process ids and its URL into this file, and a second server refuses to start.
 * `npm run demo` and `npm run db:seed` read the URL of the running server from this file.
 */
const LOCK = path.join(STATE, 'server.json')
const ATTEMPTS = 5

const lockSchema = z.object({
  url: z.string(),
  /**
   * The processes that hold the lock. `started` is the start time, which distinguishes a process from a later process
   * with the same id. It is null if the system does not report start times.
   */
  processes: z.array(z.object({ pid: z.int().positive(), started: z.string().nullable() })),
})
type Lock = z.infer<typeof lockSchema>
type Process = Lock['processes'][number]

/** Returns the URL of the server that uses this state directory; undefined if no such server is running. */
export function runningServer(): string | undefined {
  return liveLock()?.url
}

/**
 * Locks the state directory for a server at `url` until this process ends. Throws if another server has locked it.
 */
export function holdState(url: string): void {
  mkdirSync(STATE, { recursive: true })
  // A hard link appears with its complete content and never replaces an existing file, so only one of two servers can
  // create the lock.
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
  throw new Error(
    `The lock file ${LOCK} could not be created. Delete it if no server uses this state directory.`,
  )
}

/** Adds a child process to the lock, because the child can continue to run after this process is killed. */
export function alsoHeldBy(pid: number): void {
  const lock = readLock()
  if (!lock?.processes.some((holder) => holder.pid === process.pid)) {
    throw new Error(`This process does not hold the lock of the state in ${STATE}. Call holdState first.`)
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
    // EPERM means that the process is running and belongs to another user.
    if (!hasCode(error, 'EPERM')) return false
  }
  return started === startOf(pid)
}

function processOf(pid: number): Process {
  return { pid, started: startOf(pid) }
}

/**
 * The value that `startOf` returns for a zombie process: a process that has ended, but whose parent has not collected
 * it yet.
 */
const ENDED = 'ended'

function startOf(pid: number): string | null {
  try {
    if (process.platform !== 'linux') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    }
    // Reads field 3 (the state) and field 22 (the start time). Field 2 is the name in parentheses, which can itself
    // contain spaces and parentheses.
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
