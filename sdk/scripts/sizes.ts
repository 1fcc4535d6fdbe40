/** Prints the sizes of the entries in `BUDGETS` as a Worker or a page bundles them: minified and compressed. */

import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const SOURCE = path.join(import.meta.dirname, '..', 'src')

/**
 * The maximum size of each entry with its imports, minified and compressed, in bytes. A route of the API adds about 10
 * bytes to the index.
 */
export const BUDGETS: Readonly<Record<string, number>> = {
  'index.ts': 8 * 1024,
  'openai.ts': 4 * 1024,
  'anthropic.ts': 4 * 1024,
  'google.ts': 4 * 1024,
  'ai.ts': 4 * 1024,
  'webhooks.ts': 4 * 1024,
  'stream.ts': 4 * 1024,
}

export async function bundleOf(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: SOURCE, loader: 'ts' },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    conditions: ['workerd', 'browser'],
    write: false,
    logLevel: 'silent',
  })
  const [file] = outputFiles
  if (!file) throw new Error('esbuild wrote nothing')
  return file.text
}

export async function sizeOf(contents: string): Promise<number> {
  return gzipSync(await bundleOf(contents), { level: 9 }).length
}

async function main(): Promise<void> {
  for (const [file, budget] of Object.entries(BUDGETS)) {
    console.log(`${file}: ${await sizeOf(`export * from './${file}'`)} of ${budget} bytes`)
  }
}

if (process.argv[1] === import.meta.filename) await main()
