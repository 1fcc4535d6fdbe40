import { createHash } from 'node:crypto'
import { type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { accepts } from 'hono/accepts'
import type { AppEnv } from '../http/env.ts'
import { jsonResponse } from '../http/output/json.ts'
import { notFound } from '../http/output/problem.ts'
import { createRouter, OPEN, route } from '../http/route.ts'
import { openApiDocument } from './document.ts'
import { ASSETS, PAGE, PAGE_POLICY, readAsset } from './page.ts'
import { errorsPage, rootJson, rootPage, SMALL_PAGE_POLICY } from './pages.ts'

/**
 * The `Cache-Control` header of the OpenAPI document, the pages below `/docs`, and their files. Browsers cache them for
 * 5 minutes: long enough to load a page with its files, and short enough to show a new deployment soon.
 */
const CACHE_CONTROL = 'public, max-age=300'

const headers = z.object({
  ETag: z.string().openapi({
    description: 'The ETag of this content. Send it in the request header `If-None-Match`.',
  }),
})
const unchanged = { description: 'The content still has the ETag in `If-None-Match`.', headers }
const text = z.string()

const documentRoute = route({
  method: 'get',
  path: '/openapi.json',
  summary: 'Get the OpenAPI 3.1 document',
  description: 'The document is generated from the schemas that validate requests.',
  security: OPEN,
  answers: {
    200: {
      description: 'The document.',
      headers,
      content: { 'application/json': { schema: z.object({ openapi: text }).loose() } },
    },
    304: unchanged,
  },
})

const pageRoute = route({
  method: 'get',
  path: '/docs',
  summary: 'Get the API reference as a web page',
  description: 'The deployment serves all files of the page, so the page loads nothing from other hosts.',
  security: OPEN,
  answers: {
    200: { description: 'The page.', headers, content: { 'text/html': { schema: text } } },
    304: unchanged,
  },
})

const rootRoute = route({
  method: 'get',
  path: '/',
  summary: 'Get the start page',
  description:
    'The page contains links to the dashboard, the documentation and the health checks. The request header `Accept` selects HTML or JSON.',
  security: OPEN,
  answers: {
    200: {
      description: 'The links. They are relative to the URL of this page.',
      content: {
        'application/json': {
          schema: z.object({ name: text, version: text, links: z.record(text, text) }),
        },
        'text/html': { schema: text },
      },
    },
  },
})

const errorsRoute = route({
  method: 'get',
  path: '/docs/errors',
  summary: 'Get the page of error codes',
  description:
    'The page explains each error `code` and how to solve the problem. The `type` of a problem document links to the code on this page.',
  security: OPEN,
  answers: {
    200: { description: 'The page.', headers, content: { 'text/html': { schema: text } } },
    304: unchanged,
  },
})

const assetRoute = route({
  method: 'get',
  path: '/docs/{file}',
  summary: 'Get a file of the API reference',
  description: 'The file is a script or a style sheet of the page at `/docs`.',
  security: OPEN,
  request: { params: z.object({ file: z.string().openapi({ enum: [...ASSETS] }) }) },
  answers: {
    200: {
      description: 'The file.',
      headers,
      content: { 'text/javascript': { schema: text }, 'text/css': { schema: text } },
    },
    304: unchanged,
  },
  problems: ['not_found'],
})

/**
 * Returns the routes of the start page, the OpenAPI document of `app`, the API reference and the error codes. The
 * document is generated on its first request.
 */
export function documentationRoutes(app: OpenAPIHono<AppEnv>): OpenAPIHono<AppEnv> {
  let served: Served | undefined
  const router = createRouter()

  router.openapi(rootRoute, (c) => {
    const type = accepts(c, {
      header: 'Accept',
      supports: ['application/json', 'text/html'],
      default: 'application/json',
    })
    c.header('Vary', 'Accept', { append: true })
    if (type === 'application/json') return jsonResponse(c, rootJson())
    return c.html(rootPage(), 200, { 'Content-Security-Policy': SMALL_PAGE_POLICY })
  })

  router.openapi(documentRoute, (c) => {
    served ??= serve('application/json', JSON.stringify(openApiDocument(app)))
    return respond(c, served)
  })

  router.openapi(pageRoute, (c) => {
    return respond(c, page, { 'Content-Security-Policy': PAGE_POLICY })
  })

  router.openapi(errorsRoute, async (c) => {
    errors ??= serve('text/html', errorsPage((await import('../../docs/errors.md')).default))
    return respond(c, errors, { 'Content-Security-Policy': SMALL_PAGE_POLICY })
  })

  router.openapi(assetRoute, async (c) => {
    const file = ASSETS.find((asset) => asset === c.req.valid('param').file)
    if (file === undefined) return notFound(c)
    const known = assets.get(file)
    if (known) return respond(c, known)
    const { type, text } = await readAsset(file)
    const asset = serve(type, text)
    assets.set(file, asset)
    return respond(c, asset)
  })

  return router
}

interface Served {
  readonly type: string
  readonly text: string
  readonly etag: string
}

const page = serve('text/html', PAGE)
let errors: Served | undefined
const assets = new Map<string, Served>()

function serve(type: string, text: string): Served {
  const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`
  return { type, text, etag }
}

function respond(
  c: Context<AppEnv>,
  { type, text, etag }: Served,
  more: Readonly<Record<string, string>> = {},
): Response {
  const shared = { ETag: etag, 'Cache-Control': CACHE_CONTROL, ...more }
  if (names(c.req.header('If-None-Match'), etag)) return c.body(null, 304, shared)
  const charset = type.startsWith('text/') ? '; charset=utf-8' : ''
  return c.body(text, 200, { 'Content-Type': type + charset, ...shared })
}

/**
 * Returns whether `If-None-Match` matches an ETag. The header contains `*` or a list of ETags. ETags are compared
 * weakly (RFC 9110, section 13.1.2).
 */
function names(if_none_match: string | undefined, etag: string): boolean {
  if (if_none_match === undefined) return false
  const tags = if_none_match.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes(etag) || tags.includes('*')
}
