/** Deletes the folder `dist`, and compiles `src` into it. */
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const ROOT = path.join(import.meta.dirname, '..')
const TSC = path.join(ROOT, '..', 'node_modules', 'typescript', 'bin', 'tsc')

rmSync(path.join(ROOT, 'dist'), { recursive: true, force: true })
execFileSync(process.execPath, [TSC, '-p', 'tsconfig.build.json'], { cwd: ROOT, stdio: 'inherit' })
// The compiler keeps the extension `.ts` in the imports of declarations. This loop replaces it with `.js`.
for (const file of globSync('dist/**/*.d.ts', { cwd: ROOT })) {
  const name = path.join(ROOT, file)
  writeFileSync(
    name,
    readFileSync(name, 'utf8').replace(/(from '\.[^']*|import\("\.[^"]*)\.ts(?=['"])/g, '$1.js'),
  )
}
