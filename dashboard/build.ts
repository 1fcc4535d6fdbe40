import path from 'node:path'
import { build } from 'vite'
import type { StaticFolder } from '../scripts/static-folder.ts'

const FOLDER = import.meta.dirname

export const DASHBOARD: StaticFolder = {
  name: 'dashboard',
  workspace: FOLDER,
  built: path.join(FOLDER, '..', 'public', 'dashboard'),
  marker: 'index.html',
  sources: [
    ...['src', 'public', 'index.html', 'vite.config.ts', 'package.json'],
    ...['../widgets/src/exact.ts', '../src/api-keys/authentication/scopes.ts'],
  ],
  async write(outDir) {
    await build({ configFile: path.join(FOLDER, 'vite.config.ts'), build: { outDir }, logLevel: 'warn' })
  },
}
