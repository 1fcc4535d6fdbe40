import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { treeOf } from '../process.ts'
import type { Server } from './servers.ts'

/** The folder in which Debian installs PostgreSQL, with one subfolder for each version. */
const INSTALLED = '/usr/lib/postgresql'
const START_MS = 15_000

/** Starts the PostgreSQL of Debian and the meter on it. Resolves with undefined if PostgreSQL is not installed. */
export async function startPostgres(state: string): Promise<Server | undefined> {
  const version = existsSync(INSTALLED) ? readdirSync(INSTALLED).sort().at(-1) : undefined
  if (version === undefined) return undefined
  const bin = path.join(INSTALLED, version, 'bin')
  mkdirSync(state, { recursive: true })
  const data = path.join(state, 'data')
  const user = postgresUser(state)
  execFileSync(path.join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-instructions'], {
    ...user,
    stdio: 'pipe',
  })
  const database = spawn(path.join(bin, 'postgres'), ['-D', data, '-k', state, '-c', 'listen_addresses='], {
    ...user,
    stdio: 'ignore',
  })
  await waitFor(path.join(state, '.s.PGSQL.5432'))
  const meter = fork(path.join(import.meta.dirname, 'postgres-server.ts'), [state])
  const { url, key } = await ready(meter)
  return {
    url,
    pids: () => [database.pid, meter.pid].flatMap((pid) => (pid === undefined ? [] : treeOf(pid))),
    keysOf: async (customers) => Array.from({ length: customers }, () => key),
    stop: async () => {
      meter.kill()
      const stopped = new Promise((resolve) => database.once('exit', resolve))
      database.kill('SIGINT')
      await stopped
    },
  }
}

/**
 * Returns the user that the PostgreSQL process must run as; empty for the current user. PostgreSQL refuses to run as
 * root. For root, returns the `postgres` user of Debian, and makes it the owner of the state folder.
 */
function postgresUser(state: string): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const [uid = 0, gid = 0] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres'])))
  chmodSync(path.dirname(state), 0o755)
  chownSync(state, uid, gid)
  return { uid, gid }
}

async function waitFor(file: string): Promise<void> {
  const until = performance.now() + START_MS
  while (!existsSync(file)) {
    if (performance.now() > until) throw new Error(`PostgreSQL did not start within ${START_MS / 1000} s`)
    await sleep(50)
  }
}

function ready(meter: ChildProcess): Promise<{ readonly url: string; readonly key: string }> {
  return new Promise((resolve, reject) => {
    meter.once('message', (message: { readonly url: string; readonly key: string }) => resolve(message))
    meter.once('exit', (code) => reject(new Error(`the meter on PostgreSQL ended with ${code}`)))
  })
}
