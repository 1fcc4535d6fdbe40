import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { build } from 'vite'
import { buildFolder, type StaticFolder } from '../scripts/static-folder.ts'

const FOLDER = import.meta.dirname

export const WIDGETS = ['om-balance', 'om-usage', 'om-top-up', 'om-widgets'] as const
export type Widget = (typeof WIDGETS)[number]

/** A file whose name contains its hash, and the value of the HTML attribute `integrity` for it. */
export interface FixedFile {
  readonly file: string
  readonly integrity: string
}

/** Returns the minified module of a widget. The module has no imports. */
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
  if (chunks.length !== 1 || chunk?.type !== 'chunk')
    throw new Error(`The build of ${widget} wrote ${chunks.length} files instead of one module`)
  return chunk.code
}

export const WIDGET_FILES: StaticFolder = {
  name: 'widgets',
  workspace: FOLDER,
  built: path.join(FOLDER, '..', 'public', 'widgets'),
  marker: 'integrity.json',
  sources: ['src', 'build.ts'],
  async write(folder) {
    mkdirSync(path.join(folder, 'fixed'))
    const fixed = await Promise.all(WIDGETS.map((widget) => writeWidget(folder, widget)))
    writeFileSync(
      path.join(folder, 'integrity.json'),
      `${JSON.stringify(Object.fromEntries(fixed), null, 2)}\n`,
    )
  },
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

if (import.meta.main) await buildFolder(WIDGET_FILES)
