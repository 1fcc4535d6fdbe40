import { createHash } from 'node:crypto'
import { type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { AppEnv } from '../http/env.ts'
import { createRouter, OPEN, route } from '../http/route.ts'
import { openApiDocument } from './document.ts'
import { ASSETS, PAGE, PAGE_POLICY, readAsset } from './page.ts'

/** Long enough for a page and its parts, short enough for a deployment to be seen. */
const CACHE_CONTROL = 'public, max-age=300'

const headers = z.object({
  ETag: z.string().openapi({ description: 'Of this very content; send it as If-None-Match.' }),
})
const unchanged = { description: 'What `If-None-Match` names is still so.', headers }
const text = z.string()

const documentRoute = route({
  method: 'get',
  path: '/openapi.json',
  summary: 'This API as an OpenAPI 3.1 document',
  description: 'Generated from the schemas that validate the requests.',
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
  summary: 'This API as a page',
  description: 'Works without the internet: everything that it shows is served here.',
  security: OPEN,
  answers: {
    200: { description: 'The page.', headers, content: { 'text/html': { schema: text } } },
    304: unchanged,
  },
})

const assetRoute = route({
  method: 'get',
  path: '/docs/{file}',
  summary: 'A part of the page',
  description: 'What the page at `/docs` is made of.',
  security: OPEN,
  request: { params: z.object({ file: z.enum(ASSETS) }) },
  answers: {
    200: {
      description: 'The file.',
      headers,
      content: { 'text/javascript': { schema: text }, 'text/css': { schema: text } },
    },
    304: unchanged,
  },
})

/** The document of `app`, and the page that shows it. The document is made when it is first asked for. */
export function documentationRoutes(app: OpenAPIHono<AppEnv>): OpenAPIHono<AppEnv> {
  let served: Served | undefined
  const router = createRouter()

  router.openapi(documentRoute, (c) => {
    served ??= serve('application/json', JSON.stringify(openApiDocument(app)))
    return respond(c, served)
  })

  router.openapi(pageRoute, (c) => {
    return respond(c, page, { 'Content-Security-Policy': PAGE_POLICY })
  })

  router.openapi(assetRoute, async (c) => {
    const { file } = c.req.valid('param')
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

/** RFC 9110, section 13.1.2: a list of tags compared weakly, or `*`. */
function names(if_none_match: string | undefined, etag: string): boolean {
  if (if_none_match === undefined) return false
  const tags = if_none_match.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes(etag) || tags.includes('*')
}
