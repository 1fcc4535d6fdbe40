import { INFO } from './words.ts'

/**
 * The page of `GET /docs`: Swagger UI from its npm package, served by the Worker. It fetches nothing from other
 * hosts.
 */

export const ASSETS = ['swagger-ui-bundle.js', 'swagger-ui.css', 'start.js'] as const
export type Asset = (typeof ASSETS)[number]

// Uses relative links, so that the page also works below a path.
export const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${INFO.title}: API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="docs/swagger-ui.css">
    <script defer src="docs/swagger-ui-bundle.js"></script>
    <script defer src="docs/start.js"></script>
  </head>
  <body>
    <div id="swagger-ui"></div>
    <noscript>This page needs JavaScript. The document itself is <a href="openapi.json">openapi.json</a>.</noscript>
  </body>
</html>
`

/**
 * The script that starts Swagger UI. Without `validatorUrl: null`, the page would send its address to a validator on
 * the internet.
 */
const START = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  filter: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null,
})
`

/**
 * The Content-Security-Policy of the page, which allows only this origin. Swagger UI uses `data:` images for its
 * icons and `style` attributes for the position of some boxes. It runs no inline script and evaluates no text.
 */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

export interface AssetContent {
  readonly type: string
  readonly text: string
}

/** Reads an asset. Imports it on first use instead of at the start of the Worker, because the assets have 1.9 MB. */
export async function readAsset(asset: Asset): Promise<AssetContent> {
  switch (asset) {
    case 'swagger-ui-bundle.js':
      return { type: 'text/javascript', text: (await import('swagger-ui-dist/swagger-ui-bundle.js')).default }
    case 'swagger-ui.css':
      return { type: 'text/css', text: (await import('swagger-ui-dist/swagger-ui.css')).default }
    case 'start.js':
      return { type: 'text/javascript', text: START }
  }
}
