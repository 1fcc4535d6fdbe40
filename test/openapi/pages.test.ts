import { expect, it } from 'vitest'
import { PROBLEMS } from '../../src/http/output/problem-codes.ts'
import { api } from '../support/api.ts'

it('GET / is a page for browsers, whose links are all served here', async () => {
  const response = await api('/', { headers: { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } })
  expect(response.headers.get('Content-Type')).toContain('text/html')
  const page = await response.text()
  expect(page).toContain('<h1>OpenMonetize Edge</h1>')
  const links = [...page.matchAll(/<li><a href="([^"]+)"/g)].map(([, link = '']) => link)
  expect(links).toEqual(['dashboard/', 'docs', 'openapi.json', 'docs/errors', 'health', 'ready'])
  // Leaves out the first link, which leads to the dashboard. The Worker does not serve its static files, and
  // `dashboard/test` tests them.
  for (const link of links.slice(1)) expect((await api(`/${link}`)).status, link).toBe(200)
})

it('GET / is JSON for programs', async () => {
  for (const headers of [{}, { Accept: '*/*' }, { Accept: 'application/json' }]) {
    const response = await api('/', { headers })
    expect(response.headers.get('Vary')).toContain('Accept')
    expect(await response.json()).toMatchObject({
      name: 'OpenMonetize Edge',
      links: { documentation: 'docs', openapi: 'openapi.json', health: 'health' },
    })
  }
})

it('the type of a problem links to the meaning of its code, on a page of this server', async () => {
  const problem: { type: string } = await (await api('/v1/credits/balance')).json()
  const { pathname, hash } = new URL(problem.type)
  expect(`${pathname}${hash}`).toBe('/docs/errors#missing_api_key')
  const page = await (await api(pathname)).text()
  for (const code of Object.keys(PROBLEMS)) expect(page).toContain(`<h2 id="${code}">${code}</h2>`)
})

it.each(['/', '/docs/errors'])('%s runs nothing and fetches nothing', async (path) => {
  const response = await api(path, { headers: { Accept: 'text/html' } })
  expect(response.headers.get('Content-Security-Policy')).toMatch(
    /^default-src 'none'; style-src 'sha256-[\w+/=]+';/,
  )
  expect(await response.text()).not.toMatch(/<script|<img|src=|@import|url\(/)
})
