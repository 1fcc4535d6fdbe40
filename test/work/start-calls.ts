import { readFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { registerHooks } from 'node:module'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/**
 * Runs the start of a bundled Worker in Node, and prints how many function calls it makes: `node start-calls.ts SCRIPT`.
 * The number is the same in every run and on every machine.
 */

/** The bundler's names of files that the Worker imports as text. */
const IS_TEXT = /\/[0-9a-f]{40}-[^/]+$/
const PLATFORM = 'data:text/javascript,export class DurableObject {}'

const script = pathToFileURL(path.resolve(process.argv[2] ?? '')).href
const module = (source: string) => ({ format: 'module', source, shortCircuit: true }) as const

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'cloudflare:workers' ? { url: PLATFORM, shortCircuit: true } : next(specifier, context),
  load: (url, context, next) => {
    if (IS_TEXT.test(url)) return module('export default ""')
    // The folder of the script has no package.json that makes the file a module.
    return url === script ? module(readFileSync(fileURLToPath(url), 'utf8')) : next(url, context)
  },
})

const session = new Session()
session.connect()
await session.post('Profiler.enable')
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
await import(script)
const { result } = await session.post('Profiler.takePreciseCoverage')
const functions = result.find(({ url }) => url === script)?.functions ?? []
console.log(functions.reduce((sum, { ranges }) => sum + (ranges[0]?.count ?? 0), 0))
