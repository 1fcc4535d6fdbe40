import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { build } from 'vite'

const FOLDER = import.meta.dirname
const BUILT = path.join(FOLDER, '..', 'public', 'widgets')
const SOURCES = ['src', 'build.ts']

export const WIDGETS = ['om-balance', 'om-usage', 'om-top-up', 'om-widgets'] as const
export type Widget = (typeof WIDGETS)[number]

/** A file whose name changes with its content, and its hash for the attribute `integrity` of a page. */
export interface FixedFile {
  readonly file: string
  readonly integrity: string
}

/** Returns the minified module of a widget, which imports nothing. */
export async function bundleOf(widget: Widget): Promise<string> {
  const result = await build({
    configFile: false,
    root: FOLDER,
    logLevel: 'warn',
    publicDir: false,
    build: {
      write: false,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: { input: path.join(FOLDER, 'src', `${widget}.ts`) },
    },
  })
  const chunks = [result].flat().flatMap((one) => ('output' in one ? one.output : []))
  const [chunk] = chunks
  if (chunks.length !== 1 || chunk?.type !== 'chunk') throw new Error(`${widget} is not one file`)
  return chunk.code
}

/** Builds all widgets into `public/widgets`, which git ignores. */
export async function buildWidgets(): Promise<void> {
  // Built beside the final place and then moved there, because a server may serve the old files and another process may build at the same time.
  const folder = mkdtempSync(path.join(FOLDER, '.build-'))
  try {
    mkdirSync(path.join(folder, 'fixed'))
    const fixed = await Promise.all(WIDGETS.map((widget) => writeWidget(folder, widget)))
    writeFileSync(
      path.join(folder, 'integrity.json'),
      `${JSON.stringify(Object.fromEntries(fixed), null, 2)}\n`,
    )
    rmSync(BUILT, { recursive: true, force: true })
    renameSync(folder, BUILT)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

async function writeWidget(folder: string, widget: Widget): Promise<readonly [string, FixedFile]> {
  const code = await bundleOf(widget)
  const hash = createHash('sha384').update(code)
  const digest = hash.digest()
  const file = `fixed/${widget}-${digest.toString('hex').slice(0, 12)}.js`
  writeFileSync(path.join(folder, `${widget}.js`), code)
  writeFileSync(path.join(folder, file), code)
  return [`${widget}.js`, { file, integrity: `sha384-${digest.toString('base64')}` }]
}

/** Builds the widgets if their built files are older than their source. */
export async function buildStaleWidgets(): Promise<void> {
  const built = path.join(BUILT, 'integrity.json')
  const newest_ms = Math.max(...SOURCES.map((source) => newestIn(path.join(FOLDER, source))))
  if (existsSync(built) && statSync(built).mtimeMs >= newest_ms) return
  await buildWidgets()
  console.log('Built the widgets.')
}

/** Returns the time at which a file, or the newest file below a folder, was changed. */
function newestIn(place: string): number {
  if (!statSync(place).isDirectory()) return statSync(place).mtimeMs
  const files = readdirSync(place, { recursive: true, withFileTypes: true })
  return Math.max(...files.map(({ parentPath, name }) => statSync(path.join(parentPath, name)).mtimeMs))
}

if (import.meta.main) await buildWidgets()
