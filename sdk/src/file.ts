import {
  appendFileSync,
  closeSync,
  existsSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import { ConfigurationError } from './errors.ts'
import type { QueuedEvent, QueueStore } from './queue/store.ts'

export interface FileStore extends QueueStore {
  /** The file of permanently refused events. Each line is a JSON object with the event and the reason. */
  readonly rejectedPath: string
}

/** The size of the removed events, in characters, above which the file is compacted. */
const COMPACT_BYTES = 4 * 1024 * 1024
const SYNC_MS = 20

/** The store files that this process has locked. */
const open = new Set<string>()

/**
 * Returns a store that keeps the events of a queue in a file (Node, Bun, Deno). `track` writes the event to the file
 * before it returns, so that the event survives the end of the process. Some milliseconds later it is synced to the
 * disk and survives a power failure. `flush()` waits for this sync. Only one store may use the file at a time; a second
 * store throws a `ConfigurationError`.
 *
 * @example
 * const om = new OpenMonetize({ apiKey, queue: { store: fileStore('/var/lib/app/usage.ndjson') } })
 */
export function fileStore(file: string): FileStore {
  if (typeof file !== 'string' || file === '') throw new ConfigurationError('fileStore requires a file path.')
  const full = path.resolve(file)
  mkdirSync(path.dirname(full), { recursive: true })
  lock(full)
  try {
    return new LockedFile(full)
  } catch (error) {
    unlock(full)
    throw error
  }
}

class LockedFile implements FileStore {
  readonly rejectedPath: string
  readonly #path: string
  #file: number
  /** The events that are not delivered yet, by id. */
  #kept = new Map<string, string>()
  #dead = 0
  #syncing: Promise<void> | undefined
  #dirty = false
  #closed = false
  /** Whether the last write failed. The file can then end with an incomplete line. */
  #torn = false

  constructor(file: string) {
    this.#path = file
    this.rejectedPath = `${file}.rejected`
    this.#kept = read(file)
    this.#file = this.#rewrite()
  }

  load(): readonly QueuedEvent[] {
    return [...this.#kept].map(([id, text]) => ({ id, text }))
  }

  append(events: readonly QueuedEvent[]): void {
    let lines = ''
    for (const { id, text } of events) {
      this.#kept.set(id, text)
      lines += `+${text}\n`
    }
    this.#write(lines)
  }

  remove(ids: readonly string[]): void {
    for (const id of ids) {
      this.#dead += this.#kept.get(id)?.length ?? 0
      this.#kept.delete(id)
    }
    if (this.#kept.size === 0) {
      this.#dead = 0
      ftruncateSync(this.#file)
    } else if (this.#dead > COMPACT_BYTES) {
      const old = this.#file
      this.#file = this.#rewrite()
      closeSync(old)
    } else this.#write(ids.map((id) => `-${JSON.stringify(id)}\n`).join(''))
  }

  reject(event: QueuedEvent, reason: string): void {
    appendFileSync(this.rejectedPath, `${JSON.stringify({ reason, event: JSON.parse(event.text) })}\n`, {
      mode: 0o600,
    })
  }

  /** Syncs the file to the disk. All calls within `SYNC_MS` share one fsync. */
  sync(): Promise<void> {
    this.#syncing ??= new Promise((resolve, reject) => {
      setTimeout(() => {
        this.#syncing = undefined
        if (!this.#dirty || this.#closed) return resolve()
        this.#dirty = false
        fsync(this.#file, (error) => {
          // EBADF means that the file was closed, by `close` or by a compaction, which has synced the new file.
          if (error && error.code !== 'EBADF') reject(error)
          else resolve()
        })
      }, SYNC_MS)
    })
    return this.#syncing
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.#file)
    unlock(this.#path)
  }

  #write(lines: string): void {
    if (this.#closed) throw new Error(`The store of ${this.#path} is closed`)
    // A write to a full disk can leave an incomplete line, so the next write starts a new line.
    const text = `${this.#torn ? '\n' : ''}${lines}`
    this.#torn = true
    writeAll(this.#file, text)
    this.#torn = false
    if (this.#dirty) return
    this.#dirty = true
    this.sync().catch((cause) =>
      console.warn(`OpenMonetize: ${this.#path} could not be synced to the disk: ${String(cause)}`),
    )
  }

  /**
   * Replaces the file atomically by a file with only the undelivered events. Returns the descriptor of the new file,
   * which is open for appending.
   */
  #rewrite(): number {
    const next = `${this.#path}.next`
    rmSync(next, { force: true })
    const file = openSync(next, 'a', 0o600)
    try {
      for (const text of this.#kept.values()) writeAll(file, `+${text}\n`)
      fsyncSync(file)
      renameSync(next, this.#path)
    } catch (error) {
      closeSync(file)
      throw error
    }
    this.#dead = 0
    this.#torn = false
    return file
  }
}

/** Writes a whole text. One call of `writeSync` can write only a part of it. */
function writeAll(file: number, text: string): void {
  let bytes = encoder.encode(text)
  while (bytes.length > 0) bytes = bytes.subarray(writeSync(file, bytes))
}

const encoder = new TextEncoder()

/** Returns the events of a file that are not removed, oldest first. Skips incomplete lines, whose writes failed. */
function read(file: string): Map<string, string> {
  const kept = new Map<string, string>()
  if (!existsSync(file)) return kept
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const value = parse(line.slice(1))
    if (line.startsWith('-') && typeof value === 'string') kept.delete(value)
    if (!line.startsWith('+') || typeof value !== 'object' || value === null) continue
    if ('idempotency_key' in value && typeof value.idempotency_key === 'string') {
      kept.set(value.idempotency_key, line.slice(1))
    }
  }
  return kept
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function lock(file: string): void {
  const name = `${file}.lock`
  for (;;) {
    try {
      writeFileSync(name, String(process.pid), { flag: 'wx' })
      open.add(file)
      return
    } catch (error) {
      if (!existsSync(name)) throw error
    }
    const holder = Number(readFileSync(name, 'utf8'))
    // In a restarted container, this process can have the id of a process of an earlier run, whose lock file still
    // exists.
    const taken = holder === process.pid ? open.has(file) : holder > 0 && isAlive(holder)
    if (taken) {
      throw new ConfigurationError(
        `${file} is used by a store of process ${holder}. Give each store its own file.`,
      )
    }
    rmSync(name, { force: true })
  }
}

function unlock(file: string): void {
  open.delete(file)
  rmSync(`${file}.lock`, { force: true })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
