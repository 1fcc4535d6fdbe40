// Ends the process with one line when the dependencies are missing or the machine's Node is too old. Plain JavaScript
// without imports of packages, so that it runs before `npm ci` and on an old Node.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const OLDEST = 20
const OLDEST_WITH_TYPES = 22.18

/** The Node that runs npm. Scripts of npm run with another one, which `npm ci` installs. */
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
