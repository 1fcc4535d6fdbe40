// Runs a script of this folder, for example start.ts with `node scripts/run.mjs start`. Runs the checks of
// `require-install.mjs` first.
import './require-install.mjs'

const [name] = process.argv.splice(2, 1)
await import(`./${name}.ts`)
