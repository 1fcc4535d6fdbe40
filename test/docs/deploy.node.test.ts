import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { SECRETS } from '../../scripts/deploy/checks.ts'
import { readSection } from '../../scripts/deploy/sections.ts'

/**
 * Checks the commands in docs/deploy.md and SECURITY.md as far as possible without a Cloudflare account: their shell
 * syntax, the scripts that they name, and their options. `test/deploy` and `test/scripts` run the commands that need no
 * account.
 */

const ROOT = path.join(import.meta.dirname, '../..')
const PAGES = ['docs/deploy.md', 'SECURITY.md']
const textOf = (page: string) => readFileSync(path.join(ROOT, page), 'utf8')
const shellOf = (page: string) =>
  [...textOf(page).matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block)
const commandsOf = (page: string) => [
  ...shellOf(page).flatMap((block) => block.replaceAll('\\\n', ' ').split('\n')),
  ...[...textOf(page).matchAll(/`(npx wrangler [^`]+|npm run [^`]+)`/g)].map(([, inline = '']) => inline),
]

describe.each(PAGES)('%s', (page) => {
  it('has valid shell commands', () => {
    for (const block of shellOf(page)) {
      const { status, stderr } = spawnSync('bash', ['-n'], { input: block, encoding: 'utf8' })
      expect(stderr, block).toBe('')
      expect(status).toBe(0)
    }
  })

  it('runs scripts that exist', () => {
    const { scripts }: { scripts: Record<string, string> } = JSON.parse(textOf('package.json'))
    for (const line of commandsOf(page)) {
      for (const [, script = ''] of line.matchAll(/npm run (\w+)/g))
        expect(Object.keys(scripts)).toContain(script)
    }
  })

  it('has no broken link', () => {
    const links = [...textOf(page).matchAll(/\]\((?!https:)([^)#]*)(?:#([^)]*))?\)/g)]
    for (const [link, file = '', anchor] of links) {
      const target = file === '' ? page : path.join(path.dirname(page), file)
      expect(existsSync(path.join(ROOT, target)), link).toBe(true)
      if (anchor !== undefined) expect(anchorsOf(target), link).toContain(anchor)
    }
  })
})

describe('the commands of wrangler in the pages', () => {
  const commands = PAGES.flatMap(commandsOf).flatMap((line) => {
    const [, rest] = /npx wrangler ([^#|]+)/.exec(line) ?? []
    return rest === undefined ? [] : [rest.trim().split(/\s+/)]
  })
  const byName = Map.groupBy(commands, (words) => {
    const subcommands = ['secret', 'd1', 'queues', 'deployments'].includes(words[0] ?? '')
      ? 2
      : words[0] === 'kv'
        ? 3
        : 1
    return words.slice(0, subcommands).join(' ')
  })

  it('exist', () => expect(byName.size).toBeGreaterThan(7))

  it.each([...byName])(
    'wrangler %s exists, with every option that is used',
    { timeout: 120_000 },
    (name, uses) => {
      const { stdout, stderr } = spawnSync(
        process.execPath,
        [path.join(ROOT, 'node_modules/wrangler/bin/wrangler.js'), ...name.split(' '), '--help'],
        {
          encoding: 'utf8',
          cwd: ROOT,
          env: { ...process.env, NO_COLOR: '1', WRANGLER_SEND_METRICS: 'false' },
        },
      )
      const help = stdout + stderr
      expect(help).toContain(`wrangler ${name}`)
      for (const option of uses.flat().filter((word) => word.startsWith('--'))) {
        expect(help).toMatch(new RegExp(`${option.split('=', 1)[0]}\\b`))
      }
    },
  )
})

it('docs/deploy.md names variables and secrets that exist, with the values of production', () => {
  const { vars } = readSection('production')
  const rows = [...textOf('docs/deploy.md').matchAll(/^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \| ([^|]*) \|/gm)]
  const named = rows.flatMap(([, names = '', values = '']) => {
    const listed = [...names.matchAll(/`([A-Z_]+)`/g)].map(([, name = '']) => name)
    const given = [...values.matchAll(/`([^`]+)`/g)].map(([, value = '']) => value)
    return listed.map((name, index): [string, string | undefined] => [name, given[index]])
  })
  expect(named.length).toBeGreaterThan(8)
  for (const [name, value] of named) {
    if (SECRETS.includes(name)) continue
    expect(Object.keys(vars)).toContain(name)
    if (value !== undefined) expect({ [name]: vars[name] }).toEqual({ [name]: value })
  }
})

function anchorsOf(page: string): string[] {
  return [...textOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  )
}
