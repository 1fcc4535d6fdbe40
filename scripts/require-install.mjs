// Exits with a one-line message if the dependencies are not installed, the machine's Node is too old, or this Node does
// not run TypeScript. This file is plain JavaScript and imports no packages, so it also runs before `npm ci` and on an
// old Node.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const OLDEST = 20
const OLDEST_WITH_TYPES = 22.18

/** The version of the Node that runs npm itself. Scripts run with another Node, which `npm ci` installs. */
const machines = /\bnode\/v(\d+)\.\d+\.\d+/.exec(process.env.npm_config_user_agent ?? '')
const [major, minor] = process.versions.node.split('.').map(Number)
const installed = ['node', 'wrangler', 'vitest', 'zod'].every((name) =>
  existsSync(fileURLToPath(new URL(`../node_modules/${name}/package.json`, import.meta.url))),
)

if (Number(machines?.[1] ?? major) < OLDEST) {
  end(`Node ${machines?.[1] ?? major} is too old: OpenMonetize Edge needs Node ${OLDEST} or newer.`)
}
if (!installed) end('The dependencies are not installed. Run "npm ci" first.')
if (major + minor / 100 < OLDEST_WITH_TYPES) {
  end(
    `Node ${major}.${minor} does not run TypeScript. Use "npm run", which runs the Node that "npm ci" installs.`,
  )
}

function end(message) {
  console.error(message)
  process.exit(1)
}
