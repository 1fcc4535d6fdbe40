import { z } from 'zod'
import { type Checked, checkSecrets, checkSection, checkTree, type Finding } from './checks.ts'
import type { EnvironmentName } from './sections.ts'

/** The exit status and the output of a command. */
export interface Ran {
  readonly code: number
  readonly output: string
}

/** The commands and requests of a deployment. Tests replace them. */
export interface World {
  /** Runs wrangler. With `show`, its output is also printed. */
  wrangler(args: readonly string[], options: { readonly show: boolean }): Promise<Ran>
  /** Returns the addresses of the deployed Worker, in the order in which wrangler prints them. */
  deployedTo(): readonly string[]
  /** Returns the files with uncommitted changes; undefined outside a git checkout. */
  changedFiles(): Promise<readonly string[] | undefined>
  commit(): Promise<string | undefined>
  /** Runs the smoke test, and reports whether the Worker at the URL passes it. */
  smoke(url: string): Promise<boolean>
  say(line: string): void
}

export interface Request {
  readonly environment: EnvironmentName
  readonly dry_run: boolean
  readonly allow_dirty: boolean
  /** The URL for the smoke test. Default: an address that wrangler prints. */
  readonly url: string | undefined
}

/**
 * Checks the section, builds the Worker, migrates D1, deploys the Worker, and runs the smoke test, in this order. Stops
 * at the first failure. Migrates D1 before the deployment, because the old Worker supports both schemas, but the new
 * Worker supports only the new schema (docs/deploy.md, "Rolling back"). A dry run uses no network: it builds the
 * Worker, and lists the remaining steps. Returns the exit status.
 */
export async function deploy(request: Request, checked: Checked, world: World): Promise<number> {
  const { environment, dry_run } = request
  const found = [...checkSection(checked)]
  if (!request.allow_dirty) found.push(...checkTree(environment, await world.changedFiles()))
  if (report(found, 'wrong', world)) return 1
  report(found, 'notice', world)

  const built = await world.wrangler(
    ['deploy', '--env', environment, '--dry-run', '--outdir', `dist/${environment}`],
    {
      show: dry_run,
    },
  )
  if (built.code !== 0) return failed('The Worker could not be built.', built, world)

  if (dry_run) {
    report(found, 'missing', world)
    world.say(
      `\nA dry run: nothing was changed. npm run deploy -- ${environment} would now\n${plan(environment)}`,
    )
    return 0
  }
  if (!report(found, 'missing', world)) found.push(...(await findSecrets(environment, world)))
  if (found.some(({ kind }) => kind === 'missing')) return 1
  return release(request, world)
}

const migrate = (environment: EnvironmentName) =>
  ['d1', 'migrations', 'apply', 'DB', '--env', environment, '--remote'] as const

async function release({ environment, url }: Request, world: World): Promise<number> {
  const migrated = await world.wrangler(migrate(environment), { show: true })
  if (migrated.code !== 0) return failed('D1 was not migrated, and nothing was deployed.', migrated, world)

  const commit = await world.commit()
  const tag = commit === undefined ? [] : ['--tag', commit.slice(0, 12)]
  const deployed = await world.wrangler(['deploy', '--env', environment, ...tag], { show: true })
  if (deployed.code !== 0)
    return failed(
      'The Worker was not deployed, but D1 is already migrated. The old Worker supports the new schema.',
      deployed,
      world,
    )

  const target = url ?? urlOf(world.deployedTo())
  if (target === undefined) {
    world.say(
      'The Worker is deployed, but wrangler printed no address for the smoke test. Run it with: npm run smoke -- https://…',
    )
    return 1
  }
  if (await world.smoke(target)) {
    world.say(`Deployed to ${target}.`)
    return 0
  }
  world.say(`Deployed to ${target}, but the smoke test failed. To go back to the previous version:`)
  world.say(`  npx wrangler rollback --env ${environment}`)
  return 1
}

const secretsSchema = z.array(z.object({ name: z.string() }))

async function findSecrets(environment: EnvironmentName, world: World): Promise<Finding[]> {
  const listed = await world.wrangler(['secret', 'list', '--env', environment, '--format', 'json'], {
    show: false,
  })
  const names = listed.code === 0 ? secretNames(listed.output) : undefined
  if (!names) {
    world.say(listed.output.trim())
    const message =
      'the secrets could not be listed: run npx wrangler login; if the Worker does not exist yet, store the first secret, which creates it'
    return reported([{ kind: 'missing', message }], world)
  }
  return reported(checkSecrets(names), world)
}

function reported(found: Finding[], world: World): Finding[] {
  report(found, 'missing', world)
  return found
}

/**
 * Returns the names of the secrets in the JSON that wrangler prints; undefined if it is invalid. Other text can precede
 * the JSON.
 */
function secretNames(output: string): string[] | undefined {
  const start = output.indexOf('[')
  if (start < 0) return undefined
  try {
    const { data } = secretsSchema.safeParse(JSON.parse(output.slice(start)))
    return data?.map(({ name }) => name)
  } catch {
    return undefined
  }
}

/**
 * Matches an address with a host, and captures the host. Wrangler prints URLs, routes and custom domains in the same
 * list as queues and crons, which have no host.
 */
const HOST = /^(?:https:\/\/)?((?:[a-z0-9-]+\.)+[a-z]{2,})(?:[\s/]|$)/i

function urlOf(targets: readonly string[]): string | undefined {
  const [host] = targets.flatMap((target) => HOST.exec(target)?.[1] ?? [])
  return host === undefined ? undefined : `https://${host}`
}

const TITLES: Readonly<Record<Finding['kind'], string>> = {
  wrong: 'Correct these errors before the deployment:',
  missing: 'These steps are still to be done:',
  notice: 'Check these settings:',
}

/** Prints the findings of a kind, and returns true if there are any. */
function report(found: readonly Finding[], kind: Finding['kind'], world: World): boolean {
  const messages = found.filter((finding) => finding.kind === kind).map(({ message }) => message)
  if (messages.length === 0) return false
  world.say(`${TITLES[kind]}\n${messages.map((message) => `  - ${message}`).join('\n')}`)
  return true
}

function failed(message: string, { output }: Ran, world: World): number {
  world.say(`${output.trim()}\n${message}`)
  return 1
}

function plan(environment: EnvironmentName): string {
  return [
    `npx wrangler secret list --env ${environment}      # OPERATOR_TOKEN, ENCRYPTION_KEY and LEDGER_SIGNING_KEY must be there`,
    `npx wrangler ${migrate(environment).join(' ')}`,
    `npx wrangler deploy --env ${environment}`,
    'npm run smoke -- https://…',
  ]
    .map((line) => `  ${line}`)
    .join('\n')
}
