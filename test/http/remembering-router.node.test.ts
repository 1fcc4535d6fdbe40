import { TrieRouter } from 'hono/router/trie-router'
import { describe, expect, it } from 'vitest'
import { RememberingRouter } from '../../src/http/remembering-router.ts'

const ROUTES = [
  ['ALL', '/*'],
  ['POST', '/v1/events/ingest'],
  ['GET', '/v1/events/:id'],
  ['GET', '/v1/users/:id/events'],
  ['ALL', '/v1/*'],
] as const

function routers() {
  let searches = 0
  const trie = new TrieRouter<string>()
  const counting = {
    name: 'counting',
    add: (method: string, path: string, handler: string) => trie.add(method, path, handler),
    match: (method: string, path: string) => {
      searches++
      return trie.match(method, path)
    },
  }
  const remembering = new RememberingRouter(counting)
  for (const [method, path] of ROUTES) remembering.add(method, path, `${method} ${path}`)
  return { trie, remembering, searches: () => searches }
}

describe('a router that remembers', () => {
  it('matches like the inner router, for repeated requests too', () => {
    const { trie, remembering } = routers()
    const paths = [
      '/v1/events/ingest',
      '/v1/events/evt_1',
      '/v1/events/evt_2',
      '/v1/users/a/events',
      '/',
      '/x/y',
    ]
    for (let round = 0; round < 3; round++) {
      for (const path of paths) {
        for (const method of ['GET', 'POST', 'DELETE']) {
          expect(remembering.match(method, path), `${method} ${path}`).toEqual(trie.match(method, path))
        }
      }
    }
  })

  it('searches once for a path without parameters, and each time for one with them', () => {
    const { remembering, searches } = routers()
    for (let i = 0; i < 3; i++) remembering.match('POST', '/v1/events/ingest')
    expect(searches()).toBe(1)
    for (let i = 0; i < 3; i++) remembering.match('GET', '/v1/events/evt_1')
    expect(searches()).toBe(4)
  })

  it('forgets when a route is added, and when unknown paths fill its memory', () => {
    const { remembering, searches } = routers()
    remembering.match('POST', '/v1/events/ingest')
    remembering.add('POST', '/v1/events/ingest', 'another')
    const [handlers] = remembering.match('POST', '/v1/events/ingest')
    expect(handlers.map(([handler]) => handler)).toContain('another')
    for (let i = 0; i < 500; i++) remembering.match('GET', `/unknown/${i}`)
    const before = searches()
    remembering.match('POST', '/v1/events/ingest')
    expect(searches()).toBe(before + 1)
  })

  it('does not remember long paths', () => {
    const { remembering, searches } = routers()
    for (let i = 0; i < 2; i++) remembering.match('GET', `/${'x'.repeat(200)}`)
    expect(searches()).toBe(2)
  })
})
