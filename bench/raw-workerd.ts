import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

// The Miniflare that wrangler depends on and runs.
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from 'miniflare'
import { unstable_getMiniflareWorkerOptions } from 'wrangler'
import { childrenOf } from './process.ts'

export const ROOT = path.join(import.meta.dirname, '..')
export const PROJECT = path.join(ROOT, 'wrangler.toml')

/** A workerd process without the development server of wrangler, whose proxy would distort the measurement. */
export interface RawWorkerd {
  /** The URL of the Worker, without a proxy. */
  readonly url: string
  /** The id of the workerd process; `NaN` on a system without /proc. */
  readonly pid: number
  readonly d1: () => Promise<D1Database>
  /** Returns the WebSocket address of the inspector for the Worker's isolate. Requires `inspected`. */
  readonly inspector: () => Promise<string>
  stop(): Promise<void>
}

/**
 * Bundles the Worker of a wrangler configuration as for a deployment. `entry` replaces the entry file of the
 * configuration. Returns the path of the script.
 */
export function bundle(config: string, directory: string, entry?: string): string {
  const wrangler = path.join(ROOT, 'node_modules', 'wrangler', 'bin', 'wrangler.js')
  execFileSync(
    process.execPath,
    [
      wrangler,
      'deploy',
      ...(entry === undefined ? [] : [entry]),
      '-c',
      config,
      '--env=',
      '--dry-run',
      '--outdir',
      directory,
    ],
    {
      cwd: ROOT,
      stdio: 'pipe',
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true' },
    },
  )
  // The script has the same name as the entry file. The folder also has a source map and the files that the script
  // imports as text. The name of the source map gives the name of the script.
  const map = readdirSync(directory).find((file) => file.endsWith('.js.map'))
  if (map === undefined) throw new Error(`wrangler wrote no source map to ${directory}`)
  return path.join(directory, map.slice(0, -'.map'.length))
}

/** Applies all migrations of a work tree to an empty D1 database. */
export async function migrateD1(db: D1Database, root = ROOT): Promise<void> {
  const folder = path.join(root, 'migrations')
  for (const file of readdirSync(folder).sort()) {
    if (!file.endsWith('.sql')) continue
    const statements = readFileSync(path.join(folder, file), 'utf8').split('--> statement-breakpoint')
    await db.batch(statements.map((statement) => db.prepare(statement)))
  }
}

/**
 * Starts a bundled Worker with the bindings of its configuration, but without the rate limiters of the platform. Serves
 * static assets only with `assets`: with assets, the local runtime routes each request through a separate Worker, which
 * takes more time than the Worker of this project.
 */
export async function startWorkerd(
  config: string,
  script: string,
  state: string,
  bindings: Readonly<Record<string, string>> = {},
  { inspected = false, assets = false } = {},
): Promise<RawWorkerd> {
  const { workerOptions } = unstable_getMiniflareWorkerOptions(config)
  const before = childrenOf(process.pid)
  const { modulesRules: _rules, ratelimits: _limiters, ...worker } = workerOptions
  if (!assets) Reflect.deleteProperty(worker, 'assets')
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: '127.0.0.1',
      port: 0,
      cf: false,
      telemetry: { enabled: false },
      log: new Log(LogLevel.ERROR),
      resourcePersistencePath: state,
      ...(inspected && { inspectorPort: 0 }),
      workers: [
        {
          ...worker,
          bindings: Object.assign({}, worker.bindings, bindings),
          modules: modulesOf(script),
          modulesRoot: path.dirname(script),
          unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
        },
      ],
    }),
  )
  await miniflare.ready
  const url = await miniflare.unsafeGetDirectURL()
  return {
    url: url.origin,
    pid: childrenOf(process.pid).find((pid) => !before.includes(pid)) ?? Number.NaN,
    d1: () => miniflare.getD1Database('DB'),
    inspector: async () => inspectorOf(await miniflare.getInspectorURL()),
    stop: () => miniflare.dispose(),
  }
}

/** Returns the WebSocket address of the first isolate that runs a Worker of this project. */
async function inspectorOf(url: URL): Promise<string> {
  const response = await fetch(`http://${url.host}/json`)
  const targets: readonly { readonly id: string; readonly webSocketDebuggerUrl: string }[] = JSON.parse(
    await response.text(),
  )
  const own = targets.find(({ id }) => id.startsWith('core:user:'))
  if (!own) throw new Error(`no isolate of this project among ${targets.map(({ id }) => id).join(', ')}`)
  return own.webSocketDebuggerUrl
}

/**
 * Returns the modules of the Worker: the script, and the imported files with the extensions css, js and md. These
 * files have the type Text, which is the only module rule in wrangler.toml.
 */
function modulesOf(script: string) {
  const folder = path.dirname(script)
  const texts = readdirSync(folder).filter(
    (file) => /\.(css|js|md)$/.test(file) && file !== path.basename(script),
  )
  return [
    { type: 'ESModule' as const, path: script },
    ...texts.map((file) => ({ type: 'Text' as const, path: path.join(folder, file) })),
  ]
}
