import { readdirSync, readFileSync } from 'node:fs'

/** The value of `getconf CLK_TCK` on all supported Linux systems. */
const TICKS_PER_SECOND = 100

/** Returns the CPU time of processes in ms, without their children; 0 on systems without /proc. */
export function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ticksOf(pid) * (1000 / TICKS_PER_SECOND), 0)
}

/** Returns the CPU time of the running threads of processes, in µs; 0 on systems without /proc. */
export function cpuUs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + threadsOf(pid).reduce((us, thread) => us + runUs(thread), 0), 0)
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => `${pid}/task/${thread}`)
  } catch {
    return []
  }
}

/** Returns the CPU time of a thread in µs. The first number of /proc/PID/schedstat is this time in ns. */
function runUs(thread: string): number {
  return Number(readOf(thread, 'schedstat').split(' ')[0]) / 1000
}

/** Returns the ids of a process and of all its descendants. */
export function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)]
}

export function childrenOf(parent: number): number[] {
  return processes().filter((pid) => statOf(pid)[1] === String(parent))
}

function processes(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}

function ticksOf(pid: number): number {
  const fields = statOf(pid)
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
}

/**
 * Returns the fields of /proc/PID/stat that follow the name of the process (see proc_pid_stat(5)). Index 0 is the
 * state, 1 the id of the parent, 11 the user time, and 12 the system time.
 */
function statOf(pid: number): string[] {
  const stat = readOf(pid, 'stat')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** Returns the text of a file of a process; empty if the process has ended. */
function readOf(pid: number | string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
