import { existsSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import path from 'node:path'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from 'miniflare'
import { chromium } from 'playwright-core'
import { describe, expect, inject, it } from 'vitest'
import { newCustomer, OPERATOR_TOKEN } from '../support/server.ts'
import { everyMethod } from './every-method.ts'

const { url } = inject('server')
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const BROWSER_MS = 30_000

/** Returns a script that contains the tests, for a runtime that cannot load modules of this project. */
async function bundled(contents: string, format: 'esm' | 'iife'): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    format,
    target: 'es2022',
    conditions: format === 'esm' ? ['workerd'] : ['browser'],
    write: false,
  })
  return outputFiles[0]?.text ?? ''
}

/**
 * Returns the operations of the OpenAPI document: the method and the path of each operation, and a pattern of its
 * URLs.
 */
async function documented(): Promise<{ operation: string; pattern: RegExp }[]> {
  const document: { paths: Record<string, Record<string, unknown>> } = await (
    await fetch(`${url}/openapi.json`)
  ).json()
  return (
    Object.entries(document.paths)
      // Omits the pages for people, and the drop-in endpoints, which clients of other systems call.
      .filter(
        ([name]) => name !== '/' && !/^\/(docs|otlp|openmeter|litellm|openmonetize|stripe)\b/.test(name),
      )
      .flatMap(([name, methods]) =>
        Object.keys(methods)
          .filter((method) => method !== 'parameters')
          .map((method) => ({
            operation: `${method.toUpperCase()} ${name}`,
            pattern: new RegExp(`^${method.toUpperCase()} ${name.replace(/\{\w+\}/g, '[^/]+')}$`),
          })),
      )
  )
}

/**
 * The routes without a method in the client: streams and exports, the key set, the webhooks of Stripe, the metrics for
 * Prometheus, and the webhooks of the operator.
 */
const WITHOUT_METHOD =
  /^(GET \/\.well-known\/|GET \/v1\/(stream|ledger\/export)$|POST \/v1\/payments\/stripe\/|\w+ \/v1\/admin\/(metrics$|webhook-))/

async function missing(sent: readonly string[]): Promise<string[]> {
  const operations = await documented()
  return operations
    .filter(({ operation }) => !WITHOUT_METHOD.test(operation))
    .filter(({ pattern }) => !sent.some((one) => pattern.test(one)))
    .map(({ operation }) => operation)
}

describe('every method, and every route of the API', () => {
  it('works in Node', async () => {
    expect(await missing(await everyMethod(url, OPERATOR_TOKEN))).toEqual([])
  })

  it('works in workerd, with a client made while its module is loaded', async () => {
    const script = await bundled(
      `import { OpenMonetize } from '../../src/index.ts'
       import { everyMethod } from './every-method.ts'
       const global = new OpenMonetize({ apiKey: 'k', baseUrl: 'http://127.0.0.1:1' })
       export default {
         async fetch(request) {
           const { url, token } = await request.json()
           return Response.json({ sent: await everyMethod(url, token), stats: global.stats() })
         },
       }`,
      'esm',
    )
    const miniflare = workerd(script)
    try {
      const body = JSON.stringify({ url, token: OPERATOR_TOKEN })
      const response = await miniflare.dispatchFetch('http://localhost/', { method: 'POST', body })
      const { sent } = JSON.parse(await response.text())
      expect(await missing(sent)).toEqual([])
    } finally {
      await miniflare.dispose()
    }
  })

  it('delivers after the responses of a Worker whose client lives as long as its module', async () => {
    const { om, apiKey } = await newCustomer(url)
    const script = await bundled(
      `import { OpenMonetize } from '../../src/index.ts'
       const om = new OpenMonetize({ apiKey: ${JSON.stringify(apiKey)}, baseUrl: ${JSON.stringify(url)} })
       export default {
         async fetch(_request, _env, ctx) {
           for (let number = 0; number < 5; number++) om.track({ event_type: 'API_CALL', feature_id: 'search' }, ctx)
           return Response.json(om.stats())
         },
       }`,
      'esm',
    )
    const miniflare = workerd(script)
    try {
      await Promise.all(Array.from({ length: 20 }, () => miniflare.dispatchFetch('http://localhost/')))
      const count = async () => (await om.events.list({ limit: 100 })).data.length
      await expect.poll(count, { timeout: 20_000 }).toBe(100)
    } finally {
      await miniflare.dispose()
    }
  })

  const browser = existsSync(CHROMIUM)
  if (!browser)
    console.warn(
      `No Chromium at ${CHROMIUM}: the tests in a browser are skipped. Set CHROMIUM to the path of a Chromium.`,
    )

  it.skipIf(!browser)('works in Chromium', { timeout: BROWSER_MS * 2 }, async () => {
    const script = await bundled(
      `import { OpenMonetize } from '../../src/index.ts'
       import { indexedDbStore } from '../../src/indexeddb.ts'
       import { everyMethod } from './every-method.ts'
       Object.assign(globalThis, { OpenMonetize, indexedDbStore, everyMethod })`,
      'iife',
    )
    await inPage(script, async (page) => {
      const sent = await page.evaluate(
        `everyMethod(${JSON.stringify(url)}, ${JSON.stringify(OPERATOR_TOKEN)})`,
      )
      expect(Array.isArray(sent) && (await missing(sent))).toEqual([])
    })
  })

  it.skipIf(!browser)(
    'keeps events in IndexedDB over pages, and sends the last ones when a page is hidden',
    {
      timeout: BROWSER_MS * 2,
    },
    async () => {
      const script = await bundled(
        `import { OpenMonetize } from '../../src/index.ts'
       import { indexedDbStore } from '../../src/indexeddb.ts'
       Object.assign(globalThis, { OpenMonetize, indexedDbStore })`,
        'iife',
      )
      const { om, apiKey } = await newCustomer(url)
      const client = (
        baseUrl: string,
        more = '',
      ) => `new OpenMonetize({ apiKey: ${JSON.stringify(apiKey)}, maxRetries: 0,
      baseUrl: ${JSON.stringify(baseUrl)}, onError() {}, queue: { store: indexedDbStore('usage'), intervalMs: 60000 ${more} } })`
      const event = `{ event_type: 'API_CALL', feature_id: 'search' }`
      await inPage(script, async (page) => {
        // No server responds, so the events stay in the store after the page is closed.
        await page.evaluate(`(async () => {
        const om = ${client('http://127.0.0.1:1')}
        for (let number = 0; number < 40; number++) om.track(${event})
        await om.flush({ timeoutMs: 200 }).catch(() => {})
        await om.close({ timeoutMs: 1 }).catch(() => {})
      })()`)
        await page.reload()
        await page.evaluate(script)
        await page.evaluate(`(async () => { const om = ${client(url)}; await om.flush() })()`)
        expect((await om.events.list({ limit: 100 })).data).toHaveLength(40)
        await page.evaluate(`globalThis.om = ${client(url)}; om.track(${event}); undefined`)
        await page.goto('about:blank')
        await expect.poll(async () => (await om.events.list({ limit: 100 })).data.length).toBe(41)
      })
    },
  )
})

function workerd(script: string): Miniflare {
  return new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script,
      compatibilityDate: '2026-10-01',
      cf: false,
      log: new Log(LogLevel.ERROR),
    }),
  )
}

interface Page {
  evaluate(script: string): Promise<unknown>
  reload(): Promise<unknown>
  goto(address: string): Promise<unknown>
}

async function inPage(script: string, work: (page: Page) => Promise<void>): Promise<void> {
  const [server, address] = await blankPage()
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] })
  try {
    const page = await browser.newPage()
    page.setDefaultTimeout(BROWSER_MS)
    await page.goto(address)
    await page.evaluate(script)
    await work(page)
  } finally {
    await browser.close()
    server.close()
  }
}

/**
 * Serves a blank page on a separate origin. Requests to the meter are then cross-origin, as from the page of a
 * product.
 */
async function blankPage(): Promise<[Server, string]> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>Test</title>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return [server, `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}${path.sep}`]
}
