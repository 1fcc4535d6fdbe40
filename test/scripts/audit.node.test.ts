import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { type Ended, runScript } from '../support/npm-start.ts'

/** Runs `npm run audit` with the real npm and a simulated registry, whose responses the tests define. */

const cache = mkdtempSync(path.join(tmpdir(), 'openmonetize-audit-'))
let registry: Server | undefined

afterAll(() => rmSync(cache, { recursive: true, force: true }))

afterEach(() => {
  registry?.close()
  registry = undefined
})

/**
 * Starts a simulated registry that handles npm's request for advisories. It also handles the following requests for the
 * versions of vulnerable packages.
 */
async function serve(status: number, advisories: unknown): Promise<string> {
  const server = createServer((request, response) => {
    request.resume()
    const name = decodeURIComponent(request.url ?? '').slice(1)
    const versions = { '4.13.19': { name, version: '4.13.19', dist: { tarball: 'x', shasum: 'x' } } }
    const [code, body] =
      request.method === 'GET'
        ? [200, { name, versions, 'dist-tags': { latest: '4.13.19' } }]
        : [status, advisories]
    response.writeHead(code, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
  })
  registry = server
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('the registry has no port')
  return `http://127.0.0.1:${address.port}/`
}

function audit(url: string, ...args: readonly string[]): Promise<Ended> {
  const env = {
    npm_config_registry: url,
    npm_config_fetch_retries: '0',
    // Uses a new npm cache for each run, because npm caches advisories.
    npm_config_cache: mkdtempSync(path.join(cache, 'npm-')),
    npm_config_update_notifier: 'false',
  }
  return runScript('audit.ts', env, args)
}

const advisory = (severity: string) => ({
  hono: [{ id: 1, url: 'https://advisories.example/1', title: 'A hole', severity, vulnerable_versions: '*' }],
})

describe('npm run audit', () => {
  it('passes without known vulnerabilities', async () => {
    expect(await audit(await serve(200, {}))).toMatchObject({
      code: 0,
      output: expect.stringContaining('Vulnerable packages: 0'),
    })
  })

  it.each(['high', 'critical'])(
    'fails for a dependency with a vulnerability of %s severity, and names it',
    async (severity) => {
      const { code, output } = await audit(await serve(200, advisory(severity)))
      expect(output).toContain(`hono: ${severity}. A hole https://advisories.example/1`)
      expect(code).toBe(1)
    },
  )

  it.each(['moderate', 'low'])('reports a vulnerability of %s severity, and passes', async (severity) => {
    const { code, output } = await audit(await serve(200, advisory(severity)))
    expect(output).toMatch(/Vulnerable packages: 0 of high or critical severity, [1-9]\d* of lower severity/)
    expect(code).toBe(0)
  })

  it('ignores dependencies that are not deployed', async () => {
    const hole = { vitest: advisory('critical').hono, wrangler: advisory('critical').hono }
    expect((await audit(await serve(200, hole))).code).toBe(0)
  })

  it.each([404, 405, 500])(
    'passes loudly when the registry returns %i, unless it is required',
    async (status) => {
      const url = await serve(status, { error: 'no' })
      expect(await audit(url)).toEqual({
        code: 0,
        output: `The dependencies could not be audited: the registry returned ${status} instead of a list of advisories. The check is skipped.\n`,
      })
      expect((await audit(url, '--required')).code).toBe(1)
    },
  )

  it('passes loudly when there is no registry, unless it is required', async () => {
    const url = await serve(200, {})
    registry?.close()
    expect(await audit(url)).toEqual({
      code: 0,
      output: 'The dependencies could not be audited: npm failed with ECONNREFUSED. The check is skipped.\n',
    })
    expect((await audit(url, '--required')).code).toBe(1)
  })
})
