import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Checked, checkSection } from '../../scripts/deploy/checks.ts'
import {
  ENVIRONMENTS,
  type EnvironmentName,
  readSection,
  type Section,
} from '../../scripts/deploy/sections.ts'

const tested = readSection()
const sections = new Map(ENVIRONMENTS.map((environment) => [environment, readSection(environment)]))
const section = (environment: EnvironmentName): Section => {
  const found = sections.get(environment)
  if (!found) throw new Error(`no section for ${environment}`)
  return found
}

/** The bindings that the code uses: the members of `Bindings`. */
const BINDINGS = readFileSync(path.join(import.meta.dirname, '../../src/bindings.ts'), 'utf8')
const members = [
  ...BINDINGS.split('\n}\n', 1)
    .join()
    .matchAll(/^ {2}readonly ([A-Z][A-Z0-9_]*)\??: (.+)$/gm),
]
const SECRETS = [
  'OPERATOR_TOKEN',
  'OPERATOR_TOKEN_NEXT',
  'ENCRYPTION_KEY',
  'ENCRYPTION_KEY_NEXT',
  'STRIPE_SECRET_KEY',
  'STRIPE_WEBHOOK_SECRET',
  'STRIPE_TEST_SECRET_KEY',
  'STRIPE_TEST_WEBHOOK_SECRET',
  'PORTAL_TOKEN_SECRET',
  'PORTAL_TOKEN_SECRET_NEXT',
  'LEDGER_SIGNING_KEY',
  'OPERATOR_PROVIDER_KEYS',
]

describe('wrangler.toml', () => {
  it('sets exactly the variables that the code reads', () => {
    const read = members.flatMap(([, name = '', type]) =>
      type === 'string' && !SECRETS.includes(name) ? [name] : [],
    )
    expect(read.length).toBeGreaterThan(10)
    expect(Object.keys(tested.vars).sort()).toEqual(read.sort())
  })

  it('binds everything that the code uses, and nothing else', () => {
    const used = members.flatMap(([, name = '', type]) => (type === 'string' ? [] : [name]))
    expect(tested.bindings.map((binding) => binding.split(':')[1]).sort()).toEqual(used.sort())
  })

  it.each(ENVIRONMENTS)('has the same content in the section %s as in the tested section', (environment) => {
    const { vars, bindings, same } = section(environment)
    expect(Object.keys(vars)).toEqual(Object.keys(tested.vars))
    expect(bindings).toEqual(tested.bindings)
    expect(same).toEqual(tested.same)
  })

  it.each(ENVIRONMENTS)('lets %s be deployed as soon as its ids are filled in', (environment) => {
    const filled = withIds(section(environment), environment)
    expect(checkSection(checked(environment, { section: filled }))).toEqual([])
  })

  it('has closed registration and no sign-up credits where real money is used', () => {
    expect(section('production').vars).toMatchObject({
      ENVIRONMENT: 'production',
      OPEN_REGISTRATION: 'false',
      SIGNUP_GRANT_CREDITS: '0',
      CORS_ORIGINS: '',
    })
  })
})

describe('a section is refused', () => {
  const good = () => withIds(section('production'), 'production')
  const withVars = (vars: Readonly<Record<string, string>>): Section => ({
    ...good(),
    vars: { ...good().vars, ...vars },
  })
  const messages = (change: Partial<Checked>, kind: string) =>
    checkSection(checked('production', { section: good(), ...change })).flatMap((finding) =>
      finding.kind === kind ? [finding.message] : [],
    )

  it.each([
    ['as development', { ENVIRONMENT: 'development' }, 'ENVIRONMENT must be "production"'],
    ['as staging', { ENVIRONMENT: 'staging' }, 'ENVIRONMENT must be "production"'],
    ['with a secret among the variables', { OPERATOR_TOKEN: 'x'.repeat(64) }, 'OPERATOR_TOKEN is a secret'],
    ["with development's encryption key", { ENCRYPTION_KEY: 'dev-encryption-key' }, 'for development only'],
    ["with development's token", { OPERATOR_TOKEN_NEXT: 'dev-operator-token' }, 'for development only'],
    ['with a variable that the code does not read', { MARKUP: '1' }, 'MARKUP is not in the tested section'],
    ['with one that cannot be read', { MARKUP_PERCENT: 'much' }, 'MARKUP_PERCENT must be a decimal'],
    ['with keys that live too short', { IDEMPOTENCY_DAYS: '1' }, 'IDEMPOTENCY_DAYS must be at least 7'],
    [
      'with analytics that are kept too short',
      { ROLLUP_RETENTION_DAYS: '30' },
      'ROLLUP_RETENTION_DAYS must be at least 35',
    ],
  ])('%s', (_, vars, message) => {
    expect(messages({ section: withVars(vars) }, 'wrong').join('\n')).toContain(message)
  })

  it('without a variable, a binding or a cron that was tested', () => {
    const { MARKUP_PERCENT: _, ...vars } = good().vars
    expect(messages({ section: { ...good(), vars } }, 'wrong')).toEqual([
      'the variable MARKUP_PERCENT is missing',
    ])
    const bindings = good().bindings.filter((name) => name !== 'queue:USAGE')
    expect(messages({ section: { ...good(), bindings } }, 'wrong')).toEqual([
      'the binding queue:USAGE is missing',
    ])
    expect(messages({ section: { ...good(), same: {} } }, 'wrong')).toHaveLength(1)
  })

  it("with another environment's database, namespace, queue or name", () => {
    for (const resource of good().resources) {
      const staging = withIds(section('staging'), 'staging')
      const others = [
        {
          environment: 'staging' as const,
          section: { ...staging, resources: [...staging.resources, resource] },
        },
      ]
      expect(messages({ others }, 'wrong')).toEqual([`staging uses ${resource} as well`])
    }
  })

  it('while ids are placeholders', () => {
    expect(messages({ section: section('production') }, 'missing')).toHaveLength(2)
    expect(messages({ section: section('production') }, 'wrong')).toEqual([])
  })

  it.each(['dev-operator-token', 'short'])("with the operator's token %s", (operator_token) => {
    expect(messages({ operator_token }, 'wrong')).toHaveLength(1)
  })

  it('warns about a section that is open to everyone', () => {
    const section = withVars({ OPEN_REGISTRATION: 'true', CORS_ORIGINS: '*' })
    expect(messages({ section }, 'notice')).toHaveLength(2)
    expect(messages({ section }, 'wrong')).toEqual([])
  })
})

function checked(environment: EnvironmentName, change: Partial<Checked>): Checked {
  const others = ENVIRONMENTS.filter((other) => other !== environment)
  return {
    environment,
    section: section(environment),
    tested,
    others: others.map((other) => ({ environment: other, section: withIds(section(other), other) })),
    operator_token: undefined,
    ...change,
  }
}

/** Returns the section of an environment with valid ids in place of the placeholders. */
function withIds(section: Section, environment: EnvironmentName): Section {
  const digit = String(ENVIRONMENTS.indexOf(environment))
  const kv = digit.repeat(32)
  const d1 = `${digit.repeat(8)}-${digit.repeat(4)}-${digit.repeat(4)}-${digit.repeat(4)}-${digit.repeat(12)}`
  return {
    ...section,
    kv_ids: section.kv_ids.map(() => kv),
    d1_ids: section.d1_ids.map(() => d1),
    resources: section.resources.map((resource) =>
      resource.startsWith('kv:') ? `kv:${kv}` : resource.startsWith('d1:') ? `d1:${d1}` : resource,
    ),
  }
}
