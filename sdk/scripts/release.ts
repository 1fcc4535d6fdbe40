/**
 * Publishes the package (`npm run release -w sdk`) if the git tag of the workflow is `sdk-v` followed by the package's
 * version. Otherwise, only checks the package. Throws if the changelog has no heading with the version, or if an
 * `sdk-v` tag names another version.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'

const ROOT = path.join(import.meta.dirname, '..')
const TAG = 'sdk-v'

/** Returns the reason why this version cannot be published with this tag; undefined if it can. */
export function problemOf(version: string, changelog: string, tag: string | undefined): string | undefined {
  if (!changelog.includes(`\n## ${version}\n`)) return `CHANGELOG.md has no heading "## ${version}".`
  if (tag?.startsWith(TAG) && tag !== TAG + version)
    return `The tag is ${tag}, but package.json has the version ${version}.`
  return undefined
}

function main(): void {
  const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8')
  const manifest: { version: string } = JSON.parse(read('package.json'))
  const tag = process.env.GITHUB_REF_TYPE === 'tag' ? process.env.GITHUB_REF_NAME : undefined
  const problem = problemOf(manifest.version, read('CHANGELOG.md'), tag)
  if (problem !== undefined) throw new Error(problem)
  const publishes = tag === TAG + manifest.version
  const options = publishes ? ['--provenance'] : ['--dry-run', '--no-provenance']
  execFileSync('npm', ['publish', '--access', 'public', ...options], { cwd: ROOT, stdio: 'inherit' })
}

if (process.argv[1] === import.meta.filename) main()
