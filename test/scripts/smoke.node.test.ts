import { createServer } from 'node:http'
import { beforeAll, describe, expect, it } from 'vitest'
import { smoke } from '../../scripts/smoke/run.ts'
import { DEVELOPMENT_KEY, DEVELOPMENT_OPERATOR_TOKEN } from '../../src/api-keys/authentication/format.ts'
import { sharedServer } from '../support/shared-server.ts'

async function run(url: string, env: Readonly<Record<string, string>> = {}) {
  const said: string[] = []
  const works = await smoke(url, env, (line) => said.push(line))
  return { works, said: said.join('\n') }
}

describe('the smoke test', () => {
  let url = ''

  beforeAll(async () => {
    url = await sharedServer()
  }, 120_000)

  it('passes on a working server, without a key, with a key and as its operator', async () => {
    const stranger = await run(url)
    expect(stranger.said).not.toContain('FAIL')
    expect(stranger.works).toBe(true)

    const customer = await run(`${url}/`, { SMOKE_API_KEY: DEVELOPMENT_KEY })
    expect(customer.said).toContain('ok sent again, it is charged once')
    expect(customer.works).toBe(true)

    const operator = await run(url, { OPERATOR_TOKEN: DEVELOPMENT_OPERATOR_TOKEN })
    expect(operator.said).not.toContain('FAIL')
    expect(operator.said).toContain('ok the customer is closed again')
    expect(operator.works).toBe(true)
    for (const { said } of [stranger, customer, operator]) {
      expect(said).not.toMatch(/om_(live|test)_[0-9a-z]|dev-operator-token|@example/)
    }
  })

  it('fails with an unknown key', async () => {
    const { works, said } = await run(url, { OPERATOR_TOKEN: 'x'.repeat(64) })
    expect(said).toContain('FAIL the operator registers a customer: 401, not 201')
    expect(works).toBe(false)
  })
})

describe('a faulty deployment', () => {
  it.each([
    [
      'lets everybody in',
      200,
      [
        'an event without a key is refused',
        'an operator route without a token is refused',
        'an unknown path is not found',
      ],
    ],
    ['refuses everything', 403, ['an event without a key is refused', 'D1, KV and objects respond']],
  ])('fails the smoke test when it %s', async (_, status, failures) => {
    const server = createServer((request, response) => {
      request.resume()
      response.writeHead(request.url === '/health' ? 200 : status).end('{"id":"om_live_0123456789abcdef"}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (typeof address !== 'object' || !address) throw new Error('no port')
    const { works, said } = await run(`http://127.0.0.1:${address.port}`)
    server.close()
    expect(works).toBe(false)
    for (const failure of failures) expect(said).toContain(`FAIL ${failure}`)
    expect(said).not.toContain('om_live_0')
  })
})
