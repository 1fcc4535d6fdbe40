// Runs a script of this folder after `require-install.mjs`: `node scripts/run.mjs start` runs start.ts.
import './require-install.mjs'

const [name] = process.argv.splice(2, 1)
await import(`./${name}.ts`)
