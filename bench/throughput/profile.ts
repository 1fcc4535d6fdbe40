import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type CpuProfile, Inspector } from '../inspector.ts'

const SAMPLE_US = 200
const SHOWN = 40

/**
 * Runs the work under the sampling profiler of V8. Returns a table of the functions that use the most CPU time
 * themselves.
 */
export async function profileOf(
  inspector_url: string,
  script: string,
  work: () => Promise<unknown>,
): Promise<string> {
  const inspector = await Inspector.open(inspector_url)
  try {
    await inspector.call('Profiler.enable')
    await inspector.call('Profiler.setSamplingInterval', { interval: SAMPLE_US })
    await inspector.call('Profiler.start')
    await work()
    const { profile } = await inspector.call('Profiler.stop')
    return functionTable(profile, script)
  } finally {
    inspector.close()
  }
}

/**
 * Returns a table of functions with their shares of the samples. Samples of `(idle)` are left out, because the isolate
 * has no work at these times.
 */
function functionTable({ nodes, samples }: CpuProfile, script: string): string {
  const sources = sourcesOf(script)
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const source = url.endsWith(path.basename(script)) ? (sources[lineNumber] ?? '') : url
      return [id, `${functionName || '(anonymous)'}${source && `  ${source}:${lineNumber + 1}`}`]
    }),
  )
  const counts = new Map<string, number>()
  let busy = 0
  for (const sample of samples) {
    const name = names.get(sample) ?? '?'
    if (name === '(idle)') continue
    busy++
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const hottest = [...counts].sort(([, a], [, b]) => b - a).slice(0, SHOWN)
  return hottest
    .map(([name, count]) => `${((100 * count) / busy).toFixed(1).padStart(5)} %  ${name}`)
    .join('\n')
}

/** Returns the source file of each line of the bundle. esbuild names the file in a comment above its part. */
function sourcesOf(script: string): string[] {
  let source = ''
  return readFileSync(script, 'utf8')
    .split('\n')
    .map((line) => {
      source = /^\/\/ ((?:\.\.\/)*(?:src|node_modules)\/\S+)$/.exec(line)?.[1] ?? source
      return source
    })
}
