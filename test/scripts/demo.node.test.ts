import { createServer, type RequestListener, type Server } from 'node:http'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../scripts/local-server.ts'
import { type Ended, runScript } from '../support/npm-start.ts'
import { sharedServer } from '../support/shared-server.ts'

function demo(url: string): Promise<Ended> {
  return runScript('demo.ts', { BASE_URL: url, OPERATOR_TOKEN: 'dev-operator-token' })
}

describe('npm run demo', () => {
  let url: string
  const others: Server[] = []

  /** Starts a server that does not run the API, and returns its URL. */
  async function serve(listener: RequestListener): Promise<string> {
    const port = await freePort()
    const other = createServer(listener)
    others.push(other)
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve))
    return `http://127.0.0.1:${port}`
  }

  beforeAll(async () => {
    url = await sharedServer()
  }, 120_000)

  afterEach(() => {
    for (const other of others.splice(0)) other.close()
  })

  it('runs all steps and finds everything as expected', { timeout: 60_000 }, async () => {
    const { code, output } = await demo(url)
    expect(output).toContain('Everything was as expected.')
    expect(output).toMatch(/OpenAI chat +gpt-4o-2024-08-06 +2,006 +300 +\$0\.005615 +11\.23 +10,488\.77\n/)
    expect(output).toMatch(/Anthropic messages +claude-sonnet-4-5-20250929 +19,557 +393 +\$0\.01827 +36\.54 /)
    expect(output).toContain('"code": "insufficient_credits"')
    expect(output).not.toContain('FAILED')
    expect(code).toBe(0)
  })

  it('ends with 1 when an event is charged twice', { timeout: 60_000 }, async () => {
    const forgetful = await serve(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(Buffer.from(chunk))
      const body = Buffer.concat(chunks)
        .toString()
        .replace(/,"idempotency_key":"[^"]+"/, '')
      const answer = await fetch(`${url}${request.url}`, {
        method: request.method ?? 'GET',
        headers: { Authorization: request.headers.authorization ?? '', 'Content-Type': 'application/json' },
        ...(body !== '' && { body }),
      })
      response.writeHead(answer.status, { 'Content-Type': 'application/json' })
      response.end(await answer.text())
    })
    const { code, output } = await demo(forgetful)
    expect(output).toMatch(/FAILED: nothing was charged twice/)
    expect(code).toBe(1)
  })

  it('explains the next step when no server responds', async () => {
    const { code, output } = await demo(`http://127.0.0.1:${await freePort()}`)
    expect(output).toMatch(/No server responds at http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\)/)
    expect(output).toContain('npm start')
    expect(output).not.toContain('    at ')
    expect(code).toBe(1)
  })

  it('reports a response from another program', async () => {
    const website = await serve((_, response) => response.end('<h1>It works!</h1>'))
    const { code, output } = await demo(website)
    expect(output).toContain('did not return a JSON object')
    expect(code).toBe(1)
  })
})
