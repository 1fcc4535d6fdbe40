import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { API_TYPES, apiTypes } from '../scripts/api-types.ts'
import { problemOf } from '../scripts/release.ts'
import { BUDGETS, bundleOf, sizeOf } from '../scripts/sizes.ts'

const { url } = inject('server')
const ROOT = path.join(import.meta.dirname, '..')

it("has the types of the server's API", async () => {
  const document = await (await fetch(`${url}/openapi.json`)).text()
  const current = await apiTypes(document)
  expect(readFileSync(API_TYPES, 'utf8') === current, 'run: npm run generate -w sdk').toBe(true)
})

describe('a bundle', () => {
  it.each(Object.entries(BUDGETS))(
    'of %s has at most %i bytes, minified and compressed',
    async (file, budget) => {
      expect(await sizeOf(`export * from './${file}'`)).toBeLessThanOrEqual(budget)
    },
  )

  it('contains no unused code', async () => {
    expect(await sizeOf(`import './index.ts'; import './openai.ts'; import './ai.ts'`)).toBeLessThan(100)
    expect(await sizeOf(`export { NotFoundError } from './index.ts'`)).toBeLessThan(900)
    expect(await bundleOf(`export * from './openai.ts'`)).not.toContain('visibilitychange')
    expect(await bundleOf(`export * from './index.ts'`)).not.toContain('indexedDB')
  })

  it('imports no modules, except those of Node in the file store', async () => {
    for (const file of [...Object.keys(BUDGETS), 'indexeddb.ts']) {
      expect(await bundleOf(`export * from './${file}'`)).not.toMatch(/\b(import|require)\s*[({"']/)
    }
  })
})

describe('the package', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'openmonetize-package-'))
  let files: string[] = []
  beforeAll(() => {
    const packed = npm('pack', '--json', '--pack-destination', directory)
    const answer: unknown = JSON.parse(packed.slice(packed.search(/^[[{]/m)))
    files = filesOf(answer)
  }, 120_000)
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  it('has its modules with their types, its documents, and nothing else', () => {
    const known = /^(dist\/[\w/-]+\.(js|d\.ts)|LICENSE|README\.md|CHANGELOG\.md|package\.json)$/
    expect(files.filter((file) => !known.test(file))).toEqual([])
    const { exports }: { exports: Record<string, { default?: string; types?: string }> } = JSON.parse(
      readFileSync(path.join(ROOT, 'package.json'), 'utf8'),
    )
    for (const entry of Object.values(exports).flatMap((place) => [place.default, place.types])) {
      if (entry !== undefined) expect(files).toContain(entry.replace('./', ''))
    }
    expect(files).toContain('README.md')
    expect(files).toContain('CHANGELOG.md')
  })

  it('has no dependency', () => {
    const manifest: object = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
    expect(manifest).not.toHaveProperty('dependencies')
  })

  it('passes publint and arethetypeswrong', { timeout: 120_000 }, () => {
    const bin = path.join(ROOT, '..', 'node_modules', '.bin')
    const options = { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' } as const
    expect(
      execFileSync(path.join(bin, 'publint'), ['run', '--strict', '--pack', 'false', '.'], options),
    ).toContain('All good')
    const [tarball] = execFileSync('ls', [directory], options).split('\n')
    execFileSync(
      path.join(bin, 'attw'),
      [path.join(directory, String(tarball)), '--profile', 'esm-only'],
      options,
    )
  })
})

it('can be imported and compiled by a project that has it installed', { timeout: 120_000 }, () => {
  const project = mkdtempSync(path.join(tmpdir(), 'openmonetize-consumer-'))
  const installed = path.join(project, 'node_modules', '@openmonetize', 'edge')
  cpSync(path.join(ROOT, 'dist'), path.join(installed, 'dist'), { recursive: true })
  cpSync(path.join(ROOT, 'package.json'), path.join(installed, 'package.json'))
  const entries = [
    '',
    '/openai',
    '/anthropic',
    '/google',
    '/ai',
    '/webhooks',
    '/stream',
    '/file',
    '/indexeddb',
  ]
  const imports = entries.map((entry, index) => `import * as m${index} from '@openmonetize/edge${entry}'`)
  const uses = `const om = new m0.OpenMonetize({ apiKey: 'k' })
    export async function balance(): Promise<number> { return (await om.credits.balance()).balance }
    export const all = [${entries.map((_, index) => `m${index}`).join()}]`
  writeFileSync(path.join(project, 'package.json'), '{"type":"module"}')
  writeFileSync(path.join(project, 'index.ts'), [...imports, uses].join('\n'))
  const options = { cwd: project, encoding: 'utf8', stdio: 'pipe' } as const
  const tsc = path.join(ROOT, '..', 'node_modules', 'typescript', 'bin', 'tsc')
  const strict = [
    '--strict',
    '--skipLibCheck',
    'false',
    '--types',
    '',
    '--lib',
    'es2022,dom,dom.asynciterable',
  ]
  try {
    execFileSync(
      process.execPath,
      [tsc, ...strict, '--module', 'nodenext', '--target', 'es2022', 'index.ts'],
      options,
    )
    execFileSync(process.execPath, ['index.js'], options)
  } finally {
    rmSync(project, { recursive: true, force: true })
  }
})

describe('a release', () => {
  it('needs a heading in the changelog, and the tag of its version', () => {
    const changelog = '# Changelog\n\n## 1.2.3\n'
    expect(problemOf('1.2.3', changelog, 'sdk-v1.2.3')).toBeUndefined()
    expect(problemOf('1.2.3', changelog, undefined)).toBeUndefined()
    expect(problemOf('1.2.4', changelog, undefined)).toContain('1.2.4')
    expect(problemOf('1.2.3', changelog, 'sdk-v1.2.4')).toContain('sdk-v1.2.4')
  })
})

function npm(...args: string[]): string {
  return execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/**
 * Returns the files of a package. npm prints a list of packages, or in newer versions an object with packages by
 * name.
 */
function filesOf(answer: unknown): string[] {
  const [first]: unknown[] = Array.isArray(answer) ? answer : Object.values(Object(answer))
  const files: unknown = Reflect.get(Object(first), 'files')
  return Array.isArray(files) ? files.map((file) => String(Reflect.get(Object(file), 'path'))) : []
}
