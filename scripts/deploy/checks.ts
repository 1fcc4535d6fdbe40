import { DEVELOPMENT_KEY, DEVELOPMENT_OPERATOR_TOKEN } from '../../src/api-keys/authentication/format.ts'
import { readConfig } from '../../src/config.ts'
import { DEVELOPMENT_PORTAL_TOKEN_SECRET } from '../../src/portal-tokens/token.ts'
import { DEVELOPMENT_SIGNING_KEY } from '../../src/proof/keys.ts'
import { DEVELOPMENT_ENCRYPTION_KEY } from '../../src/secrets/data-keys.ts'
import { MIN_SECRET_CHARS } from '../../src/secrets/usable.ts'
import { DEVELOPMENT_STRIPE } from '../../src/stripe/account.ts'
import type { EnvironmentName, Section } from './sections.ts'

/**
 * A finding of the checks before a deployment. The kinds are:
 * - `wrong`: the section cannot be deployed;
 * - `missing`: a step that only the deployer can do is still to be done;
 * - `notice`: a setting that can be intended, but that the operator should check.
 */
export interface Finding {
  readonly kind: 'wrong' | 'missing' | 'notice'
  readonly message: string
}

export interface Checked {
  readonly environment: EnvironmentName
  readonly section: Section
  /** The top level of wrangler.toml, which the tests use. */
  readonly tested: Section
  /** The other environments. They must not use the same resources as this environment. */
  readonly others: readonly { readonly environment: EnvironmentName; readonly section: Section }[]
  /** The value of the environment variable OPERATOR_TOKEN, which the smoke test uses; undefined if it is not set. */
  readonly operator_token: string | undefined
}

const KV_ID = /^[0-9a-f]{32}$/
const D1_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const REQUIRED_SECRETS = ['OPERATOR_TOKEN', 'ENCRYPTION_KEY', 'LEDGER_SIGNING_KEY']
/** The names of all secrets of the Worker. wrangler.toml must not set them as variables. */
export const SECRETS = [
  ...REQUIRED_SECRETS,
  'OPERATOR_TOKEN_NEXT',
  'ENCRYPTION_KEY_NEXT',
  'PORTAL_TOKEN_SECRET',
  'PORTAL_TOKEN_SECRET_NEXT',
  'OPERATOR_PROVIDER_KEYS',
  ...Object.keys(DEVELOPMENT_STRIPE),
]

/** Returns the findings of all checks of a section that need no network. */
export function checkSection(checked: Checked): Finding[] {
  return [
    ...checkVariables(checked),
    ...checkBindings(checked),
    ...checkIds(checked),
    ...checkShared(checked),
    ...checkOperatorToken(checked.operator_token),
  ]
}

function checkVariables({ environment, section, tested }: Checked): Finding[] {
  const { vars } = section
  const strictness = environment === 'production' ? 'production' : 'staging'
  return [
    ...absent(tested.vars, vars).map((name) => wrong(`the variable ${name} is missing`)),
    ...absent(vars, tested.vars).map((name) => wrong(`the variable ${name} is not in the tested section`)),
    ...when(
      vars.ENVIRONMENT !== strictness,
      wrong(`ENVIRONMENT must be "${strictness}", not "${vars.ENVIRONMENT}"`),
    ),
    ...unreadable(vars),
    ...SECRETS.filter((name) => name in vars).map((name) =>
      wrong(
        `${name} is a secret in wrangler.toml: remove it there, replace its value, and store it with wrangler secret put`,
      ),
    ),
    ...Object.entries(vars)
      .filter(([, value]) => isDevelopmentSecret(value))
      .map(([name]) => wrong(`the variable ${name} has a value that is for development only`)),
    ...when(vars.OPEN_REGISTRATION === 'true', notice('anyone may register here (OPEN_REGISTRATION)')),
    ...when(vars.CORS_ORIGINS === '*', notice('any web page may call the API (CORS_ORIGINS)')),
  ]
}

/** Returns a finding if the Worker could not read its variables. Such a Worker would refuse every request. */
function unreadable(vars: Readonly<Record<string, string>>): Finding[] {
  try {
    readConfig(vars)
    return []
  } catch (error) {
    return [wrong(error instanceof Error ? error.message : String(error))]
  }
}

function checkBindings({ section, tested }: Checked): Finding[] {
  const had = new Set(section.bindings)
  const wanted = new Set(tested.bindings)
  return [
    ...[...wanted].filter((name) => !had.has(name)).map((name) => wrong(`the binding ${name} is missing`)),
    ...[...had]
      .filter((name) => !wanted.has(name))
      .map((name) => wrong(`the binding ${name} is not in the tested section`)),
    ...when(
      JSON.stringify(section.same) !== JSON.stringify(tested.same),
      wrong(
        `settings that all sections share, such as queues, crons or objects, differ from the tested section: ${JSON.stringify(section.same)}`,
      ),
    ),
  ]
}

function checkIds({ section }: Checked): Finding[] {
  return [
    ...section.kv_ids
      .filter((id) => !KV_ID.test(id))
      .map((id) =>
        missing(`replace "${id}" with the id of a KV namespace, which wrangler kv namespace create prints`),
      ),
    ...section.d1_ids
      .filter((id) => !D1_ID.test(id))
      .map((id) => missing(`replace "${id}" with the id of a D1 database, which wrangler d1 create prints`)),
  ]
}

function checkShared({ section, others }: Checked): Finding[] {
  return others.flatMap((other) => {
    const theirs = new Set(other.section.resources)
    return section.resources
      .filter((resource) => theirs.has(resource) && !isPlaceholder(resource))
      .map((resource) => wrong(`${other.environment} uses ${resource} as well`))
  })
}

/**
 * Reports whether the id of a resource is still the placeholder. `checkIds` reports placeholders as `missing`, so they
 * are not reported again as shared resources.
 */
function isPlaceholder(resource: string): boolean {
  const [kind, id = ''] = resource.split(':')
  return (kind === 'kv' && !KV_ID.test(id)) || (kind === 'd1' && !D1_ID.test(id))
}

function checkOperatorToken(token: string | undefined): Finding[] {
  if (token === undefined) return []
  if (isDevelopmentSecret(token))
    return [wrong('OPERATOR_TOKEN is the public development token. Use the secret token of the deployment')]
  return when(
    token.length < MIN_SECRET_CHARS,
    wrong(`OPERATOR_TOKEN must have at least ${MIN_SECRET_CHARS} characters, not ${token.length}`),
  )
}

/**
 * Returns a finding for each required secret that is not in `names`, which are the names that `wrangler secret list`
 * prints.
 */
export function checkSecrets(names: readonly string[]): Finding[] {
  return REQUIRED_SECRETS.filter((name) => !names.includes(name)).map((name) =>
    missing(`store the secret ${name}: openssl rand -hex 32 | npx wrangler secret put ${name} --env …`),
  )
}

/**
 * Returns a finding if the code has uncommitted changes or is not in a git checkout, except in the development
 * environment. `changed_files` is undefined outside a git checkout.
 */
export function checkTree(
  environment: EnvironmentName,
  changed_files: readonly string[] | undefined,
): Finding[] {
  if (environment === 'development' || changed_files?.length === 0) return []
  if (!changed_files)
    return [
      missing(
        'deploy from a git checkout, so that the deployed code can be found later, or pass --allow-dirty',
      ),
    ]
  return [missing(`commit the changes in ${changed_files.length} files, or pass --allow-dirty`)]
}

function isDevelopmentSecret(value: string): boolean {
  const public_values = [
    DEVELOPMENT_OPERATOR_TOKEN,
    DEVELOPMENT_KEY,
    DEVELOPMENT_ENCRYPTION_KEY,
    DEVELOPMENT_PORTAL_TOKEN_SECRET,
    DEVELOPMENT_SIGNING_KEY,
    ...Object.values(DEVELOPMENT_STRIPE),
  ]
  return public_values.some((known) => value.includes(known))
}

function absent(names: Readonly<Record<string, unknown>>, from: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(names).filter((name) => !(name in from))
}

const wrong = (message: string): Finding => ({ kind: 'wrong', message })
const missing = (message: string): Finding => ({ kind: 'missing', message })
const notice = (message: string): Finding => ({ kind: 'notice', message })
const when = (holds: boolean, finding: Finding): Finding[] => (holds ? [finding] : [])
