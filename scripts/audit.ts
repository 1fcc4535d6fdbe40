/**
 * `npm run audit [-- --required]`: whether a dependency that is deployed has a known vulnerability of high or critical
 * severity; ends with 1 when one has. What only builds and tests is left out: it never meets a request.
 *
 * The registry answers this from an endpoint of its own, which mirrors and offline machines often lack. A check that
 * could not be made is said loudly and is no failure, or nobody could merge while the registry is down; a deployment
 * asks with `--required`, where it is one.
 */
import { spawnSync } from 'node:child_process'
import { z } from 'zod'
import { ROOT } from './local-state.ts'

const FATAL = ['high', 'critical']

const reportSchema = z.object({
  vulnerabilities: z.record(
    z.string(),
    z.object({
      severity: z.string(),
      via: z.array(z.union([z.string(), z.object({ title: z.string(), url: z.string() })])),
    }),
  ),
})

function main(): number {
  const required = process.argv.includes('--required')
  // npm ends with 1 both for a finding and for an endpoint that is not there; its report tells the two apart.
  const { stdout, stderr } = spawnSync(
    'npm',
    ['audit', '--omit=dev', '--json', '--fetch-retries=1', '--fetch-timeout=20000'],
    {
      cwd: ROOT,
      encoding: 'utf8',
    },
  )
  const report = parse(stdout)
  if (!report) {
    console.error(`The dependencies could not be audited: ${reason(stdout, stderr)}`)
    return required ? 1 : 0
  }
  const fatal = Object.entries(report.vulnerabilities).filter(([, { severity }]) => FATAL.includes(severity))
  for (const [name, { severity, via }] of fatal) {
    const advisories = via.flatMap((cause) =>
      typeof cause === 'string' ? [] : [`${cause.title} ${cause.url}`],
    )
    console.error(`${name}: ${severity}. ${advisories.join('; ')}`)
  }
  const others = Object.keys(report.vulnerabilities).length - fatal.length
  console.log(`${fatal.length} vulnerabilities of high or critical severity, ${others} of less.`)
  return fatal.length > 0 ? 1 : 0
}

function parse(stdout: string): z.infer<typeof reportSchema> | undefined {
  try {
    return reportSchema.safeParse(JSON.parse(stdout)).data
  } catch {
    return undefined
  }
}

function reason(stdout: string, stderr: string): string {
  const said = `${stdout}\n${stderr}`.split('\n').map((line) => line.trim())
  return said.find((line) => /\b[45]\d\d\b|\bE[A-Z]{4,}\b/.test(line)) ?? 'npm did not say why'
}

process.exit(main())
