/**
 * `npm run audit [-- --required]`: checks the deployed dependencies for known vulnerabilities. Exits with 1 if a
 * vulnerability has high or critical severity. Development dependencies are not checked, because they are not deployed.
 *
 * The check needs an endpoint of the npm registry that many mirrors do not have and that offline machines cannot reach.
 * If the check cannot run, the script prints the reason and exits with 0, so that merges do not depend on the registry.
 * With `--required`, which deployments use, it exits with 1 instead.
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
  // npm exits with 1 if it finds a vulnerability, and also if the endpoint is missing. Only the report distinguishes
  // the two cases.
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
    console.error(
      `The dependencies could not be audited: ${reason(stdout, stderr)}. ${required ? 'Try again later, or configure another npm registry.' : 'The check is skipped.'}`,
    )
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
  console.log(
    `Vulnerable packages: ${fatal.length} of high or critical severity, ${others} of lower severity.`,
  )
  return fatal.length > 0 ? 1 : 0
}

function parse(stdout: string): z.infer<typeof reportSchema> | undefined {
  try {
    return reportSchema.safeParse(JSON.parse(stdout)).data
  } catch {
    return undefined
  }
}

/** Returns the reason for the failure of npm, as a clause without a full stop. */
function reason(stdout: string, stderr: string): string {
  const lines = `${stdout}\n${stderr}`.split('\n').map((line) => line.trim())
  const status = lines
    .map((line) => /\b([45]\d\d) /.exec(`${line} `)?.[1])
    .find((found) => found !== undefined)
  if (status !== undefined) return `the registry returned ${status} instead of a list of advisories`
  const code = lines
    .map((line) => /\b(E[A-Z]{4,}(?:_[A-Z]+)*)\b/.exec(line)?.[1])
    .find((found) => found !== undefined)
  if (code !== undefined) return `npm failed with ${code}`
  return 'npm gave no reason'
}

process.exit(main())
