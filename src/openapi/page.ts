import { INFO } from './words.ts'

/**
 * Defines the page of `GET /docs`. The page is Swagger UI from its npm package. The Worker serves all of its files, so
 * the page loads nothing from other hosts.
 */

export const ASSETS = ['swagger-ui-bundle.js', 'swagger-ui.css', 'start.js'] as const
export type Asset = (typeof ASSETS)[number]

// Uses relative links, so that the page also works if the Worker is mounted below a path.
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
 * The script that starts Swagger UI. Without `validatorUrl: null`, Swagger UI would send the URL of the document to a
 * validator on the internet.
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
 * The Content-Security-Policy of the page. It allows only this origin, `data:` images and inline styles. Swagger UI
 * uses `data:` images for icons and `style` attributes for the positions of some boxes. It does not run inline scripts
 * and does not evaluate text as code.
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

/**
 * Returns the content of an asset. The assets have 1.9 MB in total, so an asset is imported when it is first requested,
 * not when the Worker starts.
 */
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
