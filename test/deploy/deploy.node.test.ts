import { execFile, spawnSync } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { Checked } from '../../scripts/deploy/checks.ts'
import { ENVIRONMENTS, readSection, type Section } from '../../scripts/deploy/sections.ts'
import { deploy, type Ran, type Request, type World } from '../../scripts/deploy/steps.ts'

const ROOT = path.join(import.meta.dirname, '../..')

const secrets = (...names: string[]) => JSON.stringify(names.map((name) => ({ name, type: 'secret_text' })))

/**
 * A test double for the commands and requests of a deployment. It records the calls in order, and returns prepared
 * results.
 */
class FakeWorld implements World {
  readonly did: string[] = []
  readonly said: string[] = []
  answers: Readonly<Record<string, Ran>> = {
    'secret list': {
      code: 0,
      output: `banner\n${secrets('OPERATOR_TOKEN', 'ENCRYPTION_KEY', 'LEDGER_SIGNING_KEY')}`,
    },
  }
  changed: readonly string[] | undefined = []
  works = true
  targets: readonly string[] = [
    'Producer for usage',
    'schedule: */15 * * * *',
    'https://api.example.workers.dev',
  ]

  async wrangler(args: readonly string[]): Promise<Ran> {
    const command = args.filter((arg) => !arg.startsWith('dist')).join(' ')
    this.did.push(command)
    const known = Object.entries(this.answers).find(([beginning]) => command.startsWith(beginning))
    return known?.[1] ?? { code: 0, output: '' }
  }
  deployedTo = () => this.targets
  changedFiles = async () => this.changed
  commit = async () => '0123456789abcdef'
  smoke = async (url: string) => {
    this.did.push(`smoke ${url}`)
    return this.works
  }
  say = (line: string) => void this.said.push(line)
}

const REQUEST: Request = { environment: 'production', dry_run: false, allow_dirty: false, url: undefined }
const section: Section = { ...readSection('production'), kv_ids: [], d1_ids: [] }
const CHECKED: Checked = {
  environment: 'production',
  section,
  tested: readSection(),
  others: [],
  operator_token: undefined,
}

const BUILD = 'deploy --env production --dry-run --outdir'
const SECRETS = 'secret list --env production --format json'
const MIGRATE = 'd1 migrations apply DB --env production --remote'
const DEPLOY = 'deploy --env production --tag 0123456789ab'
const SMOKE = 'smoke https://api.example.workers.dev'

describe('npm run deploy', () => {
  it('builds, checks the secrets, migrates D1, deploys and tests, in this order', async () => {
    const world = new FakeWorld()
    expect(await deploy(REQUEST, CHECKED, world)).toBe(0)
    expect(world.did).toEqual([BUILD, SECRETS, MIGRATE, DEPLOY, SMOKE])
  })

  it.each<[string, (world: FakeWorld) => void, readonly string[]]>([
    ['files are not committed', (world) => (world.changed = [' M src/app.ts']), [BUILD]],
    ['there is no history', (world) => (world.changed = undefined), [BUILD]],
    ['the Worker cannot be built', fails(BUILD), [BUILD]],
    ['wrangler is not logged in', fails('secret'), [BUILD, SECRETS]],
    ['a secret is missing', answers('secret', '[{"name":"OTHER"}]'), [BUILD, SECRETS]],
    ['the secrets are gibberish', answers('secret', '[{"na'), [BUILD, SECRETS]],
    ['D1 cannot be migrated', fails('d1'), [BUILD, SECRETS, MIGRATE]],
    ['the Worker is not accepted', fails('deploy --env production --tag'), [BUILD, SECRETS, MIGRATE, DEPLOY]],
    ['the smoke test fails', (world) => (world.works = false), [BUILD, SECRETS, MIGRATE, DEPLOY, SMOKE]],
    [
      'wrangler prints no address',
      (world) => (world.targets = ['Producer for usage']),
      [BUILD, SECRETS, MIGRATE, DEPLOY],
    ],
  ])('stops and fails when %s', async (_, breaks, did) => {
    const world = new FakeWorld()
    breaks(world)
    expect(await deploy(REQUEST, CHECKED, world)).toBe(1)
    expect(world.did).toEqual(did)
    expect(world.said.length).toBeGreaterThan(0)
  })

  it('does not build a wrong section', async () => {
    for (const vars of [{ ENVIRONMENT: 'development' }, { OPERATOR_TOKEN: 'dev-operator-token' }]) {
      const world = new FakeWorld()
      const wrong = { ...CHECKED, section: { ...section, vars: { ...section.vars, ...vars } } }
      expect(await deploy(REQUEST, wrong, world)).toBe(1)
      expect(world.did).toEqual([])
    }
  })

  it('explains how to roll back when the smoke test fails', async () => {
    const world = new FakeWorld()
    world.works = false
    await deploy(REQUEST, CHECKED, world)
    expect(world.said.at(-1)).toContain('npx wrangler rollback --env production')
  })

  it('deploys development with uncommitted changes, and others with --allow-dirty', async () => {
    for (const request of [
      { ...REQUEST, environment: 'development' as const },
      { ...REQUEST, allow_dirty: true },
    ]) {
      const world = new FakeWorld()
      world.changed = ['?? new.ts']
      const vars = request.environment === 'development' ? { ENVIRONMENT: 'staging' } : {}
      const checked = {
        ...CHECKED,
        environment: request.environment,
        section: { ...section, vars: { ...section.vars, ...vars } },
      }
      expect(await deploy(request, checked, world)).toBe(0)
    }
  })

  it.each([
    ['api.example.com (custom domain - zone name: example.com)', 'https://api.example.com'],
    ['api.example.com/* (zone name: example.com)', 'https://api.example.com'],
    ['https://edge.account.workers.dev', 'https://edge.account.workers.dev'],
  ])('finds the Worker at %s', async (target, url) => {
    const world = new FakeWorld()
    world.targets = ['schedule: */15 * * * *', '*.example.com/*', 'Consumer for usage', target]
    expect(await deploy(REQUEST, CHECKED, world)).toBe(0)
    expect(world.did.at(-1)).toBe(`smoke ${url}`)
  })

  it('sends the smoke test to the given URL', async () => {
    const world = new FakeWorld()
    expect(await deploy({ ...REQUEST, url: 'https://api.example.com' }, CHECKED, world)).toBe(0)
    expect(world.did.at(-1)).toBe('smoke https://api.example.com')
  })

  it('calls only the bundler in a dry run, and lists the remaining steps', async () => {
    const world = new FakeWorld()
    world.changed = [' M src/app.ts']
    const checked = { ...CHECKED, section: readSection('production') }
    expect(await deploy({ ...REQUEST, dry_run: true }, checked, world)).toBe(0)
    expect(world.did).toEqual([BUILD])
    const said = world.said.join('\n')
    for (const left of ['KV namespace', 'D1 database', 'commit the changes', MIGRATE])
      expect(said).toContain(left)
  })
})

describe('the real script, without a network', () => {
  const offline = {
    ...process.env,
    HTTPS_PROXY: 'http://127.0.0.1:9',
    WRANGLER_SEND_METRICS: 'false',
    NO_COLOR: '1',
  }

  it.each(ENVIRONMENTS)(
    'npm run deploy -- %s --dry-run builds a Worker that has every binding',
    {
      timeout: 240_000,
    },
    async (environment) => {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['scripts/deploy.ts', environment, '--dry-run', '--allow-dirty'],
        { cwd: ROOT, env: offline, maxBuffer: 1e7 },
      )
      const { bindings, vars } = readSection()
      for (const binding of bindings) expect(stdout).toContain(`env.${binding.split(':')[1]} (`)
      for (const variable of Object.keys(vars)) expect(stdout).toContain(`env.${variable} (`)
      expect(stdout).toContain('A dry run: nothing was changed.')
    },
  )

  it.each(['', 'laptop', 'production staging', 'production --force'])(
    'npm run deploy -- %j prints its usage',
    (words) => {
      const args = words === '' ? [] : words.split(' ')
      const { status, stderr } = spawnSync(process.execPath, ['scripts/deploy.ts', ...args], {
        cwd: ROOT,
        encoding: 'utf8',
        env: offline,
      })
      expect(status).toBe(1)
      expect(stderr).not.toBe('')
    },
  )
})

function fails(command: string): (world: FakeWorld) => void {
  return (world) => {
    world.answers = { [command]: { code: 1, output: 'no' }, ...world.answers }
  }
}

function answers(command: string, output: string): (world: FakeWorld) => void {
  return (world) => {
    world.answers = { [command]: { code: 0, output }, ...world.answers }
  }
}
