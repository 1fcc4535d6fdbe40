import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { build } from 'vite'

const FOLDER = import.meta.dirname
const BUILT = path.join(FOLDER, '..', 'public', 'dashboard')
const SOURCES = ['src', 'public', 'index.html', 'vite.config.ts', 'package.json']

/** Builds the dashboard into `public/dashboard`, which git ignores. */
export async function buildDashboard(): Promise<void> {
  // Built beside the final place and then moved there, because a server may serve the old files and another
  // process may build at the same time.
  const outDir = mkdtempSync(path.join(FOLDER, '.build-'))
  try {
    await build({
      configFile: path.join(FOLDER, 'vite.config.ts'),
      build: { outDir },
      logLevel: 'warn',
    })
    rmSync(BUILT, { recursive: true, force: true })
    renameSync(outDir, BUILT)
  } catch (error) {
    rmSync(outDir, { recursive: true, force: true })
    throw error
  }
}

/** Builds the dashboard if its built files are older than its source. */
export async function buildStaleDashboard(): Promise<void> {
  const index = path.join(BUILT, 'index.html')
  const newest_ms = Math.max(...SOURCES.map((source) => newestIn(path.join(FOLDER, source))))
  if (existsSync(index) && statSync(index).mtimeMs >= newest_ms) return
  await buildDashboard()
  console.log('Built the dashboard.')
}

/** Returns the time at which a file, or the newest file below a folder, was changed. */
function newestIn(place: string): number {
  if (!statSync(place).isDirectory()) return statSync(place).mtimeMs
  const files = readdirSync(place, { recursive: true, withFileTypes: true })
  return Math.max(...files.map(({ parentPath, name }) => statSync(path.join(parentPath, name)).mtimeMs))
}
