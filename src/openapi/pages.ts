import { createHash } from 'node:crypto'
import { INFO } from './words.ts'

/** Builds small HTML pages for people. The pages have no scripts and load no other resources. */

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}' +
  'code{background:#8882;padding:.1em .3em;border-radius:3px}h2{margin-top:2rem}:root{color-scheme:light dark}'

/**
 * The Content-Security-Policy of a small page. It allows only the style of the page, which it identifies by its hash.
 */
export const SMALL_PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`
}

/**
 * The links in the response to `GET /`: name, path and label. The paths are relative, so that they also work if the
 * Worker is mounted below a path.
 */
const LINKS = [
  ['dashboard', 'dashboard/', 'Dashboard'],
  ['documentation', 'docs', 'API reference'],
  ['openapi', 'openapi.json', 'OpenAPI document'],
  ['errors', 'docs/errors', 'Error codes'],
  ['health', 'health', 'Health'],
  ['readiness', 'ready', 'Readiness of D1, KV and ledger objects'],
] as const

/** Returns the body of the JSON response to `GET /`. */
export function rootJson(): object {
  const links = Object.fromEntries(LINKS.map(([name, path]) => [name, path]))
  return { name: INFO.title, version: INFO.version, links }
}

/** Returns the HTML page of `GET /`. */
export function rootPage(): string {
  const links = LINKS.map(([, path, label]) => `<li><a href="${path}">${label}</a></li>`)
  return htmlPage(
    INFO.title,
    `<h1>${INFO.title}</h1>
<p>${INFO.summary} This is version ${INFO.version} of its API.</p>
<ul>
${links.join('\n')}
</ul>
<p>Guides and source: <a href="${INFO.contact.url}">${INFO.contact.url}</a></p>`,
  )
}

/**
 * Returns `docs/errors.md` as an HTML page. Each error code is a heading with an anchor. The `type` of a problem
 * document links to the anchor of its code.
 */
export function errorsPage(markdown: string): string {
  const blocks = markdown.trim().split(/\n{2,}/)
  return htmlPage(`${INFO.title}: errors`, blocks.map(block).join('\n'))
}

/**
 * Converts a block of Markdown to HTML. Supports only the Markdown that `docs/errors.md` uses: headings, lists, and
 * paragraphs with `code`, **bold** and links.
 */
function block(text: string): string {
  const [, level, heading] = /^(#{1,3}) (.+)$/.exec(text) ?? []
  if (level !== undefined && heading !== undefined) {
    return `<h${level.length} id="${escaped(heading)}">${inline(heading)}</h${level.length}>`
  }
  if (!text.startsWith('- ')) return `<p>${inline(text)}</p>`
  const items = text.split(/\n(?=- )/).map((item) => `<li>${inline(item.slice(2))}</li>`)
  return `<ul>${items.join('\n')}</ul>`
}

/**
 * Converts inline Markdown to HTML. A link to another guide becomes text, because the deployment does not serve the
 * other guides.
 */
function inline(text: string): string {
  return escaped(text)
    .replace(/\[([^\]]+)\]\(#([\w-]+)\)/g, '<a href="#$2">$1</a>')
    .replace(/\[([^\]]+)\]\([^)]+\)/g, '$1')
    .replace(/`([^`]+)`/g, '<code>$1</code>')
    .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
