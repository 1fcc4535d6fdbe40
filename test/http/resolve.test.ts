import { describe, expect, it } from 'vitest'
import { type Fetch, resolveName } from '../../src/http/outbound/resolve.ts'

const URL_OF_RESOLVER = 'https://dns.example/dns-query'

/** Returns a simulated DNS resolver with one response for each record type. */
function answering(answers: Readonly<Record<string, () => Response | Promise<Response>>>): Fetch {
  return async (url) => {
    const type = new URL(url).searchParams.get('type') ?? ''
    const answer = answers[type]
    if (!answer) throw new Error(`asked for ${url}`)
    return answer()
  }
}

const found = (type: number, ...data: string[]) => ({
  Status: 0,
  Answer: data.map((address) => ({ name: 'x', type, TTL: 60, data: address })),
})
const json = (body: object, status = 200) => Response.json(body, { status })
const NOTHING = { Status: 0 }

describe('resolving a name', () => {
  const resolve = (fetcher: Fetch, timeout_ms = 1_000) =>
    resolveName('api.example.com', { url: URL_OF_RESOLVER, fetcher, timeout_ms })

  it.each([
    [
      'public addresses of both kinds',
      json(found(1, '93.184.216.34')),
      json(found(28, '2606:4700::1')),
      'public',
    ],
    ['an address of one kind', json(found(1, '93.184.216.34')), json(NOTHING), 'public'],
    ['a private IPv4 address', json(found(1, '10.0.0.1')), json(NOTHING), 'private'],
    ['a private IPv6 address', json(NOTHING), json(found(28, 'fd00::1')), 'private'],
    ['a mapped address', json(NOTHING), json(found(28, '::ffff:127.0.0.1')), 'private'],
    ['one private among public ones', json(found(1, '8.8.8.8', '127.0.0.1')), json(NOTHING), 'private'],
    ['an address that cannot be read', json(found(1, 'what')), json(NOTHING), 'private'],
    ['no address', json(NOTHING), json(NOTHING), 'none'],
    ['no such name', json({ Status: 3 }), json({ Status: 3 }), 'none'],
    ['a failure', json({ Status: 2 }), json(found(28, '2606:4700::1')), 'unknown'],
    ['one response only', json(found(1, '8.8.8.8')), json({}, 500), 'unknown'],
    ['a redirect', new Response(null, { status: 302 }), json(NOTHING), 'unknown'],
    ['no JSON', new Response('<html>'), json(NOTHING), 'unknown'],
    ['another form', json({ answers: [] }), json(NOTHING), 'unknown'],
  ])('to %s', async (_, a, aaaa, kind) => {
    expect(await resolve(answering({ A: () => a, AAAA: () => aaaa }))).toEqual({ kind })
  })

  it('follows aliases to their addresses', async () => {
    const alias = { name: 'api.example.com', type: 5, data: 'inside.example.net.' }
    const { Status, Answer } = found(1, '192.168.0.1')
    const fetcher = answering({
      A: () => json({ Status, Answer: [alias, ...Answer] }),
      AAAA: () => json(NOTHING),
    })
    expect(await resolve(fetcher)).toEqual({ kind: 'private' })
  })

  it('is unknown when the resolver cannot be reached', async () => {
    const fetcher = async () => {
      throw new TypeError('network connection lost')
    }
    expect(await resolve(fetcher)).toEqual({ kind: 'unknown' })
  })

  it('is unknown when the response is too long', async () => {
    const long = () => new Response(JSON.stringify({ Status: 0, padding: 'x'.repeat(70_000) }))
    expect(await resolve(answering({ A: long, AAAA: long }))).toEqual({ kind: 'unknown' })
  })

  it('asks for the name and both types, as JSON, without following redirects', async () => {
    const asked: string[] = []
    await resolve(async (url, init) => {
      asked.push(`${url} ${new Headers(init.headers).get('Accept')} ${init.redirect}`)
      return json(NOTHING)
    })
    expect(asked.toSorted()).toEqual([
      `${URL_OF_RESOLVER}?name=api.example.com&type=A application/dns-json manual`,
      `${URL_OF_RESOLVER}?name=api.example.com&type=AAAA application/dns-json manual`,
    ])
  })
})
