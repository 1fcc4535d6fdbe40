import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { ENVIRONMENTS } from '../../scripts/deploy/sections.ts'

const ROOT = path.join(import.meta.dirname, '../..')

const workflowSchema = z.object({
  on: z.record(z.string(), z.unknown()),
  permissions: z.record(z.string(), z.string()),
  jobs: z.record(
    z.string(),
    z.object({
      needs: z.string().optional(),
      if: z.string().optional(),
      uses: z.string().optional(),
      environment: z.string().optional(),
      permissions: z.record(z.string(), z.string()).optional(),
      with: z.record(z.string(), z.string()).optional(),
      steps: z
        .array(
          z.object({
            uses: z.string().optional(),
            run: z.string().optional(),
            env: z.record(z.string(), z.string()).optional(),
          }),
        )
        .optional(),
    }),
  ),
})

const text = (name: string) => readFileSync(path.join(ROOT, '.github/workflows', name), 'utf8')
const workflow = (name: string) => workflowSchema.parse(parse(text(name)))
const stepsOf = (name: string) => Object.values(workflow(name).jobs).flatMap(({ steps = [] }) => steps)

const FILES = ['ci.yml', 'deploy.yml', 'deploy-environment.yml', 'prices.yml', 'release-sdk.yml']

describe('the workflows', () => {
  it('check every change with the same checks as .ci/run', () => {
    expect(Object.keys(workflow('ci.yml').on)).toEqual(['push', 'pull_request', 'workflow_call'])
    expect(stepsOf('ci.yml').map(({ run }) => run)).toContain('.ci/run')
  })

  it('deploy what was checked: development, then staging, then production', () => {
    const { jobs } = workflow('deploy.yml')
    expect(jobs.check?.uses).toBe('./.github/workflows/ci.yml')
    const before = ['check', ...ENVIRONMENTS]
    for (const [index, environment] of ENVIRONMENTS.entries()) {
      expect(jobs[environment]).toMatchObject({
        needs: before[index],
        uses: './.github/workflows/deploy-environment.yml',
        with: { environment },
      })
    }
    expect(Object.keys(jobs)).toHaveLength(before.length)
  })

  it('wait for the reviewers of the environment, and deploy as a person would', () => {
    const [deploy] = Object.values(workflow('deploy-environment.yml').jobs)
    // biome-ignore lint/suspicious/noTemplateCurlyInString: an expression of GitHub Actions.
    expect(deploy?.environment).toBe('${{ inputs.environment }}')
    const runs = stepsOf('deploy-environment.yml').flatMap(({ run }) => (run === undefined ? [] : [run]))
    expect(runs).toEqual(['npm ci', 'npm run audit -- --required', 'npm run deploy -- "$ENVIRONMENT_NAME"'])
    const { scripts } = z
      .object({ scripts: z.record(z.string(), z.string()) })
      .parse(JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')))
    expect(scripts).toMatchObject({ audit: 'node scripts/audit.ts', deploy: 'node scripts/deploy.ts' })
  })

  it.each(FILES)('pin every action of others to a commit, and name its version: %s', (name) => {
    const uses = [...text(name).matchAll(/^\s*(?:- )?uses: (.+)$/gm)].map(([, action = '']) => action)
    expect(uses.length).toBeGreaterThan(0)
    for (const action of uses.filter((action) => !action.startsWith('./.github/'))) {
      expect(action).toMatch(/^[\w-]+\/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
    }
  })

  it('are all checked by this test', () => {
    expect(readdirSync(path.join(ROOT, '.github/workflows')).sort()).toEqual([...FILES].sort())
  })

  it('publish the SDK after the checks, and only for a tag', () => {
    const { on, jobs } = workflow('release-sdk.yml')
    expect(on).toEqual({ push: { tags: ['sdk-v*'] }, workflow_dispatch: null })
    expect(jobs.check?.uses).toBe('./.github/workflows/ci.yml')
    expect(jobs.publish?.needs).toBe('check')
    expect(stepsOf('release-sdk.yml').flatMap(({ run }) => run ?? [])).toEqual([
      'npm ci',
      'npm run release -w sdk',
    ])
  })

  it('propose new prices every day, and merge nothing', () => {
    const { on, jobs } = workflow('prices.yml')
    expect(Object.keys(on)).toEqual(['schedule', 'workflow_dispatch'])
    expect(jobs.prices?.permissions).toEqual({ contents: 'write', 'pull-requests': 'write' })
    const runs = stepsOf('prices.yml').flatMap(({ run }) => run ?? [])
    expect(runs).toContain('npm run --silent catalog -- --check > "$RUNNER_TEMP/changes.md"')
    expect(runs).toContain('npm run catalog')
    expect(runs.at(-1)).toContain('gh pr create')
    expect(text('prices.yml')).not.toMatch(/pr merge|push.*main/)
  })

  it.each(FILES.filter((name) => name !== 'prices.yml'))('have no job that may write: %s', (name) => {
    for (const { permissions = {} } of Object.values(workflow(name).jobs)) {
      for (const [what, may] of Object.entries(permissions)) if (what !== 'id-token') expect(may).toBe('read')
    }
  })

  it.each(FILES)('may read the repository and nothing more: %s', (name) => {
    expect(workflow(name).permissions).toEqual({ contents: 'read' })
  })

  it.each(FILES)('hand secrets to a program by its environment, never by its arguments: %s', (name) => {
    for (const { run, env = {} } of stepsOf(name)) {
      expect(run ?? '').not.toContain('${{')
      for (const [variable, value] of Object.entries(env)) {
        if (value.includes('secrets.')) expect(value).toBe(`\${{ secrets.${variable} }}`)
      }
    }
    // With `pull_request_target`, a pull request from a fork could run its own code with the secrets of this
    // repository.
    expect(text(name)).not.toContain('pull_request_target')
  })
})
