import { describe, expect, it } from 'vitest'
import { api } from '../support/api.ts'

describe('GET /docs', () => {
  it('is a page whose parts are all served here, so that it works without the internet', async () => {
    const response = await api('/docs')
    expect(response.headers.get('Content-Type')).toBe('text/html; charset=utf-8')
    const page = await response.text()
    const parts = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address = '']) => address)
    expect(parts).toEqual([
      'data:,',
      'docs/swagger-ui.css',
      'docs/swagger-ui-bundle.js',
      'docs/start.js',
      'openapi.json',
    ])
    for (const part of parts.slice(1)) {
      const { pathname } = new URL(part, 'https://api.test/docs')
      expect((await api(pathname)).status, part).toBe(200)
    }
  })

  it('lets the browser load nothing from another host and run only its own files', async () => {
    const policy = (await api('/docs')).headers.get('Content-Security-Policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self';")
    expect(policy).not.toMatch(/https?:|\*|unsafe-eval/)
    expect(await (await api('/docs')).text()).not.toMatch(/<script>|<style>|\son\w+=/)
  })

  it('has its script as the package made it, typed so that a browser that does not sniff runs it', async () => {
    const script = await api('/docs/swagger-ui-bundle.js')
    expect(script.headers.get('Content-Type')).toBe('text/javascript; charset=utf-8')
    expect(await script.text()).toContain('SwaggerUIBundle')
    const style = await api('/docs/swagger-ui.css')
    expect(style.headers.get('Content-Type')).toBe('text/css; charset=utf-8')
    expect(await style.text()).toContain('.swagger-ui')
  })

  it('keeps the address of the page private: the public validator is off', async () => {
    expect(await (await api('/docs/start.js')).text()).toContain('validatorUrl: null')
  })

  it('returns 304 for known content', async () => {
    const etag = (await api('/docs/swagger-ui.css')).headers.get('ETag') ?? ''
    const again = await api('/docs/swagger-ui.css', { headers: { 'If-None-Match': etag } })
    expect(again.status).toBe(304)
  })

  it('has no other files: 404', async () => {
    expect((await api('/docs/package.json')).status).toBe(404)
  })
})
